"""Tasks, the best script, and the doctor, run as a person runs them."""

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.sandbox import all_sandboxes, best_sandbox
from experiments.task_folder import load_task
from gossip.home import Home, open_home
from gossip.journal import Journal, Stored
from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.records import Win, encode
from swarm.settings_block import write_settings
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from tests.cli.homes import swarm, win
from tests.swarm.record_samples import ANN
from watch.status import task_document


@pytest.fixture(scope="module")
def quick() -> Task:
    return load_task("quick").task


def quick_home(root: Path, task: Task) -> Home:
    home = open_home(root)
    home.write_status({"task": task_document(task, "quick")})
    return home


def accepted(
    task: Task, number: int, before: Tree, tree: Tree, *, base: str | None = None, value: float = 3
) -> Win:
    """A win whose diff really gives its tree."""
    return replace(
        win(number, base=base, value=value),
        author=ANN.peer_id,
        topic=task.topic,
        task=task.id,
        diff=make_diff(before, tree),
        tree=tree_hash(tree),
    )


def changed(tree: Tree, **settings: float) -> Tree:
    return {"train.py": write_settings(tree["train.py"], settings)}


def put(home: Home, task: Task, *wins: Win) -> list[str]:
    """Store wins; their ids."""
    ids = [cid_of(encode(each)) for each in wins]
    with Journal.open(home.journal(task.id)) as journal:
        journal.append(
            [
                Stored(record_id, "win", ANN.peer_id, each.created_at_ms, ANN.seal(each))
                for record_id, each in zip(ids, wins, strict=True)
            ]
        )
    return ids


# --- best -------------------------------------------------------------------------


def test_without_a_win_the_baseline_is_the_best(tmp_path: Path, quick: Task) -> None:
    said = swarm("best", home=quick_home(tmp_path / "h", quick).root)
    assert said.status == 0
    assert said.out.encode() == quick.baseline["train.py"]
    assert said.err == "no win yet: this is the baseline of quick\n"


def test_the_best_is_rebuilt_along_its_lineage(tmp_path: Path, quick: Task) -> None:
    home = quick_home(tmp_path / "h", quick)
    first = changed(quick.baseline, LEARNING_RATE=0.003)
    second = changed(first, BATCH=4)
    (base,) = put(home, quick, accepted(quick, 1, quick.baseline, first))
    put(home, quick, accepted(quick, 2, first, second, base=base, value=2.9))
    output = tmp_path / "best.py"
    said = swarm("best", "--output", str(output), home=home.root)
    assert (said.status, said.out) == (0, "")
    assert output.read_bytes() == second["train.py"]
    assert "#1 “change 2”" in said.err


def test_a_win_that_is_not_what_it_says_is_passed_over(tmp_path: Path, quick: Task) -> None:
    home = quick_home(tmp_path / "h", quick)
    first = changed(quick.baseline, LEARNING_RATE=0.003)
    liar = replace(accepted(quick, 1, quick.baseline, first, value=2.9), tree="ab" * 32)
    put(home, quick, liar, accepted(quick, 2, quick.baseline, first))
    said = swarm("best", home=home.root)
    assert said.out.encode() == first["train.py"]
    assert "warning: passing over #1" in said.err


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, quick: Task) -> None:
    home = quick_home(tmp_path / "h", quick)
    said = swarm("best", "--output", str(tmp_path / "no" / "best.py"), home=home.root)
    assert said.status == 1
    assert "best.py cannot be written (No such file or directory)" in said.err


# --- task -------------------------------------------------------------------------


def test_tasks_are_listed(quick: Task) -> None:
    said = swarm("task", "list")
    assert "quick" in said.out and "tinypy" in said.out and "131,072 tokens" in said.out


def test_a_task_is_told_with_its_knobs_and_their_sources(quick: Task) -> None:
    said = swarm("task", "show", "quick")
    assert quick.id in said.out
    assert "LEARNING_RATE" in said.out and "Kaiming init, He et al. 2015" in said.out


def test_a_task_made_for_a_gpu_says_so() -> None:
    said = swarm("task", "show", "tinypy-gpu")
    assert "needs         a GPU" in said.out
    assert swarm("task", "show", "tinypy-gpu", "--json").json["accelerator"] is True
    assert "needs" not in swarm("task", "show", "quick").out.split("knob")[0]


def test_a_task_as_json(quick: Task) -> None:
    document = swarm("task", "show", "quick", "--json").json
    assert document["id"] == quick.id
    assert document["budget_tokens"] == quick.budget.tokens


def test_an_unknown_task_is_one_sentence() -> None:
    said = swarm("task", "show", "nothing-here")
    assert said.status == 1
    assert said.err.startswith("error: ")
    assert "nothing-here" in said.err and "Traceback" not in said.err


# --- doctor -----------------------------------------------------------------------


def test_a_sound_machine_is_ready(tmp_path: Path) -> None:
    said = swarm("doctor", home=tmp_path / "home")
    assert said.status == 0
    for subject in ("python", "processor", "class", "torch", "corpus", "isolation", "journal"):
        assert f" {subject} " in said.out
    assert "ready: start a node with `swarm start --home " in said.out
    assert not (tmp_path / "home").exists()


def test_it_says_what_isolates_and_what_is_accepted(tmp_path: Path) -> None:
    """What is used with what it holds, why others are not, and the policy in effect."""
    home = open_home(tmp_path / "home")
    said = swarm("doctor", home=home.root).out
    for sandbox in all_sandboxes():
        if sandbox.isolates and (reason := sandbox.missing()) is not None:
            assert f"{sandbox.name} is not used: {reason}" in said
    best = best_sandbox()
    for subject, words in best.holds.items():
        assert f"{subject:<10} {words}" in said
    assert ("accepts    code diffs of peers" in said) == best_sandbox("command").isolates
    home.settings.write_text('[search]\naccept = "knobs"\n')
    assert "knob diffs only, as the settings say" in swarm("doctor", home=home.root).out


def test_what_is_broken_is_named_with_its_fix(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    home.settings.write_text("[node]\nworkers = 0\n")
    (home.journals / "bafy.sqlite").write_bytes(b"")
    home.identity.write_bytes(b"not a key")
    home.identity.chmod(0o600)
    said = swarm("doctor", home=home.root)
    assert said.status == 1
    assert "settings.toml: node.workers" in said.out
    assert "swarm verify --rescue" in said.out
    assert "is not an identity key" in said.out
    assert "a node cannot run here yet" in said.out

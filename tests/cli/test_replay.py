"""`swarm replay` confirms what is real and refutes what is made up, without a node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from experiments.task_folder import load_task
from gossip.home import Home, open_home
from gossip.journal import Journal
from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.records import Pair, Record, RecordId, Replication, Trials, Win, encode
from swarm.settings_block import Scalar, write_settings
from swarm.task import Task
from swarm.tree import tree_hash
from swarm.validation import challenge_message
from tests.cli.homes import Ran, stored, swarm
from tests.processes import TOY
from tests.swarm.record_samples import ANN, BOB, ENVIRONMENT, NOW_MS, TRIAL, Author
from watch.status import task_document


def home_of(root: Path, source: str, records: Sequence[tuple[Author, Record]]) -> Home:
    """A home that holds these records and whose node is not running."""
    task = load_task(source).task
    home = open_home(root)
    home.write_status({"pid": 1, "peer_id": ANN.peer_id, "task": task_document(task, source)})
    with Journal.open(home.journal(task.id)) as journal:
        journal.append([stored(author, record) for author, record in records])
    return home


def claim(
    task: Task, gain: float, settings: dict[str, Scalar], base: RecordId | None = None
) -> Win:
    """A signed-looking claim that these settings gain so much, whether or not they do."""
    tree = {"train.py": write_settings(task.baseline["train.py"], settings)}
    value = 3_000_000_000
    return Win(
        author=ANN.peer_id,
        nickname="ann",
        topic=task.topic,
        task=task.id,
        created_at_ms=NOW_MS,
        base=base,
        parents=(),
        diff=make_diff(task.baseline, tree),
        tree=tree_hash(tree),
        title=f"{settings} gains {gain}",
        rationale="",
        family="code",
        proposer="knobs",
        pairs=tuple(
            Pair(seed, value, value - round(gain * 1e9) + seed * 100_000) for seed in range(5)
        ),
        blocks=(),
        environment=ENVIRONMENT,
    )


def replayed(home: Home, record: Record, *words: str) -> tuple[Ran, dict[str, Any]]:
    words = ("replay", cid_of(encode(record)), "--json", *words)
    ran = swarm(*words, home=home.root, timeout_s=400)
    assert ran.out, ran.err
    return ran, cast("dict[str, Any]", ran.json)


@pytest.mark.parametrize(
    ("gain", "settings", "outcome"),
    [
        (0.3, {"SHIFT": "small"}, "confirmed"),
        (1.9, {"SLOPE": 10.0}, "refuted"),
        (2.0, {"SHIFT": "large"}, "refuted"),
        (1.5, {"SHIFT": "small"}, "smaller"),
    ],
)
def test_what_is_seen_decides(
    tmp_path: Path, gain: float, settings: dict[str, Scalar], outcome: str
) -> None:
    """A real win, one that does nothing, a harmful one called the best ever, and a boast."""
    win = claim(load_task(TOY).task, gain, settings)
    home = home_of(tmp_path, str(TOY), [(ANN, win)])
    ran, said = replayed(home, win, "--seeds", "4")
    assert said["outcome"] == outcome, said
    assert ran.status == (0 if outcome == "confirmed" else 1)
    assert said["said"]["effect"] == pytest.approx(-gain, abs=0.001)
    assert said["seen"]["pairs"] == len(said["pairs"]) == 4
    assert len({pair["seed"] for pair in said["pairs"]} - set(range(5))) >= 3
    with Journal.open(home.journal(win.task), read_only=True) as journal:
        assert journal.count() == 1, "a replay publishes nothing"


def test_people_read_both_numbers_and_a_verdict(tmp_path: Path) -> None:
    """And any record of the win will do to name it."""
    win = claim(load_task(TOY).task, 0.3, {"SHIFT": "small"})
    win_id = cid_of(encode(win))
    replication = Replication(
        author=BOB.peer_id,
        nickname="bob",
        topic=win.topic,
        task=win.task,
        created_at_ms=NOW_MS,
        win=win_id,
        challenge=BOB.sign(challenge_message(win_id)),
        pairs=(),
        challenge_pairs=(),
        baseline=(),
        holdout_nano=None,
        environment=ENVIRONMENT,
    )
    home = home_of(tmp_path, str(TOY), [(ANN, win), (BOB, replication)])
    ran = swarm("replay", cid_of(encode(replication))[-10:], "--seeds", "2", home=home.root)
    assert ran.status == 0, ran.err
    assert "said" in ran.out and "-0.29" in ran.out
    assert "confirmed: the gain is real" in ran.out
    assert ran.out.count("seed ") == 2


def test_what_cannot_be_replayed_is_said(tmp_path: Path) -> None:
    """A win whose base is missing, trials, and an id nobody knows."""
    task = load_task(TOY).task
    orphan = claim(task, 0.3, {"SHIFT": "small"}, cid_of(b"not here"))
    trials = Trials(ANN.peer_id, "", task.topic, task.id, NOW_MS, "cpu-laptop", (TRIAL,))
    home = home_of(tmp_path, str(TOY), [(ANN, orphan), (ANN, trials)])
    for record_id, said in (
        (cid_of(encode(orphan)), "has not arrived here yet"),
        (cid_of(encode(trials)), "claim nothing"),
        (cid_of(b"unknown"), "no record"),
    ):
        ran = swarm("replay", record_id, home=home.root)
        assert ran.status == 1 and said in ran.err and "Traceback" not in ran.err


def test_a_real_training_run_is_replayed_too(tmp_path: Path) -> None:
    """Ten times the naive learning rate helps a model of seconds; the text is drawn just now."""
    win = claim(load_task("quick").task, 0.4, {"LEARNING_RATE": 0.003})
    home = home_of(tmp_path, "quick", [(ANN, win)])
    _, said = replayed(home, win, "--seeds", "4")  # of two pairs, some are too few to tell
    assert said["outcome"] == "confirmed", (said["seen"], said["pairs"], said["reason"])
    assert said["isolation"] != "none"
    assert said["holdout"] is not None
    assert said["seen"] != said["seen_on_validation"]

"""`swarm strategy`: it explains itself before a node ran, while it runs, and afterwards."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from experiments.history import History
from gossip.home import Home
from gossip.journal import Journal
from swarm.records import Trial
from swarm.tree import tree_hash
from tests.cli.homes import swarm
from tests.cli.toy_homes import BASELINE, TASK, toy_home, toy_trials, toy_win, turned
from tests.swarm.record_samples import ANN, BOB

LAPTOP = ("--hardware", "cpu-laptop")
"""Whatever machine this runs on: its class decides how promising a family is at first."""


def own_trials(home: Home, *trials: Trial) -> None:
    history = History(home.history, TASK.id)
    for trial in trials:
        history.add(trial)
    history.close()


def said(*words: str, home: Path) -> dict[str, Any]:
    ran = swarm("strategy", "--json", *words, home=home)
    assert ran.status == 0, ran.err
    return ran.json


def families(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    listed = cast("list[dict[str, Any]]", document["families"])
    return {each["family"]: each for each in listed}


def test_it_explains_itself_before_the_first_start(tmp_path: Path) -> None:
    """And leaves nothing behind."""
    ran = swarm("strategy", home=tmp_path / "home")
    assert ran.status == 0, ran.err
    assert "Every idea belongs to a family" in ran.out
    assert "a good first look on this kind of machine" in ran.out
    assert "If it had to choose now" in ran.out and "start one with" in ran.out
    assert not (tmp_path / "home").exists()


def test_another_class_of_hardware_begins_elsewhere(tmp_path: Path) -> None:
    document = said("--hardware", "gpu-datacenter", home=tmp_path / "home")
    first = cast("list[dict[str, Any]]", document["families"])[:3]
    assert {each["family"] for each in first} == {"learning_rate", "batch", "schedule"}
    assert all(each["at_once"] > 1 for each in first)
    ideas = cast("list[dict[str, Any]]", document["next"])
    assert len({each["family"] for each in ideas}) == 1, "a sweep"
    unknown = swarm("strategy", "--hardware", "toaster", home=tmp_path / "home")
    assert unknown.status == 1 and "cpu-laptop" in unknown.err


def test_what_was_seen_here_and_by_peers_moves_the_odds(tmp_path: Path) -> None:
    """Read while the node's files are open for writing, as they are when it runs."""
    home = toy_home(tmp_path, [(BOB, toy_trials(1, "no_gain", "crashed", "win", author=BOB))])
    before = families(said(*LAPTOP, home=home.root))
    assert before["learning_rate"]["experiments"] == 0
    mine = replace(toy_trials(2, "no_gain").trials[0], base_tree=tree_hash(BASELINE))
    own_trials(home, *(replace(mine, family="init", tree=f"{number:064x}") for number in range(12)))
    with Journal.open(home.journal(TASK.id)) as journal:
        history = History(home.history, TASK.id)
        journal.set_state("something", b"written")
        document = said(*LAPTOP, home=home.root)
        history.close()
    after = families(document)
    assert document["evidence"] == {
        "experiments": 12, "wins": 0, "peer_experiments": 3, "peers": 1,
    }  # fmt: skip
    assert after["init"]["experiments"] == 12
    assert after["init"]["probability"] < 0.75 * before["init"]["probability"]
    assert "not helped here yet" in after["init"]["why"]


def test_what_it_builds_on_is_named_and_not_tried_again(tmp_path: Path) -> None:
    win = toy_win(1, BASELINE, turned(BASELINE, SHIFT="small"), title="a small shift")
    home = toy_home(tmp_path, [(ANN, win)])
    with Journal.open(home.journal(TASK.id)) as journal:
        journal.set_state("champion", journal.ids("win")[0].encode())
    document = said(home=home.root)
    assert document["builds_on"] == "a small shift"
    ideas = cast("list[dict[str, Any]]", document["next"])
    assert len(ideas) == 3
    assert all("→ 'small'" not in idea["title"] and idea["why"] for idea in ideas)


def test_a_win_that_waits_is_offered_as_a_fold(tmp_path: Path) -> None:
    """Also by a newcomer: it gets its tenth."""
    win = toy_win(2, BASELINE, turned(BASELINE, WIDTH=4), author=BOB, title="four wide")
    home = toy_home(tmp_path, [(BOB, win)])
    mine = replace(toy_trials(2, "no_gain").trials[0], base_tree=tree_hash(BASELINE))
    own_trials(home, *(replace(mine, tree=f"{number:064x}") for number in range(12)))
    ran = swarm("strategy", home=home.root)
    assert ran.status == 0, ran.err
    assert "A win found elsewhere waits to be measured here." in ran.out

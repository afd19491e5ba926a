"""What each proposer offers, on the toy task."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.findings import trial_of
from experiments.measure import Measured
from experiments.proposers import Champion, KnownWin, Proposer, Situation, hypothesis
from experiments.proposers.fold import FoldProposer
from experiments.proposers.grid import grid
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.revisit import RevisitProposer
from experiments.proposers.simplify import SimplifyProposer
from experiments.task_folder import load_task
from swarm.diff import apply_diff
from swarm.knob import Knob
from swarm.records import Pair
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar, read_settings, write_settings
from swarm.task import Task
from swarm.tree import Tree, tree_hash

TOY = Path(__file__).parent.parent / "toy_task"


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task(str(TOY)).task


def changed(tree: Tree, **settings: Scalar) -> Tree:
    return {"train.py": write_settings(tree["train.py"], settings)}


def known(record: str, base: Tree, tree: Tree, effect: float, value: float = 2.6) -> KnownWin:
    return KnownWin(record, f"win {record}", "bob", base, tree, effect, value)


def situation(
    task: Task,
    *wins: KnownWin,
    champion: Tree | None = None,
    tried: Callable[[str, str], bool] = lambda base, tree: False,
    code_allowed: bool = True,
) -> Situation:
    return Situation(
        task,
        Champion(None, champion or task.baseline, 2.6),
        wins,
        code_allowed,
        tried,
        random.Random(1).random,
    )


@pytest.mark.parametrize("proposer", [KnobProposer(), FoldProposer()])
def test_every_offer_is_an_untried_change_of_the_champion(proposer: Proposer, task: Task) -> None:
    """A family that is offered has a proposal; it applies, gives its tree, and is not repeated."""
    seen: set[tuple[str, str]] = set()
    win = known("b1", task.baseline, changed(task.baseline, WIDTH=4), -0.2)
    place = situation(task, win, tried=lambda base, tree: (base, tree) in seen)
    while families := sorted(proposer.families(place)):
        offer = proposer.propose(place, families[0])
        assert offer is not None and offer.family == families[0]
        assert offer.base_tree == tree_hash(task.baseline) != offer.tree
        assert tree_hash(apply_diff(task.baseline, offer.diff, task.editable)) == offer.tree
        assert (offer.base_tree, offer.tree) not in seen
        seen.add((offer.base_tree, offer.tree))
    assert seen
    assert proposer.propose(place, "init") is None


def test_a_knob_takes_each_value_of_its_grid_once(task: Task) -> None:
    """The knobs of the toy task offer all their values but the current ones, then pairs."""
    seen: set[str] = set()
    proposer = KnobProposer()
    place = situation(task, tried=lambda base, tree: tree in seen)
    titles: list[str] = []
    while families := sorted(proposer.families(place)):
        offer = proposer.propose(place, families[0])
        assert offer is not None and not offer.code
        seen.add(offer.tree)
        titles.append(offer.title)
    singles = [title for title in titles if "," not in title]
    sizes = [len(grid(knob)) - 1 for knob in task.knobs]
    pairs = (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2
    assert len(singles) == len(set(singles)) == sum(sizes)
    assert len(titles) == len(set(titles)) == sum(sizes) + pairs
    assert "SHIFT none → small" in titles


def test_the_literature_is_named_where_the_task_knows_it(task: Task) -> None:
    """A value with a source says so in its rationale."""
    proposer = KnobProposer()
    large = tree_hash(changed(task.baseline, SHIFT="large"))
    place = situation(task, tried=lambda base, tree: tree == large)
    offer = proposer.propose(place, "init")
    assert offer is not None and "Nobody et al. 2026" in offer.rationale


def test_a_knob_that_changes_nothing_is_not_offered() -> None:
    """Momentum is no setting of plain AdamW; with Muon it is."""
    quick = load_task("quick").task
    muon = {"train.py": write_settings(quick.baseline["train.py"], {"OPTIMIZER": "muon"})}
    assert "MOMENTUM" not in offered(quick, quick.baseline)
    assert "MOMENTUM" in offered(quick, muon)


def offered(task: Task, champion: Tree) -> set[str]:
    """Names of the optimizer's knobs that are on offer."""
    seen: set[str] = set()
    names: set[str] = set()
    place = situation(task, champion=champion, tried=lambda base, tree: tree in seen)
    while (offer := KnobProposer().propose(place, "optimizer")) and len(offer.knobs) == 1:
        seen.add(offer.tree)
        names |= {name for name, _ in offer.knobs}
    return names


@pytest.mark.parametrize(
    ("knob", "values"),
    [
        (Knob("A", "float", "init", low=0.001, high=0.01, log=True), [0.001, 0.002, 0.005, 0.01]),
        (Knob("A", "int", "init", low=1, high=12, log=True), [1, 2, 4, 8, 12]),
        (Knob("A", "int", "init", low=0, high=3), [0, 1, 2, 3]),
        (Knob("A", "choice", "init", choices=("x", "y")), ["x", "y"]),
    ],
)
def test_a_grid_stays_in_its_range(knob: Knob, values: list[Scalar]) -> None:
    """Grids are sorted, inside the range, and of the knob's kind."""
    assert grid(knob) == values
    assert all(knob.admits(value) for value in grid(knob))


def test_folding_merges_onto_the_champion(task: Task) -> None:
    """A win on the baseline is carried over to a champion that changed something else."""
    champion = changed(task.baseline, SHIFT="small")
    win = known("b1", task.baseline, changed(task.baseline, WIDTH=4), -0.2)
    offer = FoldProposer().propose(situation(task, win, champion=champion), "fold")
    assert offer is not None and offer.parents == ("b1",)
    merged = apply_diff(champion, offer.diff, task.editable)
    assert read_settings(merged["train.py"]) == {"SLOPE": 0.1, "SHIFT": "small", "WIDTH": 4}


def test_the_greatest_expected_gain_is_folded_first(task: Task) -> None:
    """Wins that go together, then those by themselves; one that changes nothing is passed over."""
    champion = changed(task.baseline, SHIFT="small")
    small = known("b1", task.baseline, changed(task.baseline, WIDTH=2), -0.1)
    great = known("b2", task.baseline, changed(task.baseline, SLOPE=1.0), -0.2)
    same = known("b3", task.baseline, champion, -0.3)
    seen: set[str] = set()
    place = situation(
        task, small, great, same, champion=champion, tried=lambda base, tree: tree in seen
    )
    proposer, folded = FoldProposer(), list[tuple[str, ...]]()
    while offer := proposer.propose(place, "fold"):
        folded.append(offer.parents)
        seen.add(offer.tree)
    assert folded == [("b2", "b1"), ("b2",), ("b1",)]


def test_what_others_confirmed_is_expected_to_hold(task: Task) -> None:
    """A claim counts half as much; wins that collide are folded one at a time."""
    claim = known("b1", task.baseline, changed(task.baseline, WIDTH=2), -0.3)
    sure = replace(
        known("b2", task.baseline, changed(task.baseline, WIDTH=4), -0.2), confirmed=True
    )
    offer = FoldProposer().propose(situation(task, claim, sure), "fold")
    assert offer is not None and offer.parents == ("b2",)


def test_what_is_only_simpler_is_carried_over_as_that(task: Task) -> None:
    """A peer's simplification is no gain to fold in; it has to prove itself as one here too."""
    champion = changed(task.baseline, SHIFT="small", WIDTH=4)
    base = changed(task.baseline, WIDTH=4)
    win = replace(known("b1", base, task.baseline, -0.9), simpler=True)
    place = situation(task, win, champion=champion)
    assert not FoldProposer().families(place)
    offer = SimplifyProposer().propose(place, "simplify")
    assert offer is not None and offer.parents == ("b1",)
    assert offer.tree == tree_hash(changed(task.baseline, SHIFT="small"))


def test_a_conflict_is_skipped(task: Task) -> None:
    """A win that set the same knob otherwise does not merge."""
    champion = changed(task.baseline, WIDTH=8)
    win = known("b1", task.baseline, changed(task.baseline, WIDTH=2), -0.1)
    assert not FoldProposer().families(situation(task, win, champion=champion))


def test_a_tree_far_ahead_is_adopted_whole(task: Task) -> None:
    """Where the author's own best is far better than the champion, the whole tree is offered."""
    far = changed(task.baseline, WIDTH=4, SLOPE=1.0, SHIFT="small")
    win = known("b1", changed(task.baseline, WIDTH=4, SLOPE=1.0), far, -0.1, value=2.0)
    offer = FoldProposer().propose(situation(task, win), "fold")
    assert offer is not None and offer.tree == tree_hash(far) and offer.title.startswith("Adopt")


def test_code_is_not_folded_where_it_may_not_run(task: Task) -> None:
    """Without isolation a win that changes code is passed over; a knob diff is not."""
    code: Tree = {"train.py": task.baseline["train.py"] + b"\nprint('hello')\n"}
    knob = known("b1", task.baseline, changed(task.baseline, WIDTH=2), -0.1)
    strange = known("b2", task.baseline, code, -0.9)
    open_place = situation(task, knob, strange)
    offer = FoldProposer().propose(open_place, "fold")
    assert offer is not None and offer.parents == ("b2",) and offer.code
    offer = FoldProposer().propose(replace(open_place, code_allowed=False), "fold")
    assert offer is not None and offer.parents == ("b1",) and not offer.code


def noted(
    task: Task, base: Tree, own: bool, outcome: str, worse: float, **knobs: Scalar
) -> SeenTrial:
    """An experiment that turned knobs of a base, and how much worse that was."""
    measured = Measured(outcome, pairs=[Pair(1, 0, round(worse * 1e9))])
    offer = hypothesis(
        situation(task, champion=base),
        changed(base, **knobs),
        title="x",
        rationale="",
        family=next(knob.family for knob in task.knobs if knob.name in knobs),
        proposer="knobs",
        knobs=tuple((name, repr(value)) for name, value in knobs.items()),
    )
    return SeenTrial("me" if own else "peer", "", own, trial_of(offer, measured, 1))


def test_discards_come_up_again_once_the_base_has_moved(task: Task) -> None:
    """The nearest miss first; what gained, what crashed and what this base has seen do not."""
    old, now = task.baseline, changed(task.baseline, SHIFT="small")
    trials = [
        noted(task, old, True, "no_gain", 0.04, WIDTH=2),
        noted(task, old, False, "no_gain", 0.01, WIDTH=4),
        noted(task, old, True, "crashed", 0.0, WIDTH=8),
        noted(task, old, True, "win", -0.3, SHIFT="small"),
        noted(task, now, True, "no_gain", 0.0, SLOPE=1.0),
    ]
    place = replace(situation(task, champion=now), trials=trials)
    assert RevisitProposer().families(place) == {"width_depth"}
    offer = RevisitProposer().propose(place, "width_depth")
    assert offer is not None and offer.tree == tree_hash(changed(now, WIDTH=4))
    back = replace(place, champion=Champion(None, old, 2.6))
    assert RevisitProposer().families(back) == {"learning_rate"}


def test_the_model_goes_where_results_were_good(task: Task) -> None:
    """With all values tried, two turns that did well by themselves are soon made at once."""
    base = task.baseline
    worth: dict[tuple[str, Scalar], float] = {("SLOPE", 1.0): -0.03, ("WIDTH", 4): -0.03}
    trials = [
        noted(task, base, True, "no_gain", worth.get((knob.name, value), 0.3), **{knob.name: value})
        for knob in task.knobs
        for value in grid(knob)
        if value != read_settings(base["train.py"])[knob.name]
    ]
    seen = {each.trial.tree for each in trials}
    place = replace(situation(task, tried=lambda _, tree: tree in seen), trials=trials)
    both = tree_hash(changed(base, SLOPE=1.0, WIDTH=4))
    proposer = KnobProposer()
    for _ in range(20):
        offer = proposer.propose(place, "learning_rate")
        assert offer is not None and len(offer.knobs) > 1
        seen.add(offer.tree)
    assert both in seen, "20 of 99 ways to turn two knobs at once"

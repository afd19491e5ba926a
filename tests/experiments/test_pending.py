"""What peers measure now is kept away from, as far as a claim may count."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.proposers import Champion, Situation
from experiments.proposers.grid import grid
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.results import MOST_PENDING, PENDING_OF_ONE, pending
from experiments.proposers.tpe import Point, suggestions
from experiments.proposers.turns import Turns
from swarm.records import Pair, Trial
from swarm.seen import SeenTrial
from swarm.signals import Claim, Idea
from swarm.tree import tree_hash
from tests.experiments.lab import NOW_MS, Lab, toy
from tests.experiments.test_no_repeats import baseline, chooser_of

TASK = toy().task
BASE = tree_hash(TASK.baseline)
PLACES = range(21)


def claim(author: str, *ideas: tuple[tuple[str, str], ...], base: str = BASE) -> Claim:
    told = tuple(
        Idea(base, f"{number:064x}", "width_depth", knobs) for number, knobs in enumerate(ideas)
    )
    return Claim(author, TASK.topic, TASK.id, NOW_MS, told)


def situation(
    claims: Sequence[Claim], trials: Sequence[SeenTrial] = (), seed: int = 0
) -> Situation:
    return Situation(
        TASK,
        Champion(None, TASK.baseline, 2.6),
        (),
        True,
        lambda base, tree: False,
        random.Random(seed).random,
        trials=trials,
        claims=claims,
    )


def test_what_is_under_way_is_not_suggested_again() -> None:
    """The model likes the values near 10; with those being measured it looks elsewhere."""
    known = [Point({"X": place}, abs(place - 10) / 5) for place in (0, 4, 8, 12, 16, 20)]
    running = [Point({"X": place}, None) for place in (9, 10, 11)] * 3
    near = {"free": 0, "taken": 0}
    for seed in range(12):
        for name, points in (("free", known), ("taken", [*known, *running])):
            first = next(suggestions({"X": list(PLACES)}, points, seed))
            near[name] += first["X"] in (9, 10, 11)
    assert near["taken"] < near["free"]


def test_a_claim_counts_where_it_can_be_read_and_no_more_than_a_few() -> None:
    """Of this base, of knobs and values there are; a few of each peer, and in all."""
    width = [(("WIDTH", repr(value)),) for value in (2, 4)]
    slopes = grid(next(knob for knob in TASK.knobs if knob.name == "SLOPE"))
    slope = [(("SLOPE", repr(value)),) for value in slopes[4:]]
    odd = [(("WIDTH", "__import__('os')"),), (("NOBODY", "1"),), (), (("WIDTH", "1"),)]
    shift = [(("SHIFT", repr(value)),) for value in ("small", "large")]
    both = [(*a, *b, *c) for a in slope for b in width for c in shift]
    many = [claim(f"peer {n}", idea) for n, idea in enumerate(both)]
    place = situation(())
    turns = Turns(place)
    assert pending(place, turns) == []
    assert pending(situation([claim("a", *odd)]), turns) == []
    assert pending(situation([claim("a", *width, base="0" * 64)]), turns) == []
    assert len(pending(situation([claim("a", *slope)]), turns)) == PENDING_OF_ONE
    assert len(pending(situation([claim("a", width[0]), claim("b", width[0])]), turns)) == 1
    assert len(many) > MOST_PENDING == len(pending(situation(many), turns))


def result(number: int, literal: str, worse: float) -> SeenTrial:
    nano = 2_500_000_000
    pair = Pair(1, nano, nano + round(worse * 1e9))
    note = Trial(
        None, BASE, f"{number:064x}", "x", "width_depth", "knobs", (), (("WIDTH", literal),),
        (pair,), "no_gain", 1, NOW_MS,
    )  # fmt: skip
    return SeenTrial("me", "cpu-laptop", True, note)


def test_peers_claims_change_what_the_knobs_proposer_suggests() -> None:
    """The same node with the same results: another idea where peers are at the best one."""
    values = (1, 2, 3, 4, 6, 8)
    trials = [result(n, repr(each), 0.1 * abs(each - 4)) for n, each in enumerate(values * 4)]
    claims = [claim(f"peer {n}", (("WIDTH", "4"),), (("WIDTH", "3"),)) for n in range(4)]
    turned: dict[str, list[object]] = {"alone": [], "among peers": []}
    for seed in range(20):
        for name, heard in (("alone", ()), ("among peers", claims)):
            found = KnobProposer().propose(situation(heard, trials, seed), "width_depth")
            assert found is not None
            turned[name].append(dict(found.knobs).get("WIDTH"))
    assert turned["alone"] != turned["among peers"]


def test_proposers_are_shown_what_peers_claim(tmp_path: Path) -> None:
    lab = Lab(TASK)
    lab.heard = [claim("peer", (("WIDTH", "4"),))]
    shown = chooser_of(tmp_path, lab).situation(baseline(lab))
    assert shown.claims == lab.heard
    assert replace(shown, claims=()).claims == ()

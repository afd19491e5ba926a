"""Many turns at once: from the best that friends measured, never from what strangers say."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from experiments.proposers import Champion, Situation
from experiments.proposers.combine import FIRST_AT_ONCE, MOST_AT_ONCE, CombineProposer
from experiments.proposers.grid import grid
from experiments.task_folder import load_task
from swarm.bounds import same
from swarm.knob import Knob
from swarm.records import Pair, Trial
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar
from swarm.tree import tree_hash
from swarm.turning import settings_of, turned
from tests.experiments.lab import Lab
from tests.experiments.test_proposers import situation

TASK = load_task("quick").task
OFFERED = "init"


def place(*trials: SeenTrial, friends: frozenset[str] = frozenset({"own", "friend"})) -> Situation:
    """A node on the baseline that heard of some experiments."""
    here = situation(TASK)
    champion = Champion(None, TASK.baseline, 5.5)
    return replace(
        here, champion=champion, trials=trials, friends=friends, tree_of=Lab(TASK).tree_of
    )


def told(author: str, value: float, changes: Mapping[str, Scalar]) -> SeenTrial:
    """What somebody says came of turning the baseline's knobs."""
    note = Trial(
        base=None,
        base_tree=tree_hash(TASK.baseline),
        tree=tree_hash(turned(TASK.baseline, dict(changes))),
        title="x",
        family=OFFERED,
        proposer="combine",
        parents=(),
        knobs=tuple((name, repr(each)) for name, each in changes.items()),
        pairs=(Pair(1, 5_500_000_000, round(value * 1e9)),),
        outcome="promising",
        milliseconds=1,
        finished_at_ms=1,
    )
    return SeenTrial(author, "cpu-laptop", author == "own", note)


def turns(here: Situation) -> list[dict[str, str]]:
    """What ten proposals turn."""
    proposer = CombineProposer()
    found = [proposer.propose(here, OFFERED) for _ in range(10)]
    return [dict(each.knobs) for each in found if each is not None]


def _other(knob: Knob) -> Scalar:
    """The last value of a knob, or the first where the baseline has that."""
    first, *_, last = grid(knob)
    return first if same(settings_of(TASK.baseline)[knob.name], last) else last


BEST = {knob.name: _other(knob) for knob in TASK.knobs[5:17]}


def test_what_a_friend_measured_is_where_it_starts() -> None:
    worse = told("friend", 5.0, {"WIDTH": 16})
    found = turns(place(told("friend", 3.0, BEST), worse))
    lied = turns(place(told("stranger", 3.0, BEST), worse))
    assert sum(map(kept, found)) > 1.5 * sum(map(kept, lied))
    assert sum(map(len, found)) > 1.3 * sum(map(len, lied))
    assert max(map(len, lied)) <= MOST_AT_ONCE


def test_what_a_friend_saw_fail_is_left_alone() -> None:
    find = told("friend", 3.0, BEST)
    failed = replace(find, author="own", own=True, trial=replace(find.trial, outcome="no_gain"))
    left = turns(place(find, failed))
    assert left and max(map(len, left)) <= MOST_AT_ONCE


def kept(found: Mapping[str, str]) -> int:
    return sum(found.get(name) == repr(value) for name, value in BEST.items())


def test_nobody_starts_from_what_a_stranger_says() -> None:
    lie = told("stranger", 0.1, {**BEST, "HEADS": 1})
    for found in turns(place(lie)):
        assert kept(found) <= MOST_AT_ONCE < len(BEST)


def test_with_friends_a_few_unknown_knobs_are_turned_at_once_and_more_as_more_is_known() -> None:
    found = turns(place())
    assert len(found) == 10 and all(2 <= len(each) <= FIRST_AT_ONCE for each in found)
    assert not turns(place(friends=frozenset({"own"}))), "alone one at a time says more"
    known = turns(place(told("friend", 5.0, {"WIDTH": 16}), told("own", 6.0, {"HEADS": 1})))
    assert FIRST_AT_ONCE < max(map(len, known)) <= FIRST_AT_ONCE + 4


def test_settings_of_good_experiments_are_turned_to_and_those_of_bad_ones_seldom() -> None:
    """Six knobs at once each time: what is good comes out of all experiments together."""
    draw = random.Random(1)
    names = sorted(BEST)[:8]
    trials: list[SeenTrial] = []
    for number in range(60):
        turned_to = draw.sample(names, 4)
        worth = sum(1 if names.index(name) < 4 else -1 for name in turned_to)
        noise = draw.gauss(0, 0.02)
        changes = {name: BEST[name] for name in turned_to}
        trials.append(told(f"friend {number % 7}", 5.4 - 0.1 * worth + noise, changes))
    friends = frozenset({"own", *(seen.author for seen in trials)})
    found = turns(place(*trials, friends=friends))
    good, bad = (
        sum(each.get(name) == repr(BEST[name]) for each in found for name in some)
        for some in (names[:4], names[4:])
    )
    assert good > 3 * bad

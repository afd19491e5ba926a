"""Nodes with friends go on from the best that any of them has measured."""

from __future__ import annotations

import random
from dataclasses import replace

from experiments.proposers import KnownWin, Situation
from experiments.proposers.combine import CombineProposer
from experiments.proposers.fold import FoldProposer
from experiments.proposers.front import MANY, PATIENCE, champion_is_behind, front_cost
from experiments.proposers.mixed import every_proposer
from swarm.bounds import Bounds, KnobBounds
from swarm.turning import turned
from tests.experiments.test_combining import BEST, OFFERED, TASK, place, told, turns

FRIENDS = frozenset({"own", *(f"friend {number}" for number in range(MANY))})


def own_ideas(here: Situation, count: int = 40) -> list[str]:
    """Whose ideas a node takes up, of those that offer something of their own."""
    mixed = next(each for each in every_proposer() if each.name == "mixed")
    found = [mixed.propose(here, OFFERED) for _ in range(count)]
    return [each.proposer for each in found if each is not None]


def test_of_many_friends_each_first_draws_every_knob_anew() -> None:
    found = turns(place(friends=FRIENDS))
    assert len(found) == 10 and min(map(len, found)) > len(TASK.knobs) / 3
    assert len({frozenset(each.items()) for each in found}) == 10


def test_once_as_many_experiments_are_finished_as_there_are_friends_it_does_not() -> None:
    poor = [told(each, 5.6, {"WIDTH": 16 + 8 * n}) for n, each in enumerate(sorted(FRIENDS))]
    first, later = (turns(place(*poor[:k], friends=FRIENDS)) for k in (len(poor) - 1, len(poor)))
    assert sum(map(len, later)) < 0.7 * sum(map(len, first))


def test_what_strangers_finished_does_not_count_as_a_start() -> None:
    poor = [told(f"stranger {n}", 5.6, {"WIDTH": 16}) for n in range(3 * MANY)]
    assert min(map(len, turns(place(*poor, friends=FRIENDS)))) > len(TASK.knobs) / 3


def test_bounds_hold_for_what_is_drawn_anew() -> None:
    excluded = {knob.name for knob in TASK.knobs if knob.family != OFFERED}
    kept = Bounds({name: KnobBounds(exclude=True) for name in excluded})
    found = turns(replace(place(friends=FRIENDS), bounds=kept))
    assert found and not any(excluded & each.keys() for each in found)


def test_behind_the_front_ideas_start_from_it() -> None:
    assert set(own_ideas(place(told("friend", 3.0, BEST)))) == {CombineProposer.name}
    assert len(set(own_ideas(place(told("stranger", 3.0, BEST))))) > 1
    assert len(set(own_ideas(place(told("friend", 5.4, BEST))))) > 1, "a little is not clearly"


def test_what_a_friend_saw_fail_is_no_front() -> None:
    find = told("friend", 3.0, BEST)
    failed = replace(find, author="own", own=True, trial=replace(find.trial, outcome="no_gain"))
    assert front_cost(place(find)) == 3.0
    assert champion_is_behind(place(find)) and not champion_is_behind(place(find, failed))


def offered(here: Situation) -> bool:
    """Whether a win is folded in that came to 5.0."""
    tree = turned(TASK.baseline, {"WIDTH": 16})
    win = KnownWin("b1", "win", "bob", TASK.baseline, tree, effect=-0.5, value=5.0)
    here = replace(here, wins=[win], uniform=random.Random(1).random)
    return FoldProposer().propose(here, "fold") is not None


def test_a_win_that_friends_have_outdone_is_not_folded_in() -> None:
    assert offered(place(told("stranger", 3.0, BEST)))
    assert offered(place(told("friend", 4.9, BEST)))
    assert not offered(place(told("friend", 3.0, BEST)))


def test_many_friends_fold_in_only_what_is_beyond_their_front_or_what_lasts() -> None:
    front = told("friend 1", 5.0, {"WIDTH": 16})
    assert offered(place(front)), "two friends"
    assert not offered(place(front, friends=FRIENDS)), "its ideas start from there anyway"
    assert offered(place(told("friend 1", 5.3, BEST), friends=FRIENDS)), "beyond the front"
    own = [told("own", 5.6, {"WIDTH": 8 * n}) for n in range(3, 3 + PATIENCE)]
    assert not offered(place(front, *own[1:], friends=FRIENDS))
    assert offered(place(front, *own, friends=FRIENDS)), "for long it has built on the old"

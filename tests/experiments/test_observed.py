"""What recipes cost is told on one scale, whoever measured them, against whatever base."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from experiments.proposers.additive import Observation
from experiments.proposers.observed import STRANGERS_DOUBT, observations
from swarm.records import Pair
from swarm.seen import SeenTrial
from swarm.stopping import LEADER_MARGIN
from tests.experiments.test_combining import place, told

TURN, OTHER = {"WIDTH": 16}, {"WIDTH": 32}


def measured(*trials: SeenTrial) -> list[Observation]:
    return list(observations(place(*trials), trials))


def ended(seen: SeenTrial, outcome: str, at_ms: int = 1) -> SeenTrial:
    """The same experiment, had it ended otherwise."""
    changed = replace(seen.trial, pairs=(), outcome=outcome, finished_at_ms=at_ms)
    return replace(seen, trial=changed)


def costs(found: list[Observation], width: int) -> list[float]:
    return [each.cost for each in found if each.settings["WIDTH"] == repr(width)]


def test_a_base_is_told_once_and_each_experiment_with_all_its_settings() -> None:
    found = measured(told("own", 5.0, TURN), told("friend", 4.0, OTHER))
    assert [each.cost for each in found] == pytest.approx([5.5, 5.0, 4.0])
    assert all(each.settings.keys() == found[0].settings.keys() for each in found)
    assert not any(each.stopped for each in found)


def test_what_a_machine_adds_to_base_and_candidate_does_not_count() -> None:
    """On another seed or machine all may be higher; how far a turn went is the same."""
    high = told("friend", 5.0, OTHER)
    high = replace(high, trial=replace(high.trial, pairs=(Pair(2, 7_500_000_000, 7_000_000_000),)))
    found = measured(told("own", 5.0, TURN), high)
    assert costs(found, 16) == costs(found, 32) == pytest.approx([6.0])


def test_strangers_do_not_say_where_a_base_is_and_are_doubted() -> None:
    lie = told("stranger", 5.0, OTHER)
    lie = replace(lie, trial=replace(lie.trial, pairs=(Pair(2, 1_000_000_000, 500_000_000),)))
    found = measured(told("own", 5.0, TURN), lie)
    assert costs(found, 32) == pytest.approx([5.0])
    assert [each.doubt for each in found] == [1.0, 1.0, STRANGERS_DOUBT]


def test_what_failed_is_infinitely_bad_and_what_was_dropped_is_not_told() -> None:
    failed, dropped = told("own", 5.0, TURN), told("own", 5.0, OTHER)
    found = measured(ended(failed, "diverged"), ended(dropped, "dropped"))
    assert [each.cost for each in found] == [math.inf]


def test_what_was_stopped_cost_more_than_its_authors_best_by_then() -> None:
    best, late = told("own", 3.0, TURN), ended(told("own", 9.0, OTHER), "no_gain", at_ms=2)
    *_, stopped = measured(best, late)
    assert stopped.stopped and stopped.cost == pytest.approx(3.0)
    early = ended(told("own", 9.0, OTHER), "no_gain", at_ms=0)
    assert [each.cost for each in measured(best, early) if each.stopped] == pytest.approx([5.5])
    assert not measured(ended(told("own", 9.0, OTHER), "no_gain")), "more than what?"


def test_friends_stop_what_is_far_behind_the_best_of_all() -> None:
    """Also where their own best is poor; of a stranger's run that says nothing."""
    best = told("own", 3.0, TURN)
    friends, strangers = (
        ended(told(author, 9.0, OTHER), "no_gain", at_ms=2) for author in ("friend", "stranger")
    )
    assert costs(measured(best, friends), 32) == pytest.approx([3.0 * (1 + LEADER_MARGIN)])
    assert costs(measured(best, strangers), 32) == pytest.approx([5.5])

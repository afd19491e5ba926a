"""A win is passed on to who builds on it, and past those who need it no more."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.headline.spread import spread_of
from swarm.board import Claim
from swarm.records import RecordId


def worth(value: float, base: RecordId | None = None, *folded: RecordId) -> Claim:
    pairs = ((1, 9_000_000_000, round(value * 1e9)),)
    return Claim("peer", "nick", f"{value}", "init", "cpu", 0, base, folded, "tree", pairs)


WINS: Mapping[RecordId, Claim] = {
    "first": worth(5.0),
    "on it": worth(4.0, "first"),
    "folds it": worth(4.5, None, "first"),
    "elsewhere": worth(3.0),
    "poor": worth(6.0),
}


def test_whoever_builds_on_the_first_win_has_it_and_who_is_as_good_is_past_it() -> None:
    found = spread_of(
        WINS,
        [
            [(1.0, "first"), (9.0, "elsewhere")],
            [(2.0, "poor"), (3.0, "on it")],
            [(4.0, "folds it")],
            [(6.0, "elsewhere")],
            [(5.0, "poor")],
            [],
        ],
    )
    assert found is not None and found.title == "5.0"
    assert (found.nodes_with, found.nodes_past) == (3, 4)
    assert found.minutes_past == 5.0, "four of six were by the sixth minute"


def test_where_too_few_are_ever_as_good_there_is_no_time() -> None:
    found = spread_of(WINS, [[(1.0, "first")], [(2.0, "poor")], []])
    assert found is not None and found.minutes_past is None
    assert spread_of(WINS, [[], []]) is None

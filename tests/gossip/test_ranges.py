"""Range reconciliation finds exactly what one side lacks, as subtracting two sets does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.ranges import (
    KEY_BYTES,
    LISTED_AT_MOST,
    WHOLE,
    Index,
    Range,
    compare,
    key_of,
    rest,
)

ids = st.sets(st.text(alphabet="abcdefgh234567", min_size=1, max_size=3), max_size=400)


def found_missing(mine: Index, theirs: Index, pieces: int, page: int) -> set[str]:
    """What a puller finds that it lacks, asking as sync does."""
    cut, listed = [WHOLE], list[Range]()
    while cut:
        differences = compare(mine, [part for span in cut for part in theirs.cut(span, pieces)])
        cut, listed = differences.cut, listed + differences.listed
    listed.sort(key=lambda span: span.low)
    keys = list[bytes]()
    while listed:
        got = theirs.listed(listed, page)
        listed = rest(listed, got, page)
        keys += got
    assert keys == sorted(keys)
    return {theirs.ids[key] for key in keys if key not in mine.ids}


@given(ids, ids, ids, st.integers(2, 9), st.integers(1, 70))
def test_what_differs_is_found_and_nothing_else(
    common: set[str], ours: set[str], others: set[str], pieces: int, page: int
) -> None:
    mine, theirs = common | ours, common | others
    here, there = Index().with_ids(mine), Index().with_ids(theirs)
    assert found_missing(here, there, pieces, page) == theirs - mine
    assert found_missing(there, here, pieces, page) == mine - theirs


@given(ids, ids)
def test_an_index_grows_as_if_it_had_been_made_at_once(first: set[str], second: set[str]) -> None:
    grown = Index().with_ids(first).with_ids(second)
    assert grown == Index().with_ids(sorted(first | second))
    assert list(grown.keys) == sorted(map(key_of, first | second))


@given(ids, ids, st.integers(1, 64))
def test_parts_cover_a_range_and_count_what_is_in_it(
    held: set[str], other: set[str], pieces: int
) -> None:
    index = Index().with_ids(held)
    parts = index.cut(WHOLE, pieces)
    assert len(parts) == max(1, min(pieces, len(held)))
    assert parts[0].range.low == WHOLE.low and parts[-1].range.high == WHOLE.high
    assert sum(part.count for part in parts) == len(held)
    for part in parts:
        inside = {r for r in held if part.range.low <= key_of(r) < part.range.high}
        assert part == Index().with_ids(inside).part(part.range)
    assert (index.part(WHOLE) == Index().with_ids(other).part(WHOLE)) == (held == other)


@pytest.mark.parametrize("count", [0, 1, LISTED_AT_MOST, 1000])
def test_who_holds_nothing_lists_at_once(count: int) -> None:
    theirs = Index().with_ids(str(number) for number in range(count))
    found = compare(Index(), theirs.cut(WHOLE, 1))
    assert found.cut == []
    assert found.listed == ([WHOLE] if count else [])


def test_bounds_are_short() -> None:
    """They are most of what is said; two bytes tell 500 keys apart."""
    index = Index().with_ids(map(str, range(500)))
    assert max(len(part.range.high) for part in index.cut(WHOLE, 64)[:-1]) <= 3 < KEY_BYTES

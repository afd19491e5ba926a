"""Digests find exactly what one side lacks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossip.digest import BUCKETS, DIGEST_BYTES, differing, index_of, missing, page

ids = st.sets(st.text(alphabet="abcdefgh234567", min_size=1, max_size=12), max_size=60)


@given(ids, ids)
def test_what_differs_is_found_and_nothing_else(mine: set[str], theirs: set[str]) -> None:
    here, there = index_of(mine), index_of(theirs)
    buckets = differing(here.digest, there.digest)
    offered = page(there, buckets, "", 1000)
    assert set(missing(here, buckets, offered)) == theirs - mine


@given(ids, st.integers(1, 7))
def test_pages_cover_everything_in_order(held: set[str], limit: int) -> None:
    index, got, after = index_of(held), list[str](), ""
    while part := page(index, range(BUCKETS), after, limit):
        assert len(part) <= limit
        got += part
        after = part[-1]
    assert got == sorted(held)


@given(st.lists(st.sampled_from(["x", "y", "z"])))
def test_order_and_repetition_do_not_matter(listed: list[str]) -> None:
    assert index_of(listed) == index_of(set(listed))
    assert len(index_of(listed).digest) == DIGEST_BYTES

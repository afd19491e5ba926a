"""Clocks compared by a question and its answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossip.skew import Offset, offset, own_skew_ms

MS = st.integers(0, 10**6)


@given(st.integers(-(10**9), 10**9), MS, MS, MS)
def test_the_true_offset_lies_within_the_error(
    ahead: int, there: int, took: int, back: int
) -> None:
    """However the way is shared between there and back."""
    sent = 10**12
    received = sent + there + ahead
    found = offset(sent, received, received + took, sent + there + took + back)
    assert abs(found.ahead_ms - ahead) <= found.error_ms + 1


def test_one_liar_among_three_moves_nothing() -> None:
    """The middle one counts, so more than half must lie."""
    honest = [Offset(1, 5), Offset(-3, 5)]
    assert own_skew_ms([*honest, Offset(10**9, 0)]) == 0
    assert own_skew_ms([Offset(5000, 20), Offset(5100, 20), Offset(-(10**9), 0)]) == -5000


def test_without_peers_nothing_is_known() -> None:
    assert own_skew_ms([]) is None

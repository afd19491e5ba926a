"""
How far apart two clocks are, by one question and its answer.

Law: pure. An answer is one peer's word, so nothing but a median over peers is ever
told as a fact about the clock here.

Source: RFC 5905 (NTP version 4), section 8: the on-wire protocol.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Offset:
    """
    A peer's clock against ours.

    Attributes:
        ahead_ms: How far the peer's clock is ahead of ours; below 0: behind.
        error_ms: The most that the way there and back can have added to that.
    """

    ahead_ms: int
    error_ms: int


def offset(sent_ms: int, received_ms: int, answered_ms: int, returned_ms: int) -> Offset:
    """
    A peer's clock against ours, from the four times of one exchange.

    Args:
        sent_ms, returned_ms: When the question left and its answer came, by our clock.
        received_ms, answered_ms: When it came and was answered, by the peer's clock.
    """
    ahead = (received_ms - sent_ms) + (answered_ms - returned_ms)
    on_the_way = (returned_ms - sent_ms) - (answered_ms - received_ms)
    return Offset(ahead // 2, max(0, on_the_way) // 2)


def own_skew_ms(offsets: Sequence[Offset]) -> int | None:
    """
    How far the clock here is ahead of the middle one of peers' clocks; below 0: behind.

    What lies within the error of a peer's offset counts as none. None without peers.
    """
    if not offsets:
        return None
    beyond = [0 if abs(each.ahead_ms) <= each.error_ms else each.ahead_ms for each in offsets]
    return -int(statistics.median_low(beyond))

"""
How much one peer, address or author may ask of this node: token buckets by key.

Law: bounded in keys, and the clock is trio's. A bucket forgotten starts full again.

Source: token bucket as in RFC 2697, with one rate.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

KEYS = 4096

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Allowance:
    """So much at once, and so much a second in the long run."""

    burst: float
    per_second: float


class Meters(Generic[K]):
    """One bucket for each key; of more than `KEYS`, the one used longest ago is forgotten."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self._left: dict[K, tuple[float, float]] = {}

    def __len__(self) -> int:
        return len(self._left)

    def take(self, key: K, cost: float = 1.0) -> bool:
        """Take from a bucket what it holds; False, and nothing is taken, if that is less."""
        left = self.left(key)
        enough = left >= cost
        self._put(key, left - cost if enough else left)
        return enough

    def charge(self, key: K, cost: float) -> None:
        """Take from a bucket in any case; what it lacks is owed."""
        self._put(key, self.left(key) - cost)

    def owed_s(self, key: K) -> float:
        """Seconds until a bucket owes nothing."""
        return max(0.0, -self.left(key)) / self._allowance.per_second

    def left(self, key: K) -> float:
        """What a bucket holds now; less than nothing where it owes."""
        now = trio.current_time()
        left, at = self._left.get(key, (self._allowance.burst, now))
        return min(self._allowance.burst, left + (now - at) * self._allowance.per_second)

    def _put(self, key: K, left: float) -> None:
        self._left.pop(key, None)
        self._left[key] = (left, trio.current_time())
        if len(self._left) > KEYS:
            del self._left[next(iter(self._left))]

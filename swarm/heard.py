"""
The signals heard lately: at most one of each kind and author.

Law: state is explicit, time is an argument and every table is bounded. A signal ends
by the clock of who heard it; what its author's clock says only puts the author's own
signals in order. Keys are free, so this bounds memory and what gossip passes on; it is
no defence against many authors, and none is needed: claims only shift odds, and a lead
counts only for those who trust its author.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from swarm.records import PeerId
from swarm.signals import Claim, Lead, Presence, Signal

LIFETIME_MS = 5 * 60 * 1000
"""How long a signal holds after it was heard."""

MAX_AHEAD_MS = 2 * 60 * 1000
"""How far ahead of the clock here a signal may be dated."""

LEAST_GAP_MS = 400
"""How soon after one signal the next of the same kind and author is heard."""

MAX_AUTHORS = 1024


@dataclass(frozen=True, slots=True)
class _Heard:
    signal: Signal
    at_ms: int


class Heard:
    """What peers say of this moment."""

    def __init__(self, max_authors: int = MAX_AUTHORS) -> None:
        self._max = 3 * max_authors
        self._heard: dict[tuple[PeerId, type[Signal]], _Heard] = {}

    def __len__(self) -> int:
        return len(self._heard)

    def is_news(self, signal: Signal, now_ms: int) -> bool:
        """
        Whether a valid signal says anything new, and not too soon after the last one.

        One that is older than signals live, or ahead of the clock here, says nothing:
        it may be an old one that somebody sent again.
        """
        if not now_ms - LIFETIME_MS <= signal.created_at_ms <= now_ms + MAX_AHEAD_MS:
            return False
        last = self._heard.get((signal.author, type(signal)))
        if last is None or now_ms < last.at_ms:
            return True
        newer = signal.created_at_ms > last.signal.created_at_ms
        return newer and now_ms - last.at_ms >= LEAST_GAP_MS

    def hear(self, signal: Signal, now_ms: int) -> bool:
        """Keep a valid signal, if it is news; the author heard longest ago may give way."""
        if not self.is_news(signal, now_ms):
            return False
        key = (signal.author, type(signal))
        self._heard.pop(key, None)
        self._heard[key] = _Heard(signal, now_ms)
        if len(self._heard) > self._max:
            del self._heard[next(iter(self._heard))]
        return True

    def claims(self, now_ms: int) -> list[Claim]:
        """The claims that hold now."""
        return [signal for signal in self._fresh(now_ms) if isinstance(signal, Claim)]

    def presences(self, now_ms: int) -> list[Presence]:
        """Who is there now."""
        return [signal for signal in self._fresh(now_ms) if isinstance(signal, Presence)]

    def leads(self, now_ms: int) -> list[Lead]:
        """The leads that hold now."""
        return [signal for signal in self._fresh(now_ms) if isinstance(signal, Lead)]

    def _fresh(self, now_ms: int) -> Iterator[Signal]:
        for key, heard in list(self._heard.items()):
            if abs(now_ms - heard.at_ms) < LIFETIME_MS:
                yield heard.signal
            else:
                del self._heard[key]

"""
The board as readers see it: taken once a second at most, and what is made of it kept.

However many read, each view of one board is computed once, in a thread. What that
cost sets the pace: where it is slow, the next board is taken later, so that looking
never takes more than a twentieth of a core from research; up to ten seconds later.

Law: all that is answered under one version is made from one board.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import TypeVar, cast

import trio

from swarm.board import Board
from watch.feed import Feed
from watch.json_text import to_json
from watch.source import Source

T = TypeVar("T")

SECONDS = 1.0
MOST_SECONDS = 10.0
COST_FACTOR = 20.0
KEPT_VIEWS = 12


@dataclass(frozen=True, slots=True)
class Look:
    """The board at one moment; `version` rises with every change of it."""

    version: int
    board: Board
    _made: OrderedDict[Hashable, object] = field(
        default_factory=OrderedDict[Hashable, object], compare=False, repr=False
    )

    def view(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` gives, made once; used by one thread at a time."""
        if key not in self._made:
            self._made[key] = make()
            if len(self._made) > KEPT_VIEWS:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return cast("T", self._made[key])

    def has(self, key: Hashable) -> bool:
        """Whether a view is made already."""
        return key in self._made

    def document(self) -> dict[str, int]:
        """What the status and the stream say of it."""
        return {
            "version": self.version,
            "records": self.board.records,
            "wins": len(self.board.wins),
            "replications": len(self.board.replications),
            "experiments": self.board.experiments,
        }


class Pulse:
    """
    Looks at a node again and again.

    Args:
        source: The node.
        feed: Woken when there is something new to see.
        seconds: How often to look.
    """

    def __init__(self, source: Source, feed: Feed, seconds: float = SECONDS) -> None:
        self._source = source
        self._feed = feed
        self._seconds = seconds
        self._computing = trio.Lock()
        self._threads = trio.CapacityLimiter(1)
        self._not_before = 0.0
        self.look = Look(1, source.board())
        self.progress = self._progress()
        self.beat = 1

    async def run(self) -> None:
        """Look again and again, for ever."""
        while True:
            await trio.sleep(self._seconds)
            board, progress = self._source.board(), self._progress()
            changed = board is not self.look.board and trio.current_time() >= self._not_before
            if changed:
                self.look = Look(self.look.version + 1, board)
            if changed or progress != self.progress:
                self.progress = progress
                self.beat += 1
                self._feed.wake()

    async def view(self, key: Hashable, make: Callable[[Look], T]) -> tuple[Look, T]:
        """What `make` gives for the board as it is shown now, computed in a thread, once."""
        async with self._computing:
            look = self.look
            if not look.has(key):
                await self._in_thread(lambda: look.view(key, lambda: make(look)))
            return look, look.view(key, lambda: make(look))

    async def compute(self, make: Callable[[Look], T]) -> T:
        """The same, but made anew each time."""
        async with self._computing:
            look = self.look
            return await self._in_thread(lambda: make(look))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        started = trio.current_time()
        done = await trio.to_thread.run_sync(work, limiter=self._threads)
        ended = trio.current_time()
        wait = max(0.0, self._not_before - ended) + COST_FACTOR * (ended - started)
        self._not_before = ended + min(wait, MOST_SECONDS)
        return done

    def _progress(self) -> bytes:
        peers = len(self._source.connected())
        return to_json({"peers": peers, "now": self._feed.running})

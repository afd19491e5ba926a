"""How long the event loop does nothing else, for tests of what strangers may cost it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import trio

MAY_STALL_S = 0.25


class Beats:
    """The longest time of the processor between two beats, in seconds."""

    longest_s = 0.0

    async def run(self) -> None:
        """Beat until cancelled."""
        while True:
            at_s = time.thread_time()
            await trio.sleep(0.01)
            self.longest_s = max(self.longest_s, time.thread_time() - at_s)


@asynccontextmanager
async def no_stall(most_s: float = MAY_STALL_S, after_s: float = 0.5) -> AsyncGenerator[None]:
    """Whatever happens in the block, and shortly after it, lets others have their turns."""
    beats = Beats()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(beats.run)
        yield
        await trio.sleep(after_s)
        nursery.cancel_scope.cancel()
    assert beats.longest_s < most_s

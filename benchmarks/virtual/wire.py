"""
What carries envelopes between the nodes of a simulated swarm.

A message reaches everyone else after a delay of its own; none is lost, since in a
real swarm sync finds what gossip lost. One minute of simulated life is one second of
trio's clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

START_MS = 1_790_000_000_000

Hear = Callable[[bytes, str], Awaitable[object]]
"""Takes an envelope and the peer that sent it."""


def now_ms() -> int:
    """The simulated wall clock, Unix epoch milliseconds."""
    return START_MS + round(trio.current_time() * 60_000)


class Wire:
    """
    Everyone's way to everyone.

    Args:
        nursery: Where messages are under way.
        uniform: A number in [0, 1), new at each call.
        minutes: How long a message takes at least and at most.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        uniform: Callable[[], float],
        minutes: tuple[float, float] = (0.05, 0.55),
    ) -> None:
        self._nursery = nursery
        self._uniform = uniform
        self._least, self._most = minutes
        self._ends: dict[str, Hear] = {}

    def join(self, peer: str, hear: Hear) -> None:
        """From now on, what others send reaches `hear`."""
        self._ends[peer] = hear

    def send(self, sender: str, *envelopes: bytes) -> None:
        """Send envelopes to everyone else."""
        delay = self._least + (self._most - self._least) * self._uniform()
        self._nursery.start_soon(self._deliver, sender, envelopes, delay)

    def __len__(self) -> int:
        return len(self._ends)

    async def _deliver(self, sender: str, envelopes: tuple[bytes, ...], delay: float) -> None:
        await trio.sleep(delay)
        for peer, hear in self._ends.items():
            if peer != sender:
                for envelope in envelopes:
                    await hear(envelope, sender)

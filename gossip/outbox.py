"""
Messages on their way out, few enough at a time.

A libp2p send queue holds 32 messages per peer and silently drops the rest, and
a swarm of 16 loses messages beyond some 20 a second. So a node's own messages
wait here and leave at a pace.

Law: putting a message in never waits; when the outbox is full the oldest
message gives way and is counted. Sync carries what was dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio


class Outbox:
    """
    A bounded, paced queue of messages.

    Args:
        limit: Messages kept at most.
        per_second: Messages sent per second in the long run.
        burst: Messages that may leave at once after a quiet time; below 32.
    """

    def __init__(self, *, limit: int = 1024, per_second: float = 20.0, burst: int = 8) -> None:
        self._waiting: deque[bytes] = deque()
        self._limit = limit
        self._per_second = per_second
        self._burst = burst
        self._wake = trio.Event()
        self.dropped = 0
        """Messages that gave way to newer ones, ever."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes) -> None:
        """Add a message; the oldest gives way when the outbox is full."""
        if len(self._waiting) >= self._limit:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(data)
        self._wake.set()

    async def drain(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """
        Send messages in order, at the pace, until cancelled.

        A message leaves the outbox once ``send`` returned, so one that was cut
        off by a failing network is sent again by the next drain.
        """
        tokens, filled_at = float(self._burst), trio.current_time()
        while True:
            now = trio.current_time()
            tokens = min(float(self._burst), tokens + (now - filled_at) * self._per_second)
            filled_at = now
            if not self._waiting:
                await self._something()
            elif tokens < 1.0:
                await trio.sleep((1.0 - tokens) / self._per_second + 1e-6)
            else:
                tokens -= 1.0
                await self._send_first(send)

    async def _something(self) -> None:
        self._wake = trio.Event()
        await self._wake.wait()

    async def _send_first(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        data = self._waiting[0]
        await send(data)
        if self._waiting and self._waiting[0] is data:
            self._waiting.popleft()

"""
Reading gossip no faster than its peer's share of this node.

A stock host makes a task of every message at once, however many there are: a peer that
sends ten thousand has everyone else's wait for all of them.

Law: of one peer, one message is looked at at a time, and nothing more is read from it
until that is done and it owes nothing. Nobody waits for another peer's messages.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

import trio
from libp2p.peer.id import ID

from gossip.limits import Limits
from gossip.meters import Meters

WASTE = 3
"""How many messages more one counts for that is above the shares in `gossip.relay`."""

MAX_WAITING = 1024
"""Messages of one peer that may wait to be looked at; more are dropped."""


class Pace:
    """Whose turn it is: one message of a peer at a time, and no more than its share."""

    def __init__(self, limits: Limits) -> None:
        self._messages: Meters[ID] = Meters(limits.messages)
        self._data: Meters[ID] = Meters(limits.data)
        self._turns: WeakValueDictionary[ID, trio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, peer: ID) -> AsyncGenerator[bool]:
        """Wait for one message's turn; False at once where too many wait already."""
        lock = self._turns.setdefault(peer, trio.Lock())
        if lock.statistics().tasks_waiting >= MAX_WAITING:
            yield False
            return
        self._messages.charge(peer, 1)
        async with lock:
            yield True

    def wasted(self, peer: ID) -> None:
        """A message was good and of no use: it counts for more."""
        self._messages.charge(peer, WASTE)

    async def settle(self, peer: ID) -> None:
        """Wait until all that a peer sent is dealt with, and it owes nothing."""
        async with self._turns.setdefault(peer, trio.Lock()):
            pass
        owed_s = max(self._messages.owed_s(peer), self._data.owed_s(peer))
        if owed_s:
            await trio.sleep(owed_s)

    def received(self, peer: ID, size: int) -> None:
        """Count bytes."""
        self._data.charge(peer, size)


class PacedStream:
    """A stream that is read as fast as its peer is dealt with; all else is the stream's."""

    def __init__(self, stream: Any, pace: Pace, peer: ID) -> None:
        self._stream = stream
        self._pace = pace
        self._peer = peer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` bytes, in time."""
        await self._pace.settle(self._peer)
        data = await self._stream.read(n)
        self._pace.received(self._peer, len(data))
        return data

"""
Reading gossip no faster than its peer's share of this node.

A stock host makes a task of every message at once, however many there are: a peer that
sends ten thousand has everyone else's wait for all of them.

Law: nothing more is read from a peer until what it sent is dealt with and it owes
nothing. Nobody waits for another peer's messages.
"""

from __future__ import annotations

import trio
from libp2p.peer.id import ID

from gossip.limits import Limits
from gossip.meters import Meters

WASTE = 3
"""How many messages more one counts for that is above the shares in `gossip.relay`."""

WASTE_AGAIN = 31
"""The same, of a peer that sends more of these than an honest one happens to."""


class Pace:
    """What each peer has sent, against its share."""

    def __init__(self, limits: Limits) -> None:
        self._messages: Meters[ID] = Meters(limits.messages)
        self._data: Meters[ID] = Meters(limits.data)
        self._waste: Meters[ID] = Meters(limits.waste)

    def received(self, peer: ID, size: int, messages: int) -> None:
        """Count an RPC: its bytes and its messages; one without any counts as one."""
        self._data.charge(peer, size)
        self._messages.charge(peer, max(1, messages))

    def wasted(self, peer: ID) -> None:
        """A message was good and of no use: it counts for more."""
        self._messages.charge(peer, WASTE if self._waste.take(peer) else WASTE_AGAIN)

    async def settle(self, peer: ID) -> None:
        """Wait until a peer owes nothing."""
        owed_s = max(self._messages.owed_s(peer), self._data.owed_s(peer))
        if owed_s:
            await trio.sleep(owed_s)

"""
Finding peers in directories that connected peers keep: the DHT and rendezvous points.

A node leaves a note with each connected peer that keeps a directory (its id and its
addresses, under the topic's key) and asks who else has left one there. It asks when the
peer comes, soon again, and then seldom, each time leaving its own note first: of two
that come at once the later one hears of the other.

Law: only peers that are connected already are asked; whom an answer names is not asked
and not dialled from here. Few peers and few addresses of an answer are taken, and they
are hints (`gossip.discovery`), as strangers' words are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import trio

from gossip.discovery import Heard
from gossip.transport import CallError, PeerId

_log = logging.getLogger(__name__)

DHT = "dht"
RENDEZVOUS = "rendezvous"

TOLD = 16
ADDRS_TOLD = 6
ASK_AFTER_S = (1.0, 8.0, 60.0)
ASK_SELDOM_S = 600.0
LOOK_S = 1.0
LOOK_UP_S = 20.0
AT_ONCE = 4

Told = Mapping[PeerId, tuple[str, ...]]
"""Peers that a directory names, with full multiaddrs of each."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    The directories that a node takes part in.

    Attributes:
        key: Of the topic: under which its nodes leave their notes.
        dht: Whether to ask the DHT, and to keep a part of it for others.
        rendezvous: Whether to register with rendezvous points, and to ask them.
        point: Whether to be such a point for others, too.
    """

    key: bytes
    dht: bool = False
    rendezvous: bool = False
    point: bool = False


class Directory(Protocol):
    """One kind of directory, as a node keeps and asks it."""

    def keepers(self) -> tuple[PeerId, ...]:
        """The connected peers that keep one of this kind."""
        ...

    async def look_up(self, peer: PeerId) -> Told:
        """
        Leave a note with a keeper and ask who else has.

        Raises:
            CallError: It gave no good answer.
        """
        ...


class Directories(Protocol):
    """A transport, as far as it knows of directories."""

    def keepers(self, directory: str) -> tuple[PeerId, ...]:
        """The connected peers that keep a directory of this name."""
        ...

    async def look_up(self, directory: str, peer: PeerId, timeout_s: float = LOOK_UP_S) -> Told:
        """
        Leave a note with a keeper and ask who else has.

        Raises:
            CallError: No good answer within the deadline.
        """
        ...

    def ip_of(self, peer: PeerId) -> str:
        """The address that a connected peer comes from; "" if through a relay."""
        ...


class LookUps:
    """The way of one kind of directory, by its name."""

    def __init__(self, name: str, directories: Directories) -> None:
        self.name = name
        self._directories = directories
        self._turns: dict[PeerId, tuple[int, float]] = {}
        """How often each keeper was asked, and when it is asked next."""

    async def run(self, heard: Heard) -> None:
        """Ask every keeper that is there or comes, until cancelled."""
        limit = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            while True:
                for peer in self._due():
                    nursery.start_soon(self._ask, peer, heard, limit)
                await trio.sleep(LOOK_S)

    def _due(self) -> list[PeerId]:
        """Whose turn it is; each has its next one at once, whatever comes of this one."""
        now_s = trio.current_time()
        keepers = self._directories.keepers(self.name)
        first = (0, now_s + ASK_AFTER_S[0])
        self._turns = {peer: self._turns.get(peer, first) for peer in keepers}
        due = [peer for peer, (_, at_s) in self._turns.items() if now_s >= at_s]
        for peer in due:
            asked = self._turns[peer][0] + 1
            wait_s = ASK_AFTER_S[asked] if asked < len(ASK_AFTER_S) else ASK_SELDOM_S
            self._turns[peer] = (asked, now_s + wait_s)
        return due

    async def _ask(self, peer: PeerId, heard: Heard, limit: trio.CapacityLimiter) -> None:
        async with limit:
            try:
                told = await self._directories.look_up(self.name, peer)
            except CallError as error:
                _log.debug("%s did not tell whom its %s knows: %s", peer, self.name, error)
                return
        for each, addrs in list(told.items())[:TOLD]:
            heard(each, addrs[:ADDRS_TOLD], self._directories.ip_of(peer) or peer)

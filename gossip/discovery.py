"""
Finding peers: every way of doing so, behind one interface, and what they may write.

A way looks for peers for as long as the network is open and reports what it hears:
who, and at which addresses. It dials nobody. What was heard goes into the peer book as
a hint, and `gossip.redial` decides when to dial, with its growing waits.

Law: what a way hears is a stranger's word. It is bounded in rate, in addresses, and, by
way and by teller, in peers that were heard of and not met; it never pushes out a peer that
was met or that a person named, nor the addresses of either, and no resolver is asked for
it. Dialling proves who is there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import trio

from gossip.backoff import Backoff
from gossip.elsewhere import without_names
from gossip.multiaddress import AddressError, parse
from gossip.peer_book import MAX_ADDRS, PERSONS_WAYS, PeerBook
from gossip.transport import PeerId

_log = logging.getLogger(__name__)

MAX_UNMET_PER_WAY = 48
MAX_UNMET_PER_TELLER = 16
HEARD_PER_SECOND = 20
AT_ONCE = 60
CAME = "came to us"
"""How a peer is called that no way had found: it dialled this node."""


class Heard(Protocol):
    """Takes in what is heard; it never raises."""

    def __call__(self, peer: PeerId, addrs: Sequence[str], teller: str = "", /) -> None:
        """
        Take in a peer and full multiaddrs of it, all of them a stranger's word.

        Args:
            teller: Where the word comes from, as far as that counts; "" if from nobody.
        """
        ...


class WayError(Exception):
    """A way of finding peers cannot be gone now; the message says why."""


class Way(Protocol):
    """A way of finding peers."""

    @property
    def name(self) -> str:
        """One or two words for the screen."""
        ...

    async def run(self, heard: Heard) -> None:
        """
        Look for peers until cancelled, or until there is nothing more to look for.

        Raises:
            WayError: It cannot go on; it is tried again later.
        """
        ...


class Named:
    """Peers that a person named: in an invite, with ``--join``, in the settings."""

    def __init__(self, name: str, addrs: Sequence[str]) -> None:
        self.name = name
        self._addrs = addrs

    async def run(self, heard: Heard) -> None:
        """Say them once."""
        for peer, addrs in by_peer(self._addrs).items():
            heard(peer, addrs)
        await trio.lowlevel.checkpoint()


class Discovery:
    """
    All ways of one node, and the peer book they write hints into.

    Args:
        own: This node's id; what is heard of it is passed over.
        book: Where hints go.
        ways: Each runs by itself; one that fails is tried again later.
        on_trouble: Told in one sentence when a way fails for the first time.
        uniform: Draws a float in [0, 1), for the jitter of tries.
    """

    def __init__(
        self,
        own: PeerId,
        book: PeerBook,
        ways: Sequence[Way],
        *,
        on_trouble: Callable[[str], None],
        uniform: Callable[[], float],
    ) -> None:
        self._own = own
        self._book = book
        self._ways = ways
        self._on_trouble = on_trouble
        self._uniform = uniform
        self._allowance = {way.name: Allowance(HEARD_PER_SECOND, AT_ONCE) for way in ways}

    async def run(self) -> None:
        """Go all ways until cancelled."""
        async with trio.open_nursery() as nursery:
            for way in self._ways:
                nursery.start_soon(self._go, way)

    def found_by(self, connected: Sequence[PeerId]) -> Mapping[PeerId, str]:
        """By which way each of these peers was first found."""
        return {peer: self._way_of(peer) for peer in connected}

    def heard(self, way: str, peer: PeerId, addrs: Sequence[str], teller: str = "") -> None:
        """Take in what a way heard, within its allowance."""
        if peer == self._own or not self._allowance[way].take():
            return
        usable = addrs if way in PERSONS_WAYS else without_names(addrs)
        if peer not in self._book.entries:
            self._make_room(way, teller)
        self._book.hint(peer, tuple(usable[:MAX_ADDRS]), way, teller)

    def _make_room(self, way: str, teller: str) -> None:
        """Drop the oldest that the teller told of, if they are many, or that the crowd did."""
        unmet = [self._book.entries[peer] for peer in self._book.unmet(way)]
        if teller:
            told = [entry.peer for entry in unmet if teller in entry.tellers]
            for peer in told[: -MAX_UNMET_PER_TELLER + 1]:
                self._book.unsay(peer, teller)
            unmet = [self._book.entries[peer] for peer in self._book.unmet(way)]
        if len(unmet) >= MAX_UNMET_PER_WAY:
            held = Counter([teller, *(each for entry in unmet for each in entry.tellers)])
            crowding = max(unmet, key=lambda entry: min(held[each] for each in entry.tellers))
            self._book.forget(crowding.peer)

    def _way_of(self, peer: PeerId) -> str:
        entry = self._book.entries.get(peer)
        return (entry.way if entry else "") or CAME

    async def _go(self, way: Way) -> None:
        backoff = Backoff(5.0, 600.0, self._uniform)
        while True:
            try:
                await way.run(partial(self.heard, way.name))
                return
            except WayError as error:
                _log.info("finding peers by %s failed: %s", way.name, error)
                if not backoff.failures:
                    self._on_trouble(f"finding peers by {way.name}: {error}")
                await trio.sleep(backoff.failed())


class Allowance:
    """A token bucket: so many a second, and so many at once."""

    def __init__(self, per_second: float, at_once: int) -> None:
        self._per_second = per_second
        self._at_once = at_once
        self._left = float(at_once)
        self._at_s = trio.current_time()

    def take(self) -> bool:
        """Whether one more is within the allowance; if so it is used."""
        now_s = trio.current_time()
        self._left = min(self._at_once, self._left + (now_s - self._at_s) * self._per_second)
        self._at_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


def by_peer(addrs: Sequence[str]) -> dict[PeerId, tuple[str, ...]]:
    """Full multiaddrs by the peer they name; those that name none are left out."""
    found: dict[PeerId, tuple[str, ...]] = {}
    for text in addrs:
        try:
            peer = parse(text).peer
        except AddressError:
            continue
        if peer is not None:
            found[peer] = (*found.get(peer, ()), text)
    return found

"""
Staying connected: to the peers we were told to join, and to some we know.

py-libp2p does not redial a peer that went away. Here every peer has its own
growing wait, so one that never answers costs one try in five minutes, and one
that comes back is found soon. Its addresses take turns; where one of them leads
through a relay, each try ends with that. Who was only heard of and never answers
is forgotten. Who was met or named by a person comes first, and then, teller after teller,
who failed least.

On a private topic who answers and proves nothing counts as one that does not answer: it
may be an outsider that a stranger named. Whoever is connected is not tried.

A peer that was connected of late is tried every few seconds, however many others are
there: a swarm that was split in two heals only if somebody looks across.

Law: an unreachable peer is a sentence for the screen once, then silence and
more tries; it is never an error of the node.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import trio

from gossip.backoff import Backoff
from gossip.peer_book import Acquaintance, PeerBook
from gossip.transport import DialError, PeerId, Transport

ENOUGH_PEERS = 8
ROUND_S = 2.0
SAVE_EVERY_ROUNDS = 15
FIRST_WAIT_S = 1.0
MOST_WAIT_S = 300.0
DIALS_AT_ONCE = 8
MISSED_FOR_S = 1800.0
"""How long a peer that was connected is missed."""

MISSED_AT_MOST = 8
MISSED_WAIT_S = 5.0
DIRECT_S = 3.0
"""How long a direct address may take where a relay waits behind it."""

HASTENED_AT_MOST = 4
"""So often a peer that does not answer is tried at once when new addresses are heard."""

FORGET_AFTER = 6
"""So many failed tries strike a peer out that somebody told us of and nobody met."""

_CIRCUIT = "/p2p-circuit/"


@dataclass(slots=True)
class _Target:
    """One peer to dial: its addresses, tried in turn, and when it may be tried next."""

    addrs: tuple[str, ...]
    backoff: Backoff
    next_at: float = 0.0
    hastened: int = 0
    """How often it was tried sooner because new addresses were heard of."""


async def keep_connected(
    transport: Transport,
    book: PeerBook,
    joins: Iterable[str],
    *,
    now_ms: Callable[[], int],
    on_trouble: Callable[[str], None],
    linked: Callable[[], Iterable[PeerId]] = tuple,
    uniform: Callable[[], float] = random.random,
) -> None:
    """
    Dial, redial and keep the book, until cancelled.

    Args:
        transport: The network.
        book: Known peers; updated from whoever is connected, and saved.
        joins: Multiaddrs the user asked for: always redialled.
        now_ms: The wall clock, Unix milliseconds.
        on_trouble: Told once for each join that cannot be reached.
        linked: Who is connected below the transport, and may still prove to be a member.
        uniform: Draws a float in [0, 1), for jitter.
    """
    keeper = _Keeper(transport, book, tuple(joins), now_ms, on_trouble, linked, uniform)
    try:
        while True:
            for _ in range(SAVE_EVERY_ROUNDS):
                await keeper.round()
                await trio.sleep(ROUND_S)
            keeper.save()
    finally:
        keeper.note_peers()
        keeper.save()


class _Keeper:
    def __init__(
        self,
        transport: Transport,
        book: PeerBook,
        joins: tuple[str, ...],
        now_ms: Callable[[], int],
        on_trouble: Callable[[str], None],
        linked: Callable[[], Iterable[PeerId]],
        uniform: Callable[[], float],
    ) -> None:
        self._transport = transport
        self._book = book
        self._joins = joins
        self._now_ms = now_ms
        self._on_trouble = on_trouble
        self._linked = linked
        self._uniform = uniform
        self._targets: dict[str, _Target] = {}
        self._told: set[str] = set()
        self._seen_at: dict[PeerId, float] = {}

    async def round(self) -> None:
        """Note who is connected and dial who should be and may be tried now."""
        known = len(self._book.entries)
        self.note_peers()
        if len(self._book.entries) > known:
            self.save()
        limit = trio.CapacityLimiter(DIALS_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for name, target in self._due():
                nursery.start_soon(self._dial, name, target, limit)

    def note_peers(self) -> None:
        """Write the connected peers into the book."""
        now = trio.current_time()
        for peer in self._transport.peers():
            if target := self._targets.get(peer):
                target.backoff.succeeded()
            self._seen_at.pop(peer, None)
            self._seen_at[peer] = now
            self._book.note(peer, self._transport.addrs_of(peer), self._now_ms())

    def save(self) -> None:
        """Write the book to disk; a full disk costs the book, nothing else."""
        known = {*self._joins, *self._book.entries}
        self._targets = {name: t for name, t in self._targets.items() if name in known}
        try:
            self._book.save()
        except OSError as error:
            self._tell(str(self._book.path), f"cannot save the peer book: {error}")

    def _due(self) -> list[tuple[str, _Target]]:
        connected = set(self._transport.peers())
        there = connected | set(self._linked())
        wanted = [(join, (join,)) for join in self._joins if _peer_of(join) not in there]
        joined = {_peer_of(join) for join in self._joins}
        wanted += [
            (peer, self._book.entries[peer].addrs)
            for peer in self._missed()
            if peer in self._book.entries and peer not in joined | there
        ]
        if len(connected) < ENOUGH_PEERS:
            wanted += self._acquaintances(there, ENOUGH_PEERS - len(connected))
        now = trio.current_time()
        due: list[tuple[str, _Target]] = []
        for name, addrs in dict(wanted).items():
            if self._may_try(name, addrs, now):
                due.append((name, self._targets[name]))
        return due

    def _may_try(self, name: str, addrs: tuple[str, ...], now: float) -> bool:
        """Whether the wait of a peer is over, or new addresses of it end it."""
        target = self._targets.setdefault(name, self._new_target(addrs))
        if not set(addrs) <= set(target.addrs) and target.hastened < HASTENED_AT_MOST:
            target.hastened += 1
            target.next_at = now
        target.addrs = addrs
        return now >= target.next_at

    def _missed(self) -> list[PeerId]:
        """Peers that were connected of late and are not now, the latest first."""
        connected, now = set(self._transport.peers()), trio.current_time()
        self._seen_at = {peer: at for peer, at in self._seen_at.items() if now < at + MISSED_FOR_S}
        gone = [peer for peer in reversed(self._seen_at) if peer not in connected]
        return gone[:MISSED_AT_MOST]

    def _acquaintances(self, there: set[PeerId], most: int) -> list[tuple[str, tuple[str, ...]]]:
        joined = {_peer_of(join) for join in self._joins}
        strangers = [
            entry
            for entry in self._book.latest_first()
            if entry.peer not in there | joined | {self._transport.peer_id}
        ]
        now = trio.current_time()
        ready = [entry for entry in strangers if self._may_try(entry.peer, entry.addrs, now)]
        known = [entry for entry in ready if entry.seen_at_ms or entry.stays]
        heard = [entry for entry in ready if not (entry.seen_at_ms or entry.stays)]
        heard.sort(key=lambda entry: self._targets[entry.peer].backoff.failures)
        wanted = [*known, *_by_turns(heard)]
        return [(entry.peer, entry.addrs) for entry in wanted[: 2 * most]]

    def _new_target(self, addrs: tuple[str, ...]) -> _Target:
        return _Target(addrs, Backoff(FIRST_WAIT_S, MOST_WAIT_S, self._uniform))

    async def _dial(self, name: str, target: _Target, limit: trio.CapacityLimiter) -> None:
        async with limit:
            try:
                await self._try(target)
            except DialError as error:
                self._failed(name, target)
                if name in self._joins:
                    self._tell(name, f"{_sentence(error)} Trying again in the background.")
                return
            if name not in self._joins and name not in self._transport.peers():
                self._failed(name, target)
                return
            target.backoff.succeeded()
            target.next_at = trio.current_time() + FIRST_WAIT_S
            self._told.discard(name)

    def _failed(self, name: str, target: _Target) -> None:
        """Wait longer; hearsay that fails again and again is forgotten."""
        wait_s = target.backoff.failed()
        if _peer_of(name) in self._missed():
            wait_s = min(wait_s, MISSED_WAIT_S)
        target.next_at = trio.current_time() + wait_s
        if name not in self._joins and target.backoff.failures >= FORGET_AFTER:
            self._book.forget_hearsay(name)

    async def _try(self, target: _Target) -> None:
        """
        Dial the address whose turn it is and, if that is a direct one, one through a relay.

        Raises:
            DialError: None of them answers.
        """
        straight = [addr for addr in target.addrs if _CIRCUIT not in addr]
        round_about = [addr for addr in target.addrs if _CIRCUIT in addr]
        turn = target.backoff.failures
        if straight:
            try:
                addr = straight[turn % len(straight)]
                await self._transport.dial(addr, DIRECT_S if round_about else 10.0)
                return
            except DialError:
                if not round_about:
                    raise
        await self._transport.dial(round_about[turn % len(round_about)])

    def _tell(self, about: str, sentence: str) -> None:
        if about not in self._told:
            self._told.add(about)
            self._on_trouble(sentence)


def _by_turns(heard: list[Acquaintance]) -> list[Acquaintance]:
    """Whom tellers told of, one of each after the other: who invents many delays his own."""
    told: Counter[tuple[str, str]] = Counter()
    places: dict[PeerId, int] = {}
    for entry in heard:
        tellers = [(entry.way, teller) for teller in entry.tellers]
        places[entry.peer] = min(told[teller] for teller in tellers)
        told.update(tellers)
    return sorted(heard, key=lambda entry: places[entry.peer])


def _sentence(error: DialError) -> str:
    words = str(error)
    return words if words.endswith((".", "?", "!")) else f"{words}."


def _peer_of(multiaddr: str) -> PeerId:
    return multiaddr.rpartition("/")[2]

"""
A transport on which only the members of a private topic are heard.

It stands around another transport. What it publishes, asks and answers is sealed;
what arrives and does not open is dropped. A peer counts as one only when it has
proved that it holds the current key, by a sealed question or a sealed answer: sync,
the peer book and the screen never see an outsider.

Law: an outsider gets ciphertext or a reset stream, whatever it sends. Peers are
greeted when they connect, and again with a growing wait, each by one task.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from gossip import sealed
from gossip.backoff import Backoff
from gossip.desks import GREETING, SYNC
from gossip.mailroom import Mailroom
from gossip.outbox import Outbox
from gossip.sealed import SEAL_BYTES, Seal, SealError
from gossip.transport import (
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    CallError,
    PeerEvent,
    PeerId,
    QuestionError,
    Received,
    Responder,
    Transport,
    Verdict,
)

_log = logging.getLogger(__name__)

GREET_S = 10.0
GREET_AGAIN_S = 60.0


class NotAMemberError(QuestionError):
    """A question that nobody who holds the current key asked."""


def sealed_verdict(seal: Seal, verdict: Verdict) -> Verdict:
    """Whether a sealed gossip message opens, and what is inside passes `verdict`."""

    def judge(data: bytes) -> bool | None:
        try:
            return verdict(seal.open(data, sealed.GOSSIP))
        except SealError:
            return False

    return judge


@asynccontextmanager
async def open_sealed_transport(
    inner: Transport,
    seal: Seal,
    *,
    proved: Callable[[PeerId], None] = lambda peer: None,
    uniform: Callable[[], float] = random.random,
) -> AsyncGenerator[SealedTransport]:
    """
    Seal a transport until the block ends.

    Args:
        inner: Opened on the key's wire topic, with a `sealed_verdict`.
        seal: The topic's current key.
        proved: Told of each peer that turns out to be a member; must not block or raise.
        uniform: Draws a float in [0, 1), for the jitter of greetings.
    """
    transport = SealedTransport(inner, seal, proved, uniform)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.run)
        try:
            yield transport
        finally:
            nursery.cancel_scope.cancel()
            transport.mail.close()


class SealedTransport:
    """A `gossip.transport.Transport` among members; made by `open_sealed_transport`."""

    def __init__(
        self,
        inner: Transport,
        seal: Seal,
        proved: Callable[[PeerId], None],
        uniform: Callable[[], float],
    ) -> None:
        self.mail = Mailroom(Outbox())
        self._inner = inner
        self._seal = seal
        self._tell = proved
        self._uniform = uniform
        self._members: dict[PeerId, None] = {}
        self._greeted: set[PeerId] = set()
        self._responders: dict[bytes, Responder] = {}
        self._coming = inner.events()
        inner.serve(self._answer)

    @property
    def peer_id(self) -> PeerId:
        """This node's own peer id."""
        return self._inner.peer_id

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Full multiaddrs to dial this node at."""
        return self._inner.listen_addrs

    @property
    def outsiders(self) -> int:
        """How many connected peers have not proved that they hold the key."""
        return len(set(self._inner.peers()) - self._members.keys())

    def peers(self) -> tuple[PeerId, ...]:
        """The members connected now."""
        return tuple(peer for peer in self._inner.peers() if peer in self._members)

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        """Where a connected member says it can be dialled."""
        return self._inner.addrs_of(peer) if peer in self._members else ()

    async def publish(self, data: bytes) -> None:
        """
        Seal and queue a message; see `gossip.transport.Transport.publish`.

        One that is too long for gossip once sealed is left to sync.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES}")
        if len(data) + SEAL_BYTES <= MAX_MESSAGE_BYTES:
            await self._inner.publish(self._seal.seal(data, sealed.GOSSIP))

    def received(self) -> trio.MemoryReceiveChannel[Received]:
        """Messages from other members, opened."""
        return self.mail.received

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Which members come and go from now on."""
        return self.mail.events()

    def serve(self, responder: Responder, desk: bytes = SYNC) -> None:
        """Answer members' calls to a desk with ``responder`` from now on."""
        self._responders[desk] = responder

    async def call(
        self, peer: PeerId, request: bytes, timeout_s: float = 10.0, desk: bytes = SYNC
    ) -> bytes:
        """
        Ask a connected peer at one of its desks; see `gossip.transport.Transport.call`.

        Raises:
            CallError: No answer, or none that a member gave to this question.
        """
        if len(request) > MAX_REQUEST_BYTES - SEAL_BYTES - 1:
            raise ValueError(f"a request of {len(request)} bytes; at most {MAX_REQUEST_BYTES}")
        answer = await self._ask(peer, desk + request, timeout_s)
        self._prove(peer)
        return answer

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        """Connect to a peer; see `gossip.transport.Transport.dial`."""
        return await self._inner.dial(multiaddr, timeout_s)

    async def run(self) -> None:
        """Greet who comes and open what arrives, until cancelled or the network ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._open_mail)
            for peer in self._inner.peers():
                nursery.start_soon(self._greet, peer)
            async for event in self._coming:
                if event.connected:
                    nursery.start_soon(self._greet, event.peer)
                elif event.peer in self._members:
                    del self._members[event.peer]
                    self.mail.announce(event.peer, False)

    async def _open_mail(self) -> None:
        async for message in self._inner.received():
            try:
                data = self._seal.open(message.data, sealed.GOSSIP)
            except SealError:
                continue
            self.mail.deliver(data, message.sender)
        self.mail.close()

    async def _greet(self, peer: PeerId) -> None:
        """Ask a peer to prove itself until it does or leaves; one task for each peer."""
        if peer in self._greeted:
            return
        self._greeted.add(peer)
        backoff = Backoff(1.0, GREET_AGAIN_S, self._uniform)
        try:
            while peer in self._inner.peers() and peer not in self._members:
                try:
                    await self._ask(peer, GREETING, GREET_S)
                except CallError as error:
                    _log.debug("%s has not proved to be a member: %s", peer, error)
                    await trio.sleep(backoff.failed())
                else:
                    self._prove(peer)
        finally:
            self._greeted.discard(peer)

    async def _ask(self, peer: PeerId, said: bytes, timeout_s: float) -> bytes:
        sent = self._seal.seal(said, sealed.question(self.peer_id, peer))
        answer = await self._inner.call(peer, sent, timeout_s)
        try:
            return self._seal.open(answer, sealed.answer(self.peer_id, peer, sent))
        except SealError as error:
            raise CallError(f"{peer} does not hold the topic's current key") from error

    async def _answer(self, peer: PeerId, request: bytes) -> bytes:
        """
        The sealed answer to a sealed question.

        Raises:
            NotAMemberError: The question does not open; the caller sees a reset stream.
        """
        try:
            said = self._seal.open(request, sealed.question(peer, self.peer_id))
        except SealError as error:
            raise NotAMemberError(f"{peer} asked without the topic's current key") from error
        self._prove(peer)
        answer = b"" if said == GREETING else await self._respond(peer, said)
        if len(answer) > MAX_RESPONSE_BYTES - SEAL_BYTES:
            raise ValueError(f"an answer of {len(answer)} bytes; at most {MAX_RESPONSE_BYTES}")
        return self._seal.seal(answer, sealed.answer(peer, self.peer_id, request))

    async def _respond(self, peer: PeerId, said: bytes) -> bytes:
        responder = self._responders.get(said[:1])
        if responder is None:
            raise CallError("nobody answers such calls here yet")
        return await responder(peer, said[1:])

    def _prove(self, peer: PeerId) -> None:
        """A peer has shown that it holds the key: from now on it counts."""
        if peer not in self._members and peer in self._inner.peers():
            self._members[peer] = None
            self._tell(peer)
            self.mail.announce(peer, True)

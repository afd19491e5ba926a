"""
A host as a service of the library may use it that was not written for strangers.

py-libp2p's directories dial whatever addresses they are told, remember whoever was named
to them, and read as much as they are sent. Here they see an enclosure instead of the
host: no address book but an empty one, streams to peers that are connected already and
to nobody else, and of each stream only so much, for so long.

Law: what is not listed here a service cannot do. One question per stream, so many streams
of a peer at a time and in the long run; the words of a stream that runs over are lost
with it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import trio
from libp2p.abc import IHost, INetStream
from libp2p.crypto.keys import PrivateKey
from libp2p.custom_types import TProtocol
from libp2p.peer.envelope import Envelope
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from multiaddr import Multiaddr

from gossip.elsewhere import from_here
from gossip.libp2p_addrs import dialable, own_addrs
from gossip.libp2p_relay import end
from gossip.meters import Allowance, Meters
from gossip.transport import PeerId, TransportError

MAX_QUESTION_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 128 * 1024
MAX_READS = 64
ANSWER_S = 10.0
STREAMS_PER_PEER = 2
QUESTIONS = Allowance(32, 1)
"""Streams that a peer may open to one service."""

Handler = Callable[[INetStream], Awaitable[None]]


class EnclosedHost:
    """
    What a service sees of a host.

    Args:
        host: A guarded host.
        protocol: The one protocol the service speaks, whatever name it has for it.
    """

    def __init__(self, host: IHost, protocol: TProtocol) -> None:
        self._host = host
        self._protocol = protocol
        self._book = _NoBook()
        self._asked: Meters[ID] = Meters(QUESTIONS)
        self._held: Counter[ID] = Counter()

    def get_id(self) -> ID:
        """This node."""
        return self._host.get_id()

    def get_private_key(self) -> PrivateKey:
        """Signs this node's own peer record."""
        return self._host.get_private_key()

    def get_addrs(self) -> list[Multiaddr]:
        """Where this node can be dialled."""
        return self._host.get_addrs()

    def get_peerstore(self) -> PeerStore:
        """A book in which nobody stands but this node."""
        return self._book

    def get_connected_peers(self) -> list[ID]:
        """Nobody: who is connected here is not told."""
        return []

    def set_stream_handler(self, protocol_id: TProtocol, stream_handler: Handler) -> None:
        """Answer from now on, within bounds."""

        async def bounded(stream: INetStream) -> None:
            await self._answer(stream, stream_handler)

        self._host.set_stream_handler(self._protocol, bounded)

    async def new_stream(self, peer_id: ID, protocol_ids: Sequence[TProtocol]) -> INetStream:
        """
        A stream to a connected peer.

        Raises:
            TransportError: It is not connected.
        """
        if peer_id not in self._host.get_connected_peers():
            raise TransportError(f"{peer_id} is not connected")
        stream = await self._host.new_stream(peer_id, [self._protocol])
        return cast(INetStream, _Bounded(stream, MAX_ANSWER_BYTES))

    async def _answer(self, stream: INetStream, handler: Handler) -> None:
        peer = stream.muxed_conn.peer_id
        if self._held[peer] >= STREAMS_PER_PEER or not self._asked.take(peer):
            await end(stream)
            return
        self._held[peer] += 1
        try:
            with trio.move_on_after(ANSWER_S) as scope:
                await handler(cast(INetStream, _OneQuestion(stream, MAX_QUESTION_BYTES)))
            if scope.cancelled_caught:
                await end(stream)
        finally:
            self._held[peer] -= 1
            if not self._held[peer]:
                del self._held[peer]


class _NoBook(PeerStore):
    """Forgets at once what anybody says of itself or of others."""

    def consume_peer_record(self, envelope: Envelope, ttl: int) -> bool:
        return True

    def add_addrs(self, peer_id: ID, addrs: Sequence[Multiaddr], ttl: int = 0) -> None:
        return


class _Bounded:
    """A stream of which only so much is read; more is its end."""

    def __init__(self, stream: INetStream, most_bytes: int) -> None:
        self.muxed_conn = stream.muxed_conn
        self.metric_send_channel = None
        self._stream = stream
        self._left = most_bytes

    async def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` bytes; none at the end, and when there were too many."""
        data = await self._stream.read(min(n or self._left, self._left)) if self._left else b""
        self._left -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        await self._stream.write(data)

    async def close(self) -> None:
        """End our side in good order."""
        await self._stream.close()

    async def reset(self) -> None:
        """Abandon both sides."""
        await self._stream.reset()


class _OneQuestion(_Bounded):
    """Ends once it was answered; who asks nothing that has an answer may not go on for ever."""

    def __init__(self, stream: INetStream, most_bytes: int) -> None:
        super().__init__(stream, most_bytes)
        self._reads = MAX_READS
        self._answered = False

    async def read(self, n: int | None = None) -> bytes:
        self._reads -= 1
        return b"" if self._answered or self._reads < 0 else await super().read(n)

    async def write(self, data: bytes) -> None:
        self._answered = True
        await super().write(data)


def keepers(host: IHost, protocol: TProtocol) -> tuple[PeerId, ...]:
    """The connected peers that say they speak a protocol."""
    book = host.get_peerstore()
    connected = host.get_connected_peers()
    return tuple(str(peer) for peer in connected if book.supports_protocols(peer, [protocol]))


def ip_of(host: IHost, peer: ID) -> str:
    """The address that a peer's connection comes from; "" through a relay."""
    for connection in host.get_network().get_connections(peer):
        remote = cast(Any, connection).muxed_conn.get_remote_address()
        if remote:
            return str(remote[0])
    return ""


def told_of(host: IHost, peer: ID, addrs: Sequence[Multiaddr]) -> tuple[str, ...]:
    """Where somebody says a peer is, as far as that can be dialled from here."""
    return from_here(dialable(addrs, str(peer)), own_addrs(host))


def quiet(name: str) -> None:
    """Have a library's logger keep to itself what strangers can make it say."""
    logging.getLogger(name).setLevel(logging.CRITICAL)

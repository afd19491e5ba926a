"""
A host as a service of the library may use it that was not written for strangers.

py-libp2p's directories dial whatever addresses they are told, remember whoever was named
to them, read as much as they are sent, and wait for it while others wait for them. Here
they see an enclosure instead of the host: no address book but an empty one, streams to
peers that are connected already and to nobody else, and of each stream one message, that
was read whole and looked at before.

Law: what is not listed here a service cannot do. One question per stream, soon, so many
streams of a peer and of an IP address at a time; the words of a stream that runs over are
lost with it.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

import trio
from google.protobuf.message import DecodeError
from libp2p.abc import IHost, INetStream
from libp2p.crypto.keys import PrivateKey
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.io.exceptions import IOException
from libp2p.peer.envelope import Envelope
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited
from multiaddr import Multiaddr

from gossip.elsewhere import from_here
from gossip.libp2p_addrs import dialable, own_addrs
from gossip.libp2p_ids import may_be_addrs, may_be_id
from gossip.libp2p_relay import end
from gossip.meters import Allowance, Meters
from gossip.transport import PeerId, TransportError
from swarm.reach import site_of

MAX_QUESTION_BYTES = 16 * 1024
MAX_ANSWER_BYTES = 64 * 1024
"""64 rows of eight addresses, each through a relay."""

MAX_NAMED = 1024
"""Peers that a message may name."""

QUESTION_S = 2.0
ANSWER_S = 5.0
STREAMS_PER_PEER = 2
STREAMS_PER_IP = 8
QUESTIONS = Allowance(32, 1)
"""Streams that a peer may open to one service."""

Handler = Callable[[INetStream], Awaitable[None]]

Named = Iterable[tuple[bytes, Sequence[bytes]]]
"""Ids that a message names, with addresses of each."""

Reader = Callable[[bytes], Named]
"""Whom a message of a protocol names; raises `DecodeError` on what is no message."""


class RefusedError(IOException):
    """A message that a service does not get to see."""


class EnclosedHost:
    """
    What a service sees of a host.

    Args:
        host: A guarded host.
        protocol: The one protocol the service speaks, whatever name it has for it.
        named_in: Reads its messages, questions and answers alike.
    """

    def __init__(self, host: IHost, protocol: TProtocol, named_in: Reader) -> None:
        self._host = host
        self._protocol = protocol
        self._named_in = named_in
        self._book = _NoBook()
        self._asked: Meters[ID] = Meters(QUESTIONS)
        self._peers: Counter[ID] = Counter()
        self._ips: Counter[str] = Counter()

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
        return cast(INetStream, _OneMessage(stream, MAX_ANSWER_BYTES, self._named_in))

    async def _answer(self, stream: INetStream, handler: Handler) -> None:
        """Hand a stream on that has asked; a service has few places, and none for who waits."""
        peer = stream.muxed_conn.peer_id
        asked = _OneMessage(stream, MAX_QUESTION_BYTES, self._named_in)
        with self._held(peer) as has_room, trio.move_on_after(QUESTION_S + ANSWER_S):
            if has_room and await asked.came_within(QUESTION_S):
                await handler(cast(INetStream, asked))
                return
        await end(stream)

    @contextmanager
    def _held(self, peer: ID) -> Generator[bool]:
        """Whether a peer may have one more stream; it counts as long as this is held."""
        ip = ip_of(self._host, peer)
        full = self._peers[peer] >= STREAMS_PER_PEER or self._ips[ip] >= STREAMS_PER_IP
        if full or not self._asked.take(peer):
            yield False
            return
        with _counted(self._peers, peer), _counted(self._ips, ip):
            yield True


@contextmanager
def _counted(counter: Counter[Any], key: object) -> Generator[None]:
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]


class _NoBook(PeerStore):
    """Forgets at once what anybody says of itself or of others."""

    def consume_peer_record(self, envelope: Envelope, ttl: int) -> bool:
        return True

    def add_addrs(self, peer_id: ID, addrs: Sequence[Multiaddr], ttl: int = 0) -> None:
        return


class _OneMessage:
    """
    A stream of which one message is read.

    The first byte of it is handed on when all of it has come and names nobody who cannot be.
    """

    def __init__(self, stream: INetStream, most_bytes: int, named_in: Reader) -> None:
        self.muxed_conn = stream.muxed_conn
        self.metric_send_channel = None
        self._stream = stream
        self._most_bytes = most_bytes
        self._named_in = named_in
        self._message: bytearray | None = None

    async def came_within(self, seconds: float) -> bool:
        """Read the message; whether it came in time and is one."""
        try:
            with trio.move_on_after(seconds):
                self._message = await self._read()
        except BaseLibp2pError:
            return False
        return self._message is not None

    async def read(self, n: int | None = None) -> bytes:
        """
        Up to ``n`` bytes of the message; none behind its end.

        Raises:
            RefusedError: It names what nobody is called.
        """
        if self._message is None:
            self._message = await self._read()
        taken = bytes(self._message[:n])
        del self._message[: len(taken)]
        return taken

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        await self._stream.write(data)

    async def close(self) -> None:
        """End our side in good order."""
        await self._stream.close()

    async def reset(self) -> None:
        """Abandon both sides."""
        await self._stream.reset()

    async def _read(self) -> bytearray:
        data = await read_varint_prefixed_bytes_limited(self._stream, self._most_bytes)
        if not _is_sane(data, self._named_in):
            raise RefusedError("a message that names what nobody is called")
        return bytearray(encode_varint_prefixed(data))


def _is_sane(data: bytes, named_in: Reader) -> bool:
    """Whether a message can be read, and names few peers that there may be."""
    try:
        named = list(islice(named_in(data), MAX_NAMED + 1))
    except DecodeError:
        return False
    good = all(may_be_id(peer) and may_be_addrs(addrs) for peer, addrs in named)
    return good and len(named) <= MAX_NAMED


def keepers(host: IHost, protocol: TProtocol) -> tuple[PeerId, ...]:
    """The connected peers that say they speak a protocol."""
    book = host.get_peerstore()
    connected = host.get_connected_peers()
    return tuple(str(peer) for peer in connected if book.supports_protocols(peer, [protocol]))


def ip_of(host: IHost, peer: ID) -> str:
    """The address that a peer's connection counts as (`site_of`); "" through a relay."""
    for connection in host.get_network().get_connections(peer):
        remote = cast(Any, connection).muxed_conn.get_remote_address()
        if remote:
            return site_of(str(remote[0]))
    return ""


def told_of(host: IHost, peer: ID, addrs: Sequence[Multiaddr]) -> tuple[str, ...]:
    """Where somebody says a peer is, as far as that can be dialled from here."""
    return from_here(dialable(addrs, str(peer)), own_addrs(host))


def quiet(name: str) -> None:
    """Have a library's logger keep to itself what strangers can make it say."""
    logging.getLogger(name).setLevel(logging.CRITICAL)

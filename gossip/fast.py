"""
Changes to py-libp2p 0.8.1 that make gossip cheaper, and lose less.

At eight nodes four fifths of the time went into the interpreter, most of it for
reading one RPC in a dozen small steps and sending it in as many. Each change here names
its reason, has a test, and is written against exactly this version: `apply` refuses another.

Law: nothing changes on the wire but the number of window updates, of frames that RPCs
share and of repeated addresses; every change is invisible to the layers above.

Source: https://github.com/libp2p/py-libp2p at 0.8.1
"""

from __future__ import annotations

from collections import OrderedDict
from importlib.metadata import version
from typing import Any, cast
from weakref import WeakKeyDictionary

import trio
from libp2p.abc import IHost
from libp2p.io.trio import TrioTCPStream
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from libp2p.pubsub import gossipsub, pubsub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.rpc_queue import PriorityQueue, RpcQueue
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream
from libp2p.utils.varint import encode_varint_prefixed

LIBP2P = "0.8.1"
READ_AHEAD_BYTES = 64 * 1024
RECORDS_REMEMBERED = 256
RECORD_AGE_S = 600.0
OWN_RECORD_AGE_S = 1.0
QUEUED_MESSAGES = 1024
QUEUED_BYTES = 8 * 2**20
TOGETHER_BYTES = 48 * 1024
LENGTH_BYTES = 5
QUEUED_RPCS = 256
QUEUED_LARGE_RPCS = 32
LARGE_RPC_BYTES = 16 * 1024


def apply() -> None:
    """
    Make the changes, once for the whole process.

    Raises:
        RuntimeError: The library is not the version they were written for.
    """
    found = version("libp2p")
    if found != LIBP2P:
        raise RuntimeError(f"gossip.fast knows libp2p {LIBP2P}, not {found}: measure and port it")
    yamux, stream, tcp = cast(Any, Yamux), cast(Any, YamuxStream), cast(Any, TrioTCPStream)
    yamux._write_frame = write_frame
    stream._auto_tune_and_send_window_update = release_window
    tcp.read = read_socket
    for module in (pubsub, gossipsub):
        names = cast(Any, module)
        names.maybe_consume_signed_record = consume_record
        names.env_to_send_in_RPC = own_record
    cast(Any, pubsub).RpcQueue = PeerQueue


async def write_frame(self: Any, data: bytes) -> None:
    """
    Write a yamux frame.

    The stock one parses the header it is given for a debug line that nobody
    reads, and yields a second time after the lock and the socket have.
    """
    async with self._write_lock:
        await self.secured_conn.write(data)


_release_window = cast(Any, YamuxStream)._auto_tune_and_send_window_update


async def release_window(self: Any, *, bytes_read: int = 0) -> None:
    """
    Give the sender new window once half of it is used up.

    The stock one answers every read with a window update, which is a frame, an
    encryption and a system call for each: three for one RPC. The sender still
    has half a window when the update leaves, so it never waits for one.
    """
    self._pending_recv_release += bytes_read
    if 2 * self._pending_recv_release >= self.target_recv_window:
        await _release_window(self)


async def read_socket(self: Any, n: int | None = None) -> bytes:
    """
    Read from a TCP stream, with one system call for as much as there is.

    Noise asks for two bytes and then for the rest of each message: twice the
    calls and twice the turns of the scheduler.
    """
    ahead: bytearray | None = self.__dict__.get("_ahead")
    if not ahead:
        if n == 0:
            return b""
        most = max(n, READ_AHEAD_BYTES) if n is not None else None
        data = await _read_socket(self, most)
        if n is None or len(data) <= n:
            return data
        self._ahead = ahead = bytearray(data)
    else:
        await trio.lowlevel.checkpoint()
    taken = bytes(ahead[:n]) if n is not None else bytes(ahead)
    del ahead[: len(taken)]
    return taken


_read_socket = cast(Any, TrioTCPStream).read


class LongQueue(PriorityQueue):
    """
    What waits to be sent to one peer beside messages: 256 RPCs, if they are small.

    The stock queue holds 32 and drops the rest without a word: a third of a burst
    of 100 on a busy machine. Large ones are still held to 32, so that a peer that
    does not read costs us no more memory than before.
    """

    def push(self, rpc: rpc_pb2.RPC, priority: bool = False) -> bool:
        """Queue an RPC; False if there is no room for it."""
        if len(self) >= QUEUED_LARGE_RPCS and rpc.ByteSize() > LARGE_RPC_BYTES:
            return False
        return super().push(rpc, priority)


class PeerQueue(RpcQueue):
    """
    What waits to be sent to one peer: RPCs, and after them messages, by their ids.

    The stock node copies, measures and encodes a message for each peer anew, and sends
    each as a frame of its own: an encryption and a system call at both ends. Here a
    message is encoded once for all, those that wait leave together, and one that the
    peer sends us itself while it waits leaves no more.
    """

    def __init__(self) -> None:
        super().__init__()
        cast(Any, self)._queue = LongQueue(QUEUED_RPCS)
        self._messages: dict[bytes, bytes] = {}
        self._bytes = 0

    def push_message(self, message_id: bytes, framed: bytes) -> bool:
        """Queue a message as `framed` gives it; False if there is no room for it."""
        full = len(self._messages) >= QUEUED_MESSAGES or self._bytes >= QUEUED_BYTES
        if self.closed or full or message_id in self._messages:
            return False
        self._messages[message_id] = framed
        self._bytes += len(framed)
        self._notify.set()
        self._notify = trio.Event()
        return True

    def forget(self, message_id: bytes) -> None:
        """The peer has this message: it need not be sent."""
        self._bytes -= len(self._messages.pop(message_id, b""))

    async def pop_frames(self) -> bytes | None:
        """What to write next; None once the queue is closed."""
        while not (data := self._next_frames()) and not self.closed:
            await self._notify.wait()
        return data or None

    def _next_frames(self) -> bytes:
        frames, size = list[bytes](), 0
        while size < TOGETHER_BYTES and (rpc := self._queue.pop()) is not None:
            frames.append(framed(rpc))
            size += len(frames[-1])
        while size < TOGETHER_BYTES and self._messages:
            first = next(iter(self._messages))
            frames.append(self._messages[first])
            self.forget(first)
            size += len(frames[-1])
        return b"".join(frames)


def framed(rpc: rpc_pb2.RPC) -> bytes:
    """An RPC as it goes over a stream, after its length."""
    return encode_varint_prefixed(rpc.SerializeToString())


class UnreadableError(ValueError):
    """What a peer sent is no RPC."""


class Frames:
    """
    The RPCs of a stream, as many at a time as have come.

    Pubsub reads the length of an RPC byte by byte, each a trip through the
    window, the buffers and two locks.

    Args:
        limit: Bytes that an RPC may have.
    """

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self._ahead = bytearray()

    async def read(self) -> list[bytes]:
        """
        At least one RPC; what was not read whole waits for the next call.

        Raises:
            UnreadableError: An RPC is larger than allowed, or its length no varint.
            StreamEOF: The stream has ended.
        """
        while True:
            data = await self._stream.read(READ_AHEAD_BYTES)
            if not data:
                raise StreamEOF
            self._ahead += data
            if frames := self._whole():
                return frames

    def _whole(self) -> list[bytes]:
        frames, at = list[bytes](), 0
        while (found := self._length(at)) is not None:
            size, start = found
            if start + size > len(self._ahead):
                break
            at = start + size
            frames.append(bytes(self._ahead[start:at]))
        del self._ahead[:at]
        return frames

    def _length(self, at: int) -> tuple[int, int] | None:
        """The length of the RPC at a place and where it begins; None if that has not come."""
        size = 0
        for position, byte in enumerate(self._ahead[at : at + LENGTH_BYTES]):
            size |= (byte & 0x7F) << (7 * position)
            if byte < 0x80:
                if size > self._limit:
                    raise UnreadableError(f"an RPC of {size} bytes")
                return size, at + position + 1
        if len(self._ahead) - at >= LENGTH_BYTES:
            raise UnreadableError("an RPC with no length")
        return None


_consume_record = cast(Any, pubsub).maybe_consume_signed_record
_own_record = cast(Any, pubsub).env_to_send_in_RPC
_consumed: WeakKeyDictionary[IHost, OrderedDict[ID, tuple[bytes, float]]] = WeakKeyDictionary()
_own: WeakKeyDictionary[IHost, tuple[bytes, float]] = WeakKeyDictionary()


def consume_record(msg: rpc_pb2.RPC, host: IHost, peer_id: ID) -> bool:
    """
    Take in the peer record that comes with every RPC, if it is not the last one again.

    Every RPC carries its sender's signed addresses, and the stock node verifies
    the same bytes each time. The same bytes from the same peer are verified once
    in ten minutes, well within the two hours that the addresses are kept, and again
    when the addresses were forgotten.
    """
    if not msg.HasField("senderRecord"):
        return True
    now = trio.current_time()
    seen = _consumed.setdefault(host, OrderedDict())
    data, until = seen.get(peer_id, (b"", 0.0))
    known = host.get_peerstore().get_peer_record(peer_id) is not None
    if data == msg.senderRecord and now < until and known:
        return True
    good = _consume_record(msg, host, peer_id)
    if good:
        seen[peer_id] = (msg.senderRecord, now + RECORD_AGE_S)
        seen.move_to_end(peer_id)
        while len(seen) > RECORDS_REMEMBERED:
            seen.popitem(last=False)
    return good


def own_record(host: IHost) -> tuple[bytes, bool]:
    """
    Our own signed addresses, looked up at most once a second.

    The stock node lists the machine's interfaces and encodes the record anew for
    every RPC it sends.
    """
    now = trio.current_time()
    data, until = _own.get(host, (b"", 0.0))
    if now < until:
        return data, False
    data, new = _own_record(host)
    _own[host] = (data, now + OWN_RECORD_AGE_S)
    return data, new

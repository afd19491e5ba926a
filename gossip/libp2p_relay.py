"""
The service of a relay: leading peers to those that cannot be dialled.

py-libp2p has one, `CircuitV2Protocol`; it keeps one circuit per peer and forgets the
others, reserves for whoever is named, and reads a stream as often as it is written to.
This one speaks the same protocol, with its messages, and keeps to `gossip.circuits`.

Law: one question per stream. A peer reserves for itself alone, over a connection of its
own; who holds a reservation is led to only while it is connected. Nothing is dialled
because somebody asks.

Source: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import trio
from google.protobuf.message import Message
from libp2p.abc import IHost, INetStream
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.pb import circuit_pb2
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited
from multiaddr import Multiaddr

from gossip.circuits import Bookings, CircuitLimits
from swarm.reach import site_of

_log = logging.getLogger(__name__)

HOP = TProtocol("/libp2p/circuit/relay/0.2.0/hop")
STOP = TProtocol("/libp2p/circuit/relay/0.2.0/stop")
ASK_S = 10.0
MAX_MESSAGE_BYTES = 8192
PIECE_BYTES = 64 * 1024

# The generated module declares nothing to a type checker.
pb = cast(Any, circuit_pb2)
OK, REFUSED, EXCEEDED, DENIED, FAILED, NO_RESERVATION, MALFORMED = (
    100, 200, 201, 202, 203, 204, 400,
)  # fmt: skip

_M = TypeVar("_M", bound=Message)


async def read_message(stream: INetStream, kind: Callable[[], _M]) -> _M:
    """
    One message of the relay protocol.

    Raises:
        Exception: Whatever a stream or a protobuf can raise.
    """
    message = kind()
    data = await read_varint_prefixed_bytes_limited(stream, MAX_MESSAGE_BYTES)
    message.ParseFromString(data)
    return message


async def write_message(stream: INetStream, message: Message) -> None:
    """Send one message of the relay protocol."""
    await stream.write(encode_varint_prefixed(message.SerializeToString()))


def is_relayed(stream: INetStream) -> bool:
    """Whether a stream's connection is itself a circuit."""
    return cast(Any, stream.muxed_conn).get_remote_address() is None


async def end(stream: INetStream | None) -> None:
    """Abandon a stream, in whatever state it is."""
    if stream is None:
        return
    with trio.move_on_after(1.0, shield=True):
        try:
            await stream.reset()
        except Exception as error:  # noqa: BLE001 - a dead stream may fail in any way
            _log.debug("could not end a stream: %r", error)


class RelayService:
    """
    Answers on `HOP`, from `offer` on.

    Args:
        host: A guarded host.
        limits: What is allowed.
    """

    def __init__(self, host: IHost, limits: CircuitLimits) -> None:
        self._host = host
        self._limits = limits
        self._bookings = Bookings(limits)

    def offer(self) -> None:
        """Let peers ask."""
        self._host.set_stream_handler(HOP, self._answer)

    async def _answer(self, stream: INetStream) -> None:
        try:
            with trio.fail_after(ASK_S):
                asked = await read_message(stream, pb.HopMessage)
            if is_relayed(stream):
                await self._say(stream, DENIED)
            elif asked.type == pb.HopMessage.RESERVE:
                await self._reserve(stream)
            elif asked.type == pb.HopMessage.CONNECT:
                await self._connect(stream, ID(asked.peer.id))
            else:
                await self._say(stream, MALFORMED)
        finally:
            await end(stream)

    async def _reserve(self, stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        ip = site_of(str(cast(Any, stream.muxed_conn).get_remote_address()[0]))
        if not self._bookings.reserve(str(peer), ip, trio.current_time()):
            await self._say(stream, REFUSED)
            return
        until = int(time.time()) + self._limits.reservation_s
        addrs = [address.to_bytes() for address in self._host.get_addrs() if not _leads_on(address)]
        await self._say(stream, OK, reservation=pb.Reservation(expire=until, addrs=addrs))

    async def _connect(self, stream: INetStream, target: ID) -> None:
        source = stream.muxed_conn.peer_id
        if not self._bookings.holds(str(target), trio.current_time()):
            await self._say(stream, NO_RESERVATION)
            return
        if target not in self._host.get_connected_peers():
            await self._say(stream, FAILED)
            return
        with self._bookings.circuit(str(source), str(target)) as has_room:
            if not has_room:
                await self._say(stream, EXCEEDED)
                return
            await self._lead(stream, source, target)

    async def _lead(self, stream: INetStream, source: ID, target: ID) -> None:
        onward: INetStream | None = None
        try:
            try:
                with trio.fail_after(ASK_S):
                    onward = await self._host.new_stream(target, [STOP])
                    announced = pb.StopMessage(
                        type=pb.StopMessage.CONNECT,
                        peer=pb.PeerId(id=source.to_bytes()),
                        limit=self._limit(),
                    )
                    await write_message(onward, announced)
                    answer = await read_message(onward, pb.StopMessage)
                if answer.status != OK:
                    raise ConnectionError(f"the target answered {answer.status}")
            except Exception as error:  # noqa: BLE001 - the target may do anything
                _log.debug("no circuit from %s to %s: %r", source, target, error)
                await self._say(stream, FAILED)
                return
            await self._say(stream, OK, limit=self._limit())
            await self._join(stream, onward)
        finally:
            await end(onward)

    async def _join(self, one: INetStream, other: INetStream) -> None:
        """Pass bytes on both ways until an end closes or the circuit's share is used."""
        left = [self._limits.circuit_bytes]
        with trio.move_on_after(self._limits.circuit_s):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pour, one, other, left, nursery.cancel_scope)
                nursery.start_soon(self._pour, other, one, left, nursery.cancel_scope)

    async def _pour(
        self, source: INetStream, sink: INetStream, left: list[int], scope: trio.CancelScope
    ) -> None:
        try:
            while data := await source.read(PIECE_BYTES):
                left[0] -= len(data)
                if left[0] < 0:
                    break
                await sink.write(data)
                await trio.sleep(len(data) / self._limits.bytes_per_second)
        except Exception as error:  # noqa: BLE001 - either end may close in any way
            _log.debug("a circuit ended: %r", error)
        scope.cancel()

    async def _say(self, stream: INetStream, status: int, **fields: Message) -> None:
        """Answer; the stream stays open for a circuit, or ends in good order after this."""
        said = pb.HopMessage(type=pb.HopMessage.STATUS, status=status, **fields)
        with trio.fail_after(ASK_S):
            await write_message(stream, said)
            if "limit" not in fields:
                await cast(Any, stream).close_write()
                await _until_read(stream)

    def _limit(self) -> Message:
        return pb.Limit(duration=self._limits.circuit_s, data=self._limits.circuit_bytes)


async def _until_read(stream: INetStream) -> None:
    """Wait until the other side, having read our answer, ends; what it still sends is lost."""
    with trio.move_on_after(1.0):
        try:
            while await stream.read(PIECE_BYTES):
                pass
        except Exception as error:  # noqa: BLE001 - it may end in any way
            _log.debug("the asker ended: %r", error)


def _leads_on(address: Multiaddr) -> bool:
    return "/p2p-circuit" in str(address)

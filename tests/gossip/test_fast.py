"""
The changes to py-libp2p: each does what it says, and nothing above notices.

The contract suite of transports and the tests of the guards run with all of them on.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from itertools import count
from typing import Any, cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.io.trio import TrioTCPStream
from libp2p.peer.id import ID
from libp2p.pubsub.pb import rpc_pb2
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.utils.varint import encode_uvarint, encode_varint_prefixed

from gossip import fast
from gossip.identity import new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.transport import MAX_MESSAGE_BYTES, PeerId
from tests.gossip.stock import LOOPBACK, guarded_node
from tests.gossip.waiting import until

TOPIC = "/research-swarm/1/fast"
WINDOW_UPDATE = 1


def test_the_library_is_the_version_that_the_changes_know() -> None:
    """A new version is measured again and the changes are read against its source."""
    assert version("libp2p") == fast.LIBP2P


def test_another_version_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "version", "0.8.{}".format)
    with pytest.raises(RuntimeError, match=r"0\.8\.libp2p"):
        fast.apply()


@asynccontextmanager
async def two_transports() -> AsyncGenerator[tuple[Libp2pTransport, Libp2pTransport]]:
    async with (
        open_libp2p_transport(new_identity(), TOPIC, (LOOPBACK,)) as one,
        open_libp2p_transport(new_identity(), TOPIC, (LOOPBACK,)) as other,
    ):
        await one.dial(other.listen_addrs[0])
        await until(lambda: one.peer_id in other.peers(), 60)
        yield one, other


def counted_frames(monkeypatch: pytest.MonkeyPatch) -> Counter[int]:
    """How many frames of each type every yamux connection here writes from now on."""
    fast.apply()
    frames: Counter[int] = Counter()
    write = cast(Any, Yamux)._write_frame

    async def counted(self: Any, data: bytes) -> None:
        frames[struct.unpack("!BBHII", data[:12])[1]] += 1
        await write(self, data)

    monkeypatch.setattr(Yamux, "_write_frame", counted)
    monkeypatch.setattr(fast, "write_frame", counted)
    return frames


async def test_window_updates_come_per_half_window_not_per_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a large answer every byte arrives, though the sender gets window 128 KiB at a time."""
    frames = counted_frames(monkeypatch)
    answer = bytes(range(256)) * 12_000

    async def respond(caller: PeerId, request: bytes) -> bytes:
        return answer

    async with two_transports() as (one, other):
        other.serve(respond)
        before = frames[WINDOW_UPDATE]
        assert await one.call(other.peer_id, b"?", 60) == answer
        assert 1 <= frames[WINDOW_UPDATE] - before <= len(answer) / (128 * 1024) + 4


async def received_whole(
    one: Libp2pTransport, other: Libp2pTransport, numbers: Iterator[int]
) -> None:
    """Publish large messages both ways until each has three, and check them."""
    got: dict[PeerId, list[bytes]] = {one.peer_id: [], other.peer_id: []}

    async def collect(transport: Libp2pTransport) -> None:
        async for message in transport.received():
            got[transport.peer_id].append(message.data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(collect, one)
        nursery.start_soon(collect, other)
        with trio.fail_after(60):
            while min(map(len, got.values())) < 3:
                await one.publish(large(next(numbers)))
                await other.publish(large(next(numbers)))
                await trio.sleep(0.2)
        nursery.cancel_scope.cancel()
    for data in got[one.peer_id] + got[other.peer_id]:
        assert data == large(int.from_bytes(data[:4], "big"))


async def test_large_messages_arrive_whole_and_a_peer_may_die_among_them() -> None:
    async with open_libp2p_transport(new_identity(), TOPIC, (LOOPBACK,)) as one:
        numbers = count()
        for _ in range(2):
            async with open_libp2p_transport(new_identity(), TOPIC, (LOOPBACK,)) as other:
                await other.dial(one.listen_addrs[0])
                await received_whole(one, other, numbers)
                for _ in range(8):
                    await one.publish(large(next(numbers)))
                    await other.publish(large(next(numbers)))
            await until(lambda: not one.peers(), 60)
        assert one.restarts == 0


def large(number: int) -> bytes:
    """A message near the limit; its number fills it."""
    return number.to_bytes(4, "big") * (MAX_MESSAGE_BYTES // 4)


async def pair_of_streams() -> tuple[TrioTCPStream, trio.SocketStream]:
    """A read stream as libp2p has it, and the socket at its other end."""
    fast.apply()
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    sender = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    stream = TrioTCPStream(await listener.accept())
    await listener.aclose()
    return stream, sender


async def test_a_socket_is_read_ahead_and_ends_as_before() -> None:
    stream, sender = await pair_of_streams()
    await sender.send_all(b"0123456789")
    assert [await stream.read(n) for n in (2, 0, 3, 100)] == [b"01", b"", b"234", b"56789"]
    await sender.send_all(b"abc")
    assert await stream.read(1) == b"a"
    await sender.aclose()
    assert [await stream.read(n) for n in (None, 2, 2)] == [b"bc", b"", b""]
    await stream.close()
    assert await stream.read(2) == b""


async def test_a_broken_socket_raises_what_the_library_raises() -> None:
    stream, sender = await pair_of_streams()
    await sender.send_all(b"0123")
    assert await stream.read(2) == b"01"
    sender.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, struct.pack("ii", 1, 0))
    await sender.aclose()
    assert await stream.read(2) == b"23"
    with pytest.raises(ConnectionClosedError):
        await stream.read(2)


class Pieces:
    """A stream that gives its bytes in pieces of its own choice, then fails."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = data
        self._sizes = sizes

    async def read(self, n: int | None = None) -> bytes:
        if not self._data:
            raise EOFError
        size = min(n or 1, self._sizes.pop() if self._sizes else 1)
        piece, self._data = self._data[:size], self._data[size:]
        return piece


@given(st.lists(st.binary(max_size=200), max_size=8), st.lists(st.integers(1, 300), max_size=40))
def test_rpcs_are_read_whole_and_in_order_however_they_come(
    sent: list[bytes], sizes: list[int]
) -> None:
    async def read_all() -> list[bytes]:
        stream, got = Pieces(b"".join(map(encode_varint_prefixed, sent)), sizes), list[bytes]()
        frames = fast.Frames(stream, 1000)
        while True:
            try:
                got += await frames.read()
            except EOFError:
                return got

    assert trio.run(read_all) == sent


@pytest.mark.parametrize("data", [encode_uvarint(1001), b"\xff" * fast.LENGTH_BYTES])
async def test_an_rpc_too_large_or_without_a_length_is_refused(data: bytes) -> None:
    with pytest.raises(fast.UnreadableError):
        await fast.Frames(Pieces(data, []), 1000).read()


async def test_what_waits_for_a_peer_leaves_together_and_in_order() -> None:
    """Control before messages; what the peer has by now does not leave."""
    queue, control = fast.PeerQueue(), rpc_pb2.RPC()
    control.control.graft.add().topicID = TOPIC
    for number in range(4):
        assert queue.push_message(bytes([number]), bytes([number]) * 10)
    assert not queue.push_message(b"\x01", b"again")
    queue.push(control, priority=True)
    queue.forget(b"\x02")
    queue.forget(b"unknown")
    wanted = [fast.framed(control), *(bytes([number]) * 10 for number in (0, 1, 3))]
    assert await queue.pop_frames() == b"".join(wanted)
    queue.close()
    assert await queue.pop_frames() is None
    assert not queue.push_message(b"late", b"late")


async def test_a_queue_of_messages_ends_and_is_written_in_pieces() -> None:
    queue, data = fast.PeerQueue(), bytes(fast.TOGETHER_BYTES // 2)
    taken = sum(queue.push_message(str(at).encode(), data) for at in range(10_000))
    assert taken * len(data) <= fast.QUEUED_BYTES + len(data)
    assert [len(await queue.pop_frames() or b"") for _ in range(2)] == [2 * len(data)] * 2
    small = fast.PeerQueue()
    kept = sum(small.push_message(str(at).encode(), b"small") for at in range(10_000))
    assert kept == fast.QUEUED_MESSAGES


async def test_a_message_is_written_once_it_is_there() -> None:
    """Who waits for the next frames is woken by a message, and by the end."""
    queue, got = fast.PeerQueue(), list[bytes | None]()

    async def pop() -> None:
        got.append(await queue.pop_frames())

    for act in (lambda: queue.push_message(b"id", b"framed"), queue.close):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pop)
            await trio.testing.wait_all_tasks_blocked()
            act()
    assert got == [b"framed", None]


def test_a_queue_holds_many_small_rpcs_and_few_large_ones() -> None:
    small, big = rpc_pb2.RPC(), rpc_pb2.RPC()
    big.publish.add().data = bytes(fast.LARGE_RPC_BYTES)
    queue = fast.LongQueue(fast.QUEUED_RPCS)
    assert sum(queue.push(big) for _ in range(100)) == fast.QUEUED_LARGE_RPCS
    assert sum(queue.push(small) for _ in range(1000)) == fast.QUEUED_RPCS - fast.QUEUED_LARGE_RPCS


def record_from(host: Any) -> rpc_pb2.RPC:
    rpc = rpc_pb2.RPC()
    rpc.senderRecord = fast.own_record(host)[0]
    return rpc


async def test_the_same_peer_record_is_verified_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged one, or a true one from another peer, is refused every time."""
    verified: list[bytes] = []
    consume = cast(Any, fast)._consume_record

    def counting(msg: rpc_pb2.RPC, host: Any, peer_id: ID) -> bool:
        verified.append(msg.senderRecord)
        return consume(msg, host, peer_id)

    async with guarded_node() as sender, guarded_node() as receiver:
        monkeypatch.setattr(fast, "_consume_record", counting)
        rpc, peer, host = record_from(sender.host), sender.host.get_id(), receiver.host
        assert fast.consume_record(rpc_pb2.RPC(), host, peer)
        assert all(fast.consume_record(rpc, host, peer) for _ in range(5))
        assert verified == [rpc.senderRecord]
        assert fast.consume_record(rpc, sender.host, peer)
        assert len(verified) == 2
        stranger = ID.from_pubkey(create_new_key_pair().public_key)
        forged = rpc_pb2.RPC()
        forged.senderRecord = rpc.senderRecord[:-1] + bytes([rpc.senderRecord[-1] ^ 1])
        for _ in range(2):
            assert not fast.consume_record(rpc, host, stranger)
            assert not fast.consume_record(forged, host, peer)
        assert len(verified) == 6
        host.get_peerstore().clear_peerdata(peer)
        assert fast.consume_record(rpc, host, peer)
        assert len(verified) == 7


async def test_own_addresses_are_looked_up_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with guarded_node() as node:
        first, _ = fast.own_record(node.host)
        with monkeypatch.context() as patch:
            patch.setattr(node.host, "get_addrs", pytest.fail)
            assert fast.own_record(node.host) == (first, False)
        monkeypatch.setattr(node.host, "get_addrs", list[Any])
        await trio.sleep(1.1 * fast.OWN_RECORD_AGE_S)
        changed, _ = fast.own_record(node.host)
        assert changed != first

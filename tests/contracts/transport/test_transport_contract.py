"""
What every transport promises, checked on each: libp2p on loopback, memory, and memory
sealed for the members of a private topic.

A new transport joins by one more way to open it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import pytest
import trio

from gossip.identity import new_identity
from gossip.libp2p_transport import open_libp2p_transport
from gossip.memory_transport import MemoryNetwork
from gossip.outbox import Outbox
from gossip.sealed import Seal
from gossip.sealed_transport import open_sealed_transport, sealed_verdict
from gossip.transport import (
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    CallError,
    DialError,
    PeerEvent,
    PeerId,
    Transport,
    Verdict,
)
from swarm.topic import TopicKey
from tests.gossip.waiting import until

TOPIC = "/research-swarm/1/contract"
SEAL = Seal(TopicKey(bytes(16), 1, bytes(32)))


def accept_all(data: bytes) -> bool:
    return True


@dataclass
class Opener:
    """Opens transports of one sort, each in a task of its own until it is closed."""

    sort: str
    nursery: trio.Nursery
    memory: MemoryNetwork = field(default_factory=MemoryNetwork)
    ends: dict[PeerId, tuple[trio.Event, trio.Event]] = field(
        default_factory=dict[PeerId, tuple[trio.Event, trio.Event]]
    )

    async def __call__(self, topic: str = TOPIC, verdict: Verdict = accept_all) -> Transport:
        opening = self._opening(topic, verdict, Outbox(per_second=200, burst=8))
        return cast(Transport, await self.nursery.start(self._hold, opening))

    def _opening(
        self, topic: str, verdict: Verdict, outbox: Outbox
    ) -> AbstractAsyncContextManager[Transport]:
        if self.sort == "sealed":
            return self._sealed(topic, sealed_verdict(SEAL, verdict), outbox)
        return self._plain(topic, verdict, outbox)

    @asynccontextmanager
    async def _sealed(
        self, topic: str, verdict: Verdict, outbox: Outbox
    ) -> AsyncGenerator[Transport]:
        async with (
            self._plain(topic, verdict, outbox) as plain,
            open_sealed_transport(plain, SEAL) as transport,
        ):
            yield transport

    def _plain(
        self, topic: str, verdict: Verdict, outbox: Outbox
    ) -> AbstractAsyncContextManager[Transport]:
        identity = new_identity()
        if self.sort != "libp2p":
            return self.memory.open(identity.peer_id, topic, verdict=verdict, outbox=outbox)
        loopback = ["/ip4/127.0.0.1/tcp/0"]
        return open_libp2p_transport(identity, topic, loopback, verdict=verdict, outbox=outbox)

    async def _hold(
        self,
        opening: AbstractAsyncContextManager[Transport],
        task_status: trio.TaskStatus[Transport],
    ) -> None:
        end, ended = trio.Event(), trio.Event()
        async with opening as transport:
            self.ends[transport.peer_id] = end, ended
            task_status.started(transport)
            await end.wait()
        ended.set()

    async def close(self, transport: Transport) -> None:
        end, ended = self.ends.pop(transport.peer_id)
        end.set()
        await ended.wait()


@pytest.fixture(params=["libp2p", "memory", "sealed"])
async def opener(request: pytest.FixtureRequest) -> AsyncGenerator[Opener]:
    async with trio.open_nursery() as nursery:
        opener = Opener(str(request.param), nursery)
        yield opener
        for end, _ in opener.ends.values():
            end.set()


async def connected(opener: Opener) -> tuple[Transport, Transport]:
    one, other = await opener(), await opener()
    await one.dial(other.listen_addrs[0])
    await until(lambda: one.peer_id in other.peers())
    return one, other


async def publish_until_received(one: Transport, other: Transport, data: bytes) -> None:
    """Publish until gossip has found its way; a mesh needs a moment after a dial."""
    with trio.fail_after(60):
        for attempt in range(1000):
            await one.publish(data + b"#%d" % attempt)
            with trio.move_on_after(0.2):
                await other.received().receive()
                return


async def test_dialling_connects_both_sides_and_tells_both(opener: Opener) -> None:
    one, other = await opener(), await opener()
    seen_by_one, seen_by_other = one.events(), other.events()
    assert await one.dial(other.listen_addrs[0]) == other.peer_id
    with trio.fail_after(60):
        assert await seen_by_one.receive() == PeerEvent(other.peer_id, connected=True)
        assert await seen_by_other.receive() == PeerEvent(one.peer_id, connected=True)
    assert one.peers() == (other.peer_id,)
    assert other.peers() == (one.peer_id,)
    assert await one.dial(other.listen_addrs[0]) == other.peer_id


async def test_addresses_to_dial_name_their_peer(opener: Opener) -> None:
    one, other = await connected(opener)
    assert all(addr.endswith(f"/p2p/{one.peer_id}") for addr in one.listen_addrs)
    await until(lambda: other.listen_addrs[0] in one.addrs_of(other.peer_id))
    await until(lambda: one.listen_addrs[0] in other.addrs_of(one.peer_id))


async def test_an_address_that_cannot_be_dialled_says_why(opener: Opener) -> None:
    one, other = await opener(), await opener()
    gone = other.listen_addrs[0]
    await opener.close(other)
    for address, reason in [
        ("nonsense", "cannot dial"),
        (one.listen_addrs[0], "itself"),
        (gone, "is that node running"),
    ]:
        with pytest.raises(DialError, match=reason):
            await one.dial(address, timeout_s=5)
    assert one.peers() == ()


async def test_a_message_reaches_the_others_and_names_its_publisher(opener: Opener) -> None:
    one, other = await connected(opener)
    await publish_until_received(one, other, b"hello")
    await one.publish(b"news")
    with trio.fail_after(60):
        got = await other.received().receive()
        while got.data != b"news":
            got = await other.received().receive()
    assert got.sender == one.peer_id
    with pytest.raises(trio.WouldBlock):
        one.received().receive_nowait()


async def test_a_message_spreads_beyond_direct_peers(opener: Opener) -> None:
    one, middle = await connected(opener)
    far = await opener()
    await far.dial(middle.listen_addrs[0])
    await publish_until_received(one, far, b"pass it on")


async def test_other_topics_are_not_heard(opener: Opener) -> None:
    one, other = await connected(opener)
    foreign = await opener(topic="/research-swarm/1/another")
    await foreign.dial(other.listen_addrs[0])
    await publish_until_received(one, other, b"ours")
    await foreign.publish(b"theirs")
    with trio.move_on_after(1):
        async for message in other.received():
            assert message.data != b"theirs"


async def test_a_burst_arrives_whole(opener: Opener) -> None:
    one, other = await connected(opener)
    await publish_until_received(one, other, b"hello")
    for number in range(100):
        await one.publish(b"burst %d" % number)
    got: set[bytes] = set()
    with trio.fail_after(60):
        while len(got) < 100:
            message = await other.received().receive()
            if message.data.startswith(b"burst"):
                got.add(message.data)


async def test_what_the_verdict_refuses_is_not_delivered(opener: Opener) -> None:
    def verdict(data: bytes) -> bool:
        if data == b"raise":
            raise RuntimeError("a verdict that fails counts as no")
        return data != b"bad"

    one, judge = await opener(), await opener(verdict=verdict)
    await one.dial(judge.listen_addrs[0])
    await publish_until_received(one, judge, b"hello")
    for data in (b"bad", b"raise", b"good"):
        await one.publish(data)
    with trio.fail_after(60):
        got = [(await judge.received().receive()).data]
        while got[-1] != b"good":
            got.append((await judge.received().receive()).data)
    assert b"bad" not in got
    assert b"raise" not in got


async def test_an_oversized_message_is_refused_at_once(opener: Opener) -> None:
    one = await opener()
    with pytest.raises(ValueError, match="at most"):
        await one.publish(bytes(MAX_MESSAGE_BYTES + 1))


async def test_a_call_is_answered_whatever_its_size(opener: Opener) -> None:
    one, other = await connected(opener)

    async def answer(caller: PeerId, request: bytes) -> bytes:
        return caller.encode() + request + bytes(1_000_000)

    other.serve(answer)
    got = await one.call(other.peer_id, b"?")
    assert got == one.peer_id.encode() + b"?" + bytes(1_000_000)
    with pytest.raises(ValueError, match="at most"):
        await one.call(other.peer_id, bytes(MAX_REQUEST_BYTES + 1))


async def raises(caller: PeerId, request: bytes) -> bytes:
    raise RuntimeError("broken responder")


async def stalls(caller: PeerId, request: bytes) -> bytes:
    await trio.sleep_forever()
    return b""


async def exaggerates(caller: PeerId, request: bytes) -> bytes:
    return bytes(MAX_RESPONSE_BYTES + 1)


@pytest.mark.parametrize("responder", [raises, stalls, exaggerates])
async def test_a_bad_partner_costs_one_call(
    opener: Opener, responder: Callable[[PeerId, bytes], Awaitable[bytes]]
) -> None:
    one, other = await connected(opener)
    other.serve(responder)
    with pytest.raises(CallError), trio.fail_after(60):
        await one.call(other.peer_id, b"?", timeout_s=0.5)

    async def answer(caller: PeerId, request: bytes) -> bytes:
        return b"better"

    other.serve(answer)
    assert await one.call(other.peer_id, b"?") == b"better"


async def test_calling_a_stranger_fails(opener: Opener) -> None:
    one, other = await opener(), await opener()
    with pytest.raises(CallError, match="not connected"):
        await one.call(other.peer_id, b"?")


async def test_a_peer_that_leaves_is_noticed(opener: Opener) -> None:
    one, other = await connected(opener)
    events = one.events()
    await opener.close(other)
    with trio.fail_after(60):
        while (event := await events.receive()).connected:
            assert event.peer == other.peer_id, "told late of the connection itself"
    assert event == PeerEvent(other.peer_id, connected=False)
    assert one.peers() == ()


async def test_the_end_of_a_transport_ends_its_channels(opener: Opener) -> None:
    one = await opener()
    received, events = one.received(), one.events()
    await opener.close(one)
    assert [message async for message in received] == []
    assert [event async for event in events] == []

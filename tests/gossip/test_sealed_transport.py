"""Who has not proved to hold the key is no peer; whoever has, is one at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from gossip.memory_transport import MemoryNetwork, MemoryTransport
from gossip.sealed import SEAL_BYTES, Seal
from gossip.sealed_transport import SealedTransport, open_sealed_transport, sealed_verdict
from gossip.transport import MAX_MESSAGE_BYTES, CallError, PeerEvent, PeerId
from swarm.topic import TopicKey
from tests.gossip.waiting import until

SEAL, OTHER = (Seal(TopicKey(bytes(16), 1, bytes([secret]) * 32)) for secret in (1, 2))


async def echo(peer: PeerId, request: bytes) -> bytes:
    return b"for " + peer.encode() + b": " + request


@dataclass
class World:
    """Nodes in memory, sealed or bare."""

    network: MemoryNetwork
    stack: AsyncExitStack
    proved: list[str] = field(default_factory=list[str])

    async def bare(self, name: str) -> MemoryTransport:
        return await self.stack.enter_async_context(self.network.open(name, "t"))

    async def sealed(self, name: str, seal: Seal = SEAL) -> SealedTransport:
        verdict = sealed_verdict(seal, lambda data: True)
        inner = await self.stack.enter_async_context(self.network.open(name, "t", verdict=verdict))
        return await self.stack.enter_async_context(
            open_sealed_transport(inner, seal, proved=lambda peer: self.proved.append(name + peer))
        )


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    async with AsyncExitStack() as stack:
        yield World(MemoryNetwork(delay_s=0.01), stack)


async def test_only_members_are_peers(autojump_clock: MockClock) -> None:
    async with world() as w:
        a, b = await w.sealed("a"), await w.sealed("b")
        stranger, old = await w.bare("x"), await w.sealed("o", OTHER)
        coming = a.events()
        for name in ("b", "x", "o"):
            w.network.link("a", name)
        await until(lambda: bool(a.peers()), 60)
        await trio.sleep(200)
        assert a.peers() == ("b",) and b.peers() == ("a",)
        assert old.peers() == () and stranger.peers() == ("a",)
        assert a.outsiders == 2
        assert a.addrs_of("x") == () != a.addrs_of("b")
        assert {event.peer for event in _drained(coming)} == {"b"}
        assert sorted(w.proved) == ["ab", "ba"]


async def test_a_member_that_leaves_and_returns_proves_itself_again(
    autojump_clock: MockClock,
) -> None:
    async with world() as w:
        a, _ = await w.sealed("a"), await w.sealed("b")
        w.network.link("a", "b")
        await until(lambda: a.peers() == ("b",), 60)
        w.network.cut("a", "b")
        await until(lambda: a.peers() == (), 60)
        w.network.heal("a", "b")
        w.network.link("a", "b")
        await until(lambda: a.peers() == ("b",), 200)


async def test_who_answers_later_is_asked_again(autojump_clock: MockClock) -> None:
    """A peer whose node has not begun to answer yet, say."""
    async with world() as w:
        a, x = await w.sealed("a"), await w.bare("x")
        w.network.link("a", "x")
        await trio.sleep(5)
        assert a.peers() == ()
        await w.stack.enter_async_context(open_sealed_transport(x, SEAL))
        await until(lambda: a.peers() == ("x",), 200)


async def test_an_outsider_gets_no_answer_and_gives_none(autojump_clock: MockClock) -> None:
    async with world() as w:
        a, x = await w.sealed("a"), await w.bare("x")
        a.serve(echo)
        asked: list[bytes] = []

        async def listen(peer: PeerId, request: bytes) -> bytes:
            asked.append(request)
            return request

        x.serve(listen)
        w.network.link("a", "x")
        with pytest.raises(CallError):
            await x.call("a", b"\x01?")
        with pytest.raises(CallError, match="does not hold the topic's current key"):
            await a.call("x", b"who knows what I ask")
        assert asked and not any(b"who knows" in request for request in asked)
        for request in asked:
            with pytest.raises(CallError):
                await x.call("a", request)


async def test_a_member_asks_and_is_answered(autojump_clock: MockClock) -> None:
    async with world() as w:
        a, b = await w.sealed("a"), await w.sealed("b")
        b.serve(echo)
        w.network.link("a", "b")
        assert await a.call("b", b"?") == b"for a: ?"


async def test_a_message_too_long_once_sealed_is_left_to_sync(autojump_clock: MockClock) -> None:
    async with world() as w:
        a, b = await w.sealed("a"), await w.sealed("b")
        w.network.link("a", "b")
        await a.publish(bytes(MAX_MESSAGE_BYTES - SEAL_BYTES + 1))
        await a.publish(bytes(MAX_MESSAGE_BYTES - SEAL_BYTES))
        with trio.fail_after(60):
            assert len((await b.received().receive()).data) == MAX_MESSAGE_BYTES - SEAL_BYTES


def _drained(channel: trio.MemoryReceiveChannel[PeerEvent]) -> list[PeerEvent]:
    found: list[PeerEvent] = []
    while True:
        try:
            found.append(channel.receive_nowait())
        except trio.WouldBlock:
            return found

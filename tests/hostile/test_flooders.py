"""What a peer can make a host do by sending without end, over real connections."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import trio
from libp2p.abc import IHost

from gossip.calls import Desk
from gossip.libp2p_host import CALL_PROTOCOL
from gossip.limits import Limits
from gossip.meters import Allowance
from gossip.sync_answers import Answers
from gossip.transport import QuestionError
from tests.gossip.stock import (
    Node,
    attacker,
    connect,
    gossip_stream,
    guarded_node,
    open_stream,
    quiet_hooks,
    rpc,
    serves,
    signed,
)
from tests.gossip.waiting import until

FEW = Limits(
    faults=Allowance(8, 0.01),
    streams_per_peer=4,
    messages=Allowance(50, 100),
    arrivals_per_ip=Allowance(12, 0.01),
    arrivals_per_expelled=0,
)


def no_junk(data: bytes) -> bool | None:
    """The verdict of a node that knows junk, and has no use for what is old."""
    return None if data.startswith(b"old") else not data.startswith(b"junk")


async def gossip(host: IHost, node: Node, make: Callable[[int], bytes], count: int) -> None:
    """Send so many messages, some in each RPC."""
    stream = await gossip_stream(host, node.addr)
    for first in range(0, count, 10):
        messages = [signed(host, make(at), at) for at in range(first, first + 10)]
        await stream.write(rpc(*messages))


async def test_who_sends_junk_is_thrown_out_and_who_repeats_old_news_is_not() -> None:
    judged = list[bytes]()

    def judge(data: bytes) -> bool | None:
        judged.append(data)
        return no_junk(data)

    hooks = replace(quiet_hooks(), verdict=judge)
    async with guarded_node(hooks, FEW) as node, attacker() as eve, attacker() as old:
        await gossip(old, node, lambda at: b"old %d" % at, 40)
        with suppress(Exception):
            await gossip(eve, node, lambda at: b"junk %d" % at, 1000)
        await until(lambda: eve.get_id() not in node.host.get_connected_peers())
        await until(lambda: b"old 39" in judged)
        assert old.get_id() in node.host.get_connected_peers()
        assert len([data for data in judged if data.startswith(b"junk")]) <= 10
        assert await serves(node)


async def test_who_asks_what_is_no_question_is_thrown_out() -> None:
    desk = Desk()
    desk.responder = Answers(cast(Any, None), "scope", ("win",), cast(Any, None)).answer
    hooks = replace(quiet_hooks(), answer=desk.answer)
    async with guarded_node(hooks, FEW) as node, attacker() as eve:
        with suppress(Exception):
            peer = await connect(eve, node.addr)
            for _ in range(40):
                stream = await open_stream(eve, peer, CALL_PROTOCOL)
                await stream.write(b"\x00\x00\x10\x00" + os.urandom(4096))
        await until(lambda: eve.get_id() not in node.host.get_connected_peers())
        assert await serves(node)


async def test_who_was_thrown_out_is_answered_nothing_when_it_comes_back() -> None:
    """Whether it asks at once or opens a gossip stream first."""
    asked = 0

    async def answer(peer: str, request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        raise QuestionError("none")

    desk = Desk()
    desk.responder = answer
    limits = replace(FEW, arrivals_per_ip=Allowance(100, 10))
    hooks = replace(quiet_hooks(), answer=desk.answer)
    async with guarded_node(hooks, limits) as node, attacker() as eve:
        for gossips in (False, True, False, True):
            with suppress(Exception), trio.move_on_after(2):
                peer = await connect(eve, node.addr)
                if gossips:
                    await gossip_stream(eve, node.addr)
                while True:
                    stream = await open_stream(eve, peer, CALL_PROTOCOL)
                    await stream.write(b"\x00\x00\x00\x01?")
                    await trio.sleep(0.02)
            for peer in eve.get_connected_peers():
                with suppress(Exception):
                    await eve.disconnect(peer)
        assert 8 < asked <= 8 + 1 + FEW.streams_per_peer
        await until(lambda: eve.get_id() not in node.host.get_connected_peers())
        assert await serves(node)


async def test_who_is_thrown_out_uses_up_the_arrivals_of_its_address() -> None:
    """Under a new name it gets in no more; whoever is connected stays."""
    limits = replace(FEW, arrivals_per_expelled=10)
    hooks = replace(quiet_hooks(), verdict=no_junk)
    async with guarded_node(hooks, limits) as node, attacker() as eve, attacker() as ann:
        stream = await gossip_stream(ann, node.addr)
        with suppress(Exception):
            await gossip(eve, node, lambda at: b"junk %d" % at, 1000)
        await until(lambda: eve.get_id() not in node.host.get_connected_peers())
        assert not await gets_in(node)
        await stream.write(rpc(signed(ann, b"from ann")))
        await until(lambda: b"from ann" in node.delivered)


async def test_streams_beyond_the_limit_are_refused() -> None:
    """Of twenty at once four are heard; when they end, others are."""
    answered = 0

    async def answer(stream: object, peer: str) -> None:
        nonlocal answered
        answered += 1
        await let_go.wait()

    let_go = trio.Event()
    async with guarded_node(replace(quiet_hooks(), answer=answer), FEW) as node, attacker() as eve:
        peer = await connect(eve, node.addr)
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(open_and_leave, eve, peer)
            await trio.sleep(1)
            assert 0 < answered <= FEW.streams_per_peer
            let_go.set()
            nursery.cancel_scope.cancel()
        assert await serves(node)


async def open_and_leave(host: IHost, peer: object) -> None:
    """Open a stream that is never used."""
    with suppress(Exception):
        await open_stream(host, peer, CALL_PROTOCOL)  # pyright: ignore[reportArgumentType]


async def test_an_honest_peer_is_heard_while_another_floods() -> None:
    """Thousands of good messages of one wait their turn; one of another does not wait for them."""
    async with (
        guarded_node(limits=FEW) as node,
        attacker() as eve,
        attacker() as ann,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(gossip, eve, node, much, 3000)
        await until(lambda: len(node.delivered) > 20)
        await (await gossip_stream(ann, node.addr)).write(rpc(signed(ann, b"from ann")))
        await until(lambda: b"from ann" in node.delivered)
        assert len(node.delivered) < 2000, "the flood was read at its own pace"
        nursery.cancel_scope.cancel()


def much(number: int) -> bytes:
    """One good message of very many."""
    return b"much %d" % number


async def test_coming_and_going_has_a_pace() -> None:
    """Of thirty visitors from one address twelve get in."""
    got_in = 0
    async with guarded_node(limits=FEW) as node:
        for _ in range(30):
            got_in += await gets_in(node)
    assert 0 < got_in <= FEW.arrivals_per_ip.burst


async def gets_in(node: Node) -> bool:
    """Whether a socket is greeted."""
    from gossip.multiaddress import parse

    address = parse(node.addr)
    stream = await trio.open_tcp_stream(address.host, address.port)
    async with stream:
        await stream.send_all(b"\x13/multistream/1.0.0\n")
        with suppress(trio.BrokenResourceError):
            return bool(await stream.receive_some(64))
    return False


async def test_garbage_costs_its_sender_the_connection() -> None:
    async with guarded_node(limits=FEW) as node, attacker() as eve:
        for _ in range(20):
            with suppress(Exception):
                stream = await gossip_stream(eve, node.addr)
                await stream.write(b"\x40" + os.urandom(64))
                await trio.sleep(0.05)
        await until(lambda: eve.get_id() not in node.host.get_connected_peers())
        assert await serves(node)

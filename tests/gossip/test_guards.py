"""
Each guard: the failure on a stock py-libp2p host, then ours surviving it.

A test that stops failing on the stock host says that the library was mended
and its guard may go.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import trio
from libp2p import new_host
from libp2p.network.config import ConnectionConfig
from libp2p.network.exceptions import SwarmException
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import encode_varint_prefixed
from multiaddr import Multiaddr

from gossip.libp2p_host import CALL_PROTOCOL, Limits
from gossip.multiaddress import parse
from tests.gossip.stock import (
    LOOPBACK,
    TOPIC,
    Node,
    attacker,
    connect,
    gossip_stream,
    guarded_node,
    id_by_payload,
    judge_by,
    leaves,
    new_pubsub,
    open_stream,
    plaintext_host,
    quiet_hooks,
    rpc,
    serves,
    signed,
    stock_node,
    survives,
)
from tests.gossip.waiting import holds, until

Attack = Callable[[Node], Awaitable[None]]


async def send_undecodable_key(node: Node) -> None:
    async with attacker() as host:
        message = signed(host, b"x")
        message.from_id = b"\x12\x20" + bytes(32)  # an id that is a hash: the key must come along
        message.key = b"\xff\xff no key"
        await (await gossip_stream(host, node.addr)).write(rpc(message))
        await trio.sleep(0.2)


async def send_garbage(node: Node) -> None:
    async with attacker() as host:
        stream = await gossip_stream(host, node.addr)
        await stream.write(encode_varint_prefixed(b"\xff" * 64))
        await trio.sleep(0.2)


async def send_well_formed(node: Node) -> None:
    async with attacker() as host:
        await (await gossip_stream(host, node.addr)).write(rpc(signed(host, b"judge me")))
        await trio.sleep(0.2)


@pytest.mark.parametrize("attack", [send_undecodable_key, send_garbage])
async def test_a_malformed_message_kills_a_stock_host_only(attack: Attack) -> None:
    assert not await survives(stock_node(), attack)
    assert await survives(guarded_node(), attack)


def failing_verdict(data: bytes) -> bool:
    if data == b"judge me":
        raise RuntimeError("a bug in the verdict")
    return True


async def test_a_verdict_that_raises_costs_its_message_only() -> None:
    async def attack_with_validator(node: Node) -> None:
        judge_by(node, failing_verdict)
        await send_well_formed(node)

    assert not await survives(stock_node(), attack_with_validator)
    hooks = replace(quiet_hooks(), verdict=failing_verdict)
    assert await survives(guarded_node(hooks), send_well_formed)


async def test_a_stream_handler_that_raises_costs_its_stream_only() -> None:
    async def fail(stream: Any, peer: str = "") -> None:
        raise RuntimeError("a bug in a handler")

    async def knock(node: Node) -> None:
        async with attacker() as host:
            peer = await connect(host, node.addr)
            stream = await open_stream(host, peer, CALL_PROTOCOL)
            await stream.write(b"hello")
            await trio.sleep(0.2)

    async def attack_stock(node: Node) -> None:
        node.host.set_stream_handler(CALL_PROTOCOL, fail)
        await knock(node)

    assert not await survives(stock_node(), attack_stock)
    assert await survives(guarded_node(replace(quiet_hooks(), answer=fail)), knock)


async def test_services_start_before_the_host_listens() -> None:
    """A peer that connects in between kills a host that listens first."""

    async def listens_first() -> None:
        host = new_host()
        pubsub, router = new_pubsub(host)
        async with host.run([Multiaddr(LOOPBACK)]), attacker() as early:
            await connect(early, str(host.get_addrs()[0]))
            stream = await open_stream(early, host.get_id(), "/meshsub/1.1.0")
            await stream.write(rpc(signed(early, b"early")))
            await trio.sleep(0.3)
            async with background_trio_service(pubsub), background_trio_service(router):
                await pubsub.wait_until_ready()

    with pytest.raises(Exception) as failure:
        await listens_first()
    assert "_manager" in repr(leaves(failure.value))

    async with guarded_node() as node, trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(send_well_formed, node)
        await until(lambda: b"judge me" in node.delivered)


async def test_it_closes_in_good_order_under_load() -> None:
    async def flood(node: Node) -> None:
        async with attacker() as host:
            stream = await gossip_stream(host, node.addr)
            for number in range(2000):
                await stream.write(rpc(signed(host, number.to_bytes(500, "big"), number)))

    async def flood_until_refused(node: Node) -> None:
        try:
            await flood(node)
        except Exception:  # noqa: BLE001 - however it notices
            refused.set()

    refused = trio.Event()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            async with guarded_node() as node:
                for _ in range(3):
                    nursery.start_soon(flood_until_refused, node)
                await until(lambda: len(node.delivered) > 20)
            await refused.wait()
            nursery.cancel_scope.cancel()


async def test_inbound_slots_are_given_back() -> None:
    """A stock host takes a fixed number of inbound connections in its whole life."""

    async def come_and_go(node: Node) -> None:
        for _ in range(4):
            async with attacker() as visitor:
                await connect(visitor, node.addr)
                await visitor.close()
            await trio.sleep(0.15)

    few = ConnectionConfig(max_connections=2, min_connections=0, low_watermark=0, high_watermark=2)
    assert not await survives(stock_node(few), come_and_go)
    assert await survives(guarded_node(limits=Limits(connections=2)), come_and_go)


async def idle_sockets(node: Node, count: int) -> list[trio.SocketStream]:
    address = parse(node.addr)
    return [await trio.open_tcp_stream(address.host, address.port) for _ in range(count)]


async def is_open(stream: trio.SocketStream) -> bool:
    """Whether the other side keeps a socket open; it greets those it keeps."""
    with trio.move_on_after(0.2):
        while True:
            try:
                if not await stream.receive_some(100):
                    return False
            except trio.BrokenResourceError:
                return False
    return True


async def test_one_address_cannot_hold_all_connections() -> None:
    async with stock_node() as node:
        sockets = await idle_sockets(node, 6)
        assert all([await is_open(one) for one in sockets])
    async with guarded_node(limits=Limits(connections_per_ip=3)) as node:
        sockets = await idle_sockets(node, 6)
        assert [await is_open(one) for one in sockets] == [True] * 3 + [False] * 3
        for one in sockets:
            await one.aclose()
        await trio.sleep(0.2)
        assert await serves(node)


async def send_many_in_one_rpc(node: Node) -> None:
    async with attacker() as host:
        messages = [signed(host, b"part %d" % number, number) for number in range(100)]
        await (await gossip_stream(host, node.addr)).write(rpc(*messages))
        await holds(lambda: len(node.delivered) >= 100, 1.0)


async def test_a_burst_in_one_rpc_is_delivered_whole() -> None:
    async with stock_node() as node:
        await send_many_in_one_rpc(node)
        assert 0 < len(node.delivered) < 100
    async with guarded_node() as node:
        await send_many_in_one_rpc(node)
        assert len(node.delivered) == 100


def envelope(payload: bytes, signature: bytes) -> bytes:
    parts = [(1, b"key"), (2, b"type"), (3, payload), (5, signature)]
    return b"".join(bytes([tag << 3 | 2, len(part)]) + part for tag, part in parts)


async def test_a_forgery_does_not_shut_out_the_true_record() -> None:
    """Both have one message id: the stock host remembers the refusal by it for 300 s."""
    forged, true = envelope(b"a record", b"forged"), envelope(b"a record", b"genuine")

    def verdict(data: bytes) -> bool:
        return data.endswith(b"genuine")

    async def forge_then_tell(node: Node) -> None:
        async with attacker() as host:
            stream = await gossip_stream(host, node.addr)
            for number, data in enumerate((forged, true)):
                await stream.write(rpc(signed(host, data, number)))
                await trio.sleep(0.1)
            await holds(lambda: bool(node.delivered), 0.5)

    async with stock_node(msg_id_constructor=id_by_payload) as node:
        judge_by(node, verdict)
        await forge_then_tell(node)
        assert node.delivered == []
    async with guarded_node(replace(quiet_hooks(), verdict=verdict)) as node:
        await forge_then_tell(node)
        assert node.delivered == [true]


async def test_messages_that_list_other_topics_are_dropped() -> None:
    """The stock router remembers a timestamp for every topic that any message names."""

    async def name_topics(node: Node) -> int:
        async with attacker() as host:
            topics = (TOPIC, *(f"junk {number}" for number in range(50)))
            stream = await gossip_stream(host, node.addr)
            await stream.write(rpc(signed(host, b"many", 1, topics), signed(host, b"one", 2)))
            await until(lambda: b"one" in node.delivered)
            return len(node.pubsub.router.recent_message_deliveries)

    async with stock_node() as node:
        assert await name_topics(node) > 50
    async with guarded_node() as node:
        assert await name_topics(node) == 0
        assert b"many" not in node.delivered


async def test_messages_are_not_kept_whole() -> None:
    """The stock router keeps a thousand, to see whether one number was used for two."""

    async def say_ten(node: Node) -> None:
        async with attacker() as host:
            stream = await gossip_stream(host, node.addr)
            said = [b"message %d" % number for number in range(10)]
            await stream.write(rpc(*(signed(host, data, at) for at, data in enumerate(said))))
            await until(lambda: sorted(node.delivered) == sorted(said))

    async with stock_node() as node:
        await say_ten(node)
        await until(lambda: len(node.pubsub.router.equivocation_detection) == 10)
    async with guarded_node() as node:
        await say_ten(node)
        await until(lambda: not node.pubsub.router.equivocation_detection)


async def test_a_peer_that_is_met_twice_at_once_is_sent_to_by_one_task() -> None:
    """As by two that dial each other; in a stock host a task is left over for ever."""

    async def senders_after_meeting(node: Node, within_s: float) -> int:
        async with stock_node() as peer:
            await connect(peer.host, node.addr)
            await until(lambda: _senders() == 2)
            node.pubsub._handle_dead_peer(peer.host.get_id())
            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(node.pubsub._handle_new_peer, peer.host.get_id())
            await holds(lambda: _senders() == 2, within_s)
            return _senders() - 1

    async with stock_node() as node:
        assert await senders_after_meeting(node, 1.0) > 1
    async with guarded_node() as node:
        assert await senders_after_meeting(node, 60.0) == 1


def _senders() -> int:
    """How many tasks send gossip to a peer."""
    root = trio.lowlevel.current_root_task()
    waiting, count = [root] if root else [], 0
    while waiting:
        task = waiting.pop()
        count += task.name.startswith("handle_sending_messages")
        waiting += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return count


async def test_a_life_that_ends_leaves_no_thread() -> None:
    """A stock pubsub never ends the thread that forgets the ids it has seen."""
    async with stock_node() as node:
        stock = node.pubsub.seen_messages._thread
    async with guarded_node() as node:
        ours = node.pubsub.seen_messages._thread
        assert ours.is_alive()
    assert stock.is_alive()
    assert not ours.is_alive()


async def test_nobody_may_claim_an_id_without_its_key() -> None:
    """A stock host accepts plaintext, where the id of a peer is only said."""

    async def connects_in_plaintext(node: Node) -> bool:
        host = plaintext_host()
        async with host.run([]):
            try:
                await connect(host, node.addr)
            except (SwarmException, trio.TooSlowError):
                return False
            return True

    async with stock_node() as node:
        assert await connects_in_plaintext(node)
    async with guarded_node() as node:
        assert not await connects_in_plaintext(node)
        assert await serves(node)


async def test_leaving_frees_the_port() -> None:
    """A stock host leaks its listening socket, which goes on taking connections."""
    host = new_host()
    async with host.run([Multiaddr(LOOPBACK)]):
        stock_port = parse(str(host.get_addrs()[0])).port
    assert not can_bind(stock_port)
    for listener in list(host.get_network().listeners.values()):
        await listener.close()

    port = 0
    with trio.CancelScope() as scope:
        async with guarded_node() as node:
            port = parse(node.addr).port
            assert not can_bind(port)
            scope.cancel()
            await trio.sleep_forever()
    assert port and can_bind(port)


def can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError:
            return False
        return True

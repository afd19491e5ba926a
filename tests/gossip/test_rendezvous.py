"""
Rendezvous points over real libp2p: a relay of the topic introduces those who ask, under
its one name, and whoever asks for anything else leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from libp2p.abc import IHost, INetStream
from libp2p.discovery.rendezvous.config import RENDEZVOUS_PROTOCOL as PROTOCOL
from libp2p.discovery.rendezvous.messages import (
    create_discover_message,
    create_discover_response_message,
    create_register_message,
    create_register_response_message,
)
from libp2p.discovery.rendezvous.pb.rendezvous_pb2 import Message
from libp2p.peer.id import ID
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited
from multiaddr import Multiaddr

from gossip import directories, exchange, libp2p_rendezvous
from gossip.directories import RENDEZVOUS, Wanted
from gossip.identity import new_identity
from gossip.libp2p_rendezvous import MAX_ROWS, TTL_S, Point
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.topics import Topic
from gossip.transport import CallError
from tests.gossip.stock import ask, attacker, connect, open_stream
from tests.gossip.test_private_topic import PRIVATE, PUBLIC, member
from tests.gossip.waiting import until

LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
WIDE = ("/ip4/0.0.0.0/tcp/0",)
KEY = bytes(range(32))
NAME = KEY.hex()
CLIENT = Wanted(KEY, rendezvous=True)
POINT = Wanted(KEY, rendezvous=True, point=True)
STATUS = Message.ResponseStatus


@asynccontextmanager
async def node(
    wanted: Wanted | None = CLIENT, listen: tuple[str, ...] = LOOPBACK
) -> AsyncGenerator[Libp2pTransport]:
    async with open_libp2p_transport(new_identity(), "/t", listen, wanted=wanted) as transport:
        yield transport


def point_of(transport: Libp2pTransport) -> Point:
    return cast(Any, transport)._network.directories[RENDEZVOUS].point


async def met(asker: Libp2pTransport, point: Libp2pTransport) -> str:
    """Connect, and wait until the asker knows that there is a point."""
    peer = await asker.dial(point.listen_addrs[0])
    await until(lambda: peer in asker.keepers(RENDEZVOUS))
    return peer


def registering(host: IHost, name: str, *addrs: str, ttl: int = 3600) -> Message:
    where = [Multiaddr(addr) for addr in addrs or ("/ip4/192.0.2.1/tcp/4001",)]
    return create_register_message(name, host.get_id(), where, ttl)


@pytest.mark.parametrize("topic", [PUBLIC, PRIVATE], ids=lambda topic: topic.name)
async def test_whole_nodes_meet_at_a_relay_of_their_topic(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked for peers; what is found is found by the way `rendezvous`."""
    monkeypatch.setattr(exchange, "ASK_AFTER_S", (600.0,))
    monkeypatch.setattr(directories, "ASK_AFTER_S", (0.5,))
    async with (
        member(tmp_path / "entrance", topic, rendezvous=True, relay=True) as entrance,
        member(tmp_path / "early", topic, join=entrance.addr, rendezvous=True) as early,
    ):
        wire = cast(Any, entrance.network)._transport
        point = point_of(wire if topic is PUBLIC else wire._inner)
        await until(lambda: bool(point.registrations[topic.dht_key.hex()]))
        async with member(tmp_path / "late", topic, join=entrance.addr, rendezvous=True) as late:
            await until(lambda: early.identity.peer_id in late.network.connected)
            found_by = late.network.document()["found_by"]
            assert cast("dict[str, str]", found_by)[early.identity.peer_id] == "rendezvous"


async def test_only_a_point_answers() -> None:
    """Neither one who asks himself nor one who has the setting off."""
    async with node(None) as plain, node() as client, node() as asker:
        for each in (plain, client):
            await asker.dial(each.listen_addrs[0])
            with pytest.raises(CallError):
                await asker.look_up(RENDEZVOUS, each.peer_id)
        assert asker.keepers(RENDEZVOUS) == ()


async def test_another_name_leaves_nothing_behind() -> None:
    """Asked for or registered; a stock service keeps a table for each."""
    async with node(POINT) as point, attacker() as host:
        peer = await connect(host, point.listen_addrs[0])
        for number in range(10):
            name = f"name {number}"
            found = await ask(host, peer, PROTOCOL, create_discover_message(name))
            taken = await ask(host, peer, PROTOCOL, registering(host, name))
            assert found.discoverResponse.status == STATUS.E_INVALID_NAMESPACE
            assert taken.registerResponse.status == STATUS.E_INVALID_NAMESPACE
        assert point_of(point).registrations == {NAME: {}}


async def test_registrations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In number, of one address, in addresses and in time; a peer has one."""
    monkeypatch.setattr(libp2p_rendezvous, "MAX_PER_IP", 2)
    async with node(POINT, WIDE) as point, attacker() as one, attacker() as two, attacker() as more:
        held = point_of(point).registrations[NAME]
        for host in (one, two, more):
            peer = await connect(host, point.listen_addrs[-1])
            many = [f"/ip4/192.0.2.1/tcp/{port}" for port in range(1, 300)]
            for asked in (many, ["/ip4/169.254.1.1/tcp/1"], many):
                await ask(host, peer, PROTOCOL, registering(host, NAME, *asked, ttl=3 * 24 * 3600))
        assert set(held) == {one.get_id(), two.get_id()}
        for record in held.values():
            assert len(record.addrs) <= 8
            assert record.ttl <= TTL_S
        peer = await connect(more, point.listen_addrs[-1])
        other = registering(more, NAME)
        other.register.peer.id = one.get_id().to_bytes()
        said = (await ask(more, peer, PROTOCOL, other)).registerResponse.status
        assert said in (STATUS.E_NOT_AUTHORIZED, STATUS.E_INVALID_PEER_INFO, STATUS.E_UNAVAILABLE)
        for record in held.values():
            record.expires_at = 0.0
        assert (
            await ask(more, peer, PROTOCOL, registering(more, NAME))
        ).registerResponse.status == STATUS.OK
        assert set(held) == {more.get_id()}


async def test_a_long_list_is_told_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks again hears of the next ones."""
    monkeypatch.setattr(libp2p_rendezvous, "MAX_ROWS", 1)
    async with node(POINT) as point, node() as one, node() as two, node() as asker:
        for each in (one, two, asker):
            await each.look_up(RENDEZVOUS, await met(each, point))
        told = set[str]()
        for _ in range(4):
            told |= set(await asker.look_up(RENDEZVOUS, point.peer_id))
        assert told == {one.peer_id, two.peer_id}


async def test_junk_costs_streams_and_not_the_node() -> None:
    framed = encode_varint_prefixed
    junk = [
        framed(b"\xff" * 400),
        b"\xff" * 4000,
        b"\xff\xff\xff\x01" + bytes(64 * 1024),
        framed(b"\x08\x63"),
        framed(create_discover_message(NAME, 2**30, b"\xff" * 9000).SerializeToString()),
        framed(Message(type=Message.REGISTER).SerializeToString()),
        framed(Message(type=Message.UNREGISTER).SerializeToString()) * 4000,
    ]
    async with node(POINT) as point, node() as honest, attacker() as host:
        peer = await connect(host, point.listen_addrs[0])
        for _ in range(8):
            for each in junk:
                with suppress(Exception), trio.move_on_after(2):
                    stream = await open_stream(host, peer, PROTOCOL)
                    await stream.write(each)
        assert await honest.look_up(RENDEZVOUS, await met(honest, point)) == {}
        assert point.restarts == 0
        assert len(point_of(point).registrations[NAME]) == 1


async def test_a_point_that_names_hundreds_is_heard_a_little() -> None:
    """At no address of our own machine; junk among its words costs its answer."""
    names = [ID.from_string(new_identity().peer_id).to_bytes() for _ in range(400)]
    bogus = ("/ip4/127.0.0.1/tcp/22", "/ip4/169.254.169.254/tcp/80", "/ip4/198.51.100.7/tcp/9")
    junk = list[bytes]()

    async def lie(stream: INetStream) -> None:
        asked = Message()
        asked.ParseFromString(await read_varint_prefixed_bytes_limited(stream, 2**20))
        rows: list[Message.Register] = []
        for number, name in enumerate(names):
            row = Message.Register(ns=NAME, ttl=60)
            row.peer.id = name
            row.peer.addrs.extend([Multiaddr(bogus[number % 3]).to_bytes(), *junk])
            rows.append(row)
        answer = create_register_response_message(STATUS.OK, "", TTL_S)
        if asked.type == Message.DISCOVER:
            answer = create_discover_response_message(rows, b"\xff" * 5000)
        await stream.write(encode_varint_prefixed(answer.SerializeToString()))
        await stream.close()

    async with node(POINT) as liar, node(CLIENT, WIDE) as asker:
        peer = await met(asker, liar)
        cast(Any, liar)._network._host.set_stream_handler(PROTOCOL, lie)
        told = await asker.look_up(RENDEZVOUS, peer)
        assert 0 < len(told) <= MAX_ROWS
        assert {addr.split("/")[2] for addrs in told.values() for addr in addrs} == {"198.51.100.7"}
        junk.append(bytes(10_000))
        with pytest.raises(CallError):
            await asker.look_up(RENDEZVOUS, peer)
        assert asker.peers() == (peer,)

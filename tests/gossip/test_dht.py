"""
The DHT over real libp2p: nodes find each other through a third, and whoever is hostile
there costs little and reaches nobody's address book.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from libp2p.abc import IHost, INetStream
from libp2p.exceptions import BaseLibp2pError
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.peer.id import ID
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited
from multiaddr import Multiaddr

from gossip import directories, exchange, libp2p_enclosed
from gossip.directories import DHT, LookUps, Wanted
from gossip.discovery import MAX_UNMET_PER_WAY, Discovery
from gossip.identity import new_identity
from gossip.libp2p_dht import PROTOCOL, Dht
from gossip.libp2p_enclosed import STREAMS_PER_PEER
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.peer_book import PeerBook
from gossip.provided import MAX_KEYS, PEERS_PER_KEY
from gossip.topics import Topic
from gossip.transport import CallError, DialError
from tests.gossip.stock import ask, attacker, connect, open_stream
from tests.gossip.test_private_topic import PRIVATE, PUBLIC, member
from tests.gossip.waiting import until

TOPIC = "/dht"
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
WIDE = ("/ip4/0.0.0.0/tcp/0",)
KEY = bytes(range(32))
MULTIHASH = b"\x12\x20" + KEY
SERVED = Wanted(KEY, dht=True)


@asynccontextmanager
async def node(
    wanted: Wanted | None = SERVED, listen: Sequence[str] = LOOPBACK
) -> AsyncGenerator[Libp2pTransport]:
    async with open_libp2p_transport(new_identity(), TOPIC, listen, wanted=wanted) as transport:
        yield transport


def host_of(transport: Libp2pTransport) -> IHost:
    return cast(Any, transport)._network._host


def dht_of(transport: Libp2pTransport) -> Dht:
    return cast(Any, transport)._network.directories[DHT]


def table_of(transport: Libp2pTransport) -> Any:
    return cast(Any, dht_of(transport).provider_store).table


async def served_by(asker: Libp2pTransport, server: Libp2pTransport) -> str:
    """Connect, and wait until the asker knows that the server serves the DHT."""
    peer = await asker.dial(server.listen_addrs[0])
    await until(lambda: peer in asker.keepers(DHT))
    return peer


def adding(host: IHost, key: bytes, addrs: Sequence[str], of: ID | None = None) -> Message:
    """An ADD_PROVIDER, for the sender or somebody else."""
    message = Message(type=Message.MessageType.ADD_PROVIDER, key=key)
    provider = message.providerPeers.add()
    provider.id = (of or host.get_id()).to_bytes()
    provider.addrs.extend(Multiaddr(addr).to_bytes() for addr in addrs)
    return message


async def test_two_nodes_find_each_other_through_a_third(tmp_path: Path) -> None:
    """The third has dialled neither; what is found is a hint by the way `dht`."""
    book = PeerBook(tmp_path / "peers.json")
    async with node() as entrance, node() as early, node() as late, trio.open_nursery() as nursery:
        assert await early.look_up(DHT, await served_by(early, entrance)) == {}
        await served_by(late, entrance)
        finding = Discovery(
            late.peer_id, book, [LookUps(DHT, late)], on_trouble=print, uniform=lambda: 0.5
        )
        nursery.start_soon(finding.run)
        await until(lambda: early.peer_id in book.entries)
        assert book.entries[early.peer_id].way == DHT
        assert book.entries[early.peer_id].addrs == early.listen_addrs
        assert early.peer_id not in late.peers(), "whom to dial is not decided here"
        assert await late.dial(book.entries[early.peer_id].addrs[0]) == early.peer_id
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("topic", [PUBLIC, PRIVATE], ids=lambda topic: topic.name)
async def test_whole_nodes_meet_through_an_entrance_that_is_no_member(
    topic: Topic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked for peers; the entrance works on the public topic, whatever theirs is."""
    monkeypatch.setattr(exchange, "ASK_AFTER_S", (600.0,))
    monkeypatch.setattr(directories, "ASK_AFTER_S", (0.5,))
    async with (
        member(tmp_path / "entrance", PUBLIC, dht=True) as entrance,
        member(tmp_path / "early", topic, join=entrance.addr, dht=True) as early,
    ):
        table = table_of(cast(Any, entrance.network)._transport)
        await until(lambda: table.at(b"\x12\x20" + topic.dht_key) != [])
        async with member(tmp_path / "late", topic, join=entrance.addr, dht=True) as late:
            await until(lambda: early.identity.peer_id in late.network.connected)
            found_by = late.network.document()["found_by"]
            assert cast("dict[str, str]", found_by)[early.identity.peer_id] == "dht"


async def test_without_the_setting_nothing_of_it_is_spoken() -> None:
    async with node(None) as plain, node(Wanted(KEY)) as neither, node() as other:
        for each in (plain, neither):
            await other.dial(each.listen_addrs[0])
            with pytest.raises(Exception, match="failed to open a stream"):
                await host_of(other).new_stream(ID.from_string(each.peer_id), [PROTOCOL])
            assert each.keepers(DHT) == other.keepers(DHT) == ()
        with pytest.raises(CallError):
            await other.look_up(DHT, plain.peer_id)


async def test_nobody_is_dialled_because_a_directory_names_him() -> None:
    """Nor because we ask somebody who is not connected, though his address is known."""
    async with node() as server, node() as asker, node() as named:
        peer = await served_by(asker, server)
        stranger = ID.from_string(named.peer_id)
        addrs = [Multiaddr(named.listen_addrs[0])]
        host_of(asker).get_peerstore().add_addrs(stranger, addrs, 600)
        with pytest.raises(CallError):
            await asker.look_up(DHT, named.peer_id)
        await named.dial(server.listen_addrs[0])
        await until(lambda: server.peer_id in named.keepers(DHT))
        await named.look_up(DHT, server.peer_id)
        assert set(await asker.look_up(DHT, peer)) == {named.peer_id}
        await trio.sleep(0.5)
        assert asker.peers() == (server.peer_id,)


async def test_a_table_is_bounded_and_takes_nobody_at_anothers_word() -> None:
    """A flood of keys and of providers, of oneself and of others, at addresses of any kind."""
    async with node(listen=WIDE) as server, attacker() as host:
        peer = await connect(host, server.listen_addrs[-1])
        good = "/ip4/192.0.2.1/tcp/4001"
        everywhere = [good] * 500 + ["/ip4/169.254.1.1/tcp/1", "/ip4/10.0.0.1/tcp/0"]
        other = ID.from_string(new_identity().peer_id)
        await ask(host, peer, PROTOCOL, adding(host, MULTIHASH, everywhere[-3:], other))
        assert len(table_of(server)) == 0
        await ask(host, peer, PROTOCOL, adding(host, MULTIHASH, everywhere[-3:]))
        [info] = table_of(server).at(MULTIHASH)
        assert [str(addr) for addr in info.addrs] == [f"{good}/p2p/{host.get_id()}"]
        for number in range(200):
            with suppress(Exception):
                await ask(host, peer, PROTOCOL, adding(host, b"%d" % number, everywhere))
        assert len(table_of(server)) <= MAX_KEYS * PEERS_PER_KEY
        assert len(table_of(server).at(MULTIHASH)) == 1
        assert not dht_of(server).routing_table.size()
        book = cast(Any, dht_of(server)).host.get_peerstore()
        assert not book.peer_data_map
        assert not book.peer_record_map


async def test_values_of_strangers_are_refused() -> None:
    """Well-formed ones too; and nobody is told of whom else this node knows."""
    async with node() as server, node() as other, attacker() as host:
        await served_by(other, server)
        peer = await connect(host, server.listen_addrs[0])
        key = b"/pk/" + host.get_id().to_bytes()
        put = Message(type=Message.MessageType.PUT_VALUE, key=key)
        put.record.key, put.record.value = key, host.get_public_key().serialize()
        with pytest.raises(BaseLibp2pError):
            await ask(host, peer, PROTOCOL, put)
        got = await ask(host, peer, PROTOCOL, Message(type=Message.MessageType.GET_VALUE, key=key))
        assert not got.HasField("record")
        wanted = ID.from_string(other.peer_id).to_bytes()
        near = await ask(
            host, peer, PROTOCOL, Message(type=Message.MessageType.FIND_NODE, key=wanted)
        )
        assert len(got.closerPeers) == len(near.closerPeers) == 0
        assert dht_of(server).get_value_store_size() == 0


def putting(key: bytes, value: bytes) -> bytes:
    """A PUT_VALUE, framed."""
    message = Message(type=Message.MessageType.PUT_VALUE, key=key)
    message.record.key, message.record.value = key, value
    return encode_varint_prefixed(message.SerializeToString())


JUNK = {
    "garbage": encode_varint_prefixed(b"\xff" * 400),
    "not framed": b"\xff" * 4000,
    "endless": b"\xff\xff\xff\x01" + bytes(64 * 1024),
    "empty": encode_varint_prefixed(b"") * 2000,
    "a value": putting(b"plain", bytes(8000)),
    "values": b"".join(putting(b"%d" % number, b"x") for number in range(200)),
    "a great value": putting(b"/pk/", bytes(2**20)),
    "no such type": encode_varint_prefixed(b"\x08\x63") * 2000,
    "a key that is no peer": encode_varint_prefixed(
        Message(type=Message.MessageType.FIND_NODE, key=b"\xff" * 40).SerializeToString()
    ),
    "a false record": encode_varint_prefixed(
        Message(
            type=Message.MessageType.GET_PROVIDERS, key=MULTIHASH, senderRecord=b"\xff" * 99
        ).SerializeToString()
    ),
}


async def test_junk_and_floods_cost_streams_and_not_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of every kind, again and again, with streams that are never finished; others are served."""
    monkeypatch.setattr(libp2p_enclosed, "ANSWER_S", 1.0)
    async with node() as server, node() as honest, attacker() as host:
        peer = await connect(host, server.listen_addrs[0])
        for _ in range(20):
            for junk in JUNK.values():
                with suppress(Exception), trio.move_on_after(2):
                    stream = await open_stream(host, peer, PROTOCOL)
                    await stream.write(junk)
        held: list[INetStream] = []
        for _ in range(20):
            with suppress(Exception), trio.move_on_after(2):
                held.append(await open_stream(host, peer, PROTOCOL))
        assert server.restarts == 0
        assert dht_of(server).get_value_store_size() == 0
        assert await honest.look_up(DHT, await served_by(honest, server)) == {}
        await until(lambda: len(table_of(server).at(MULTIHASH)) == 1)


async def test_who_holds_streams_open_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at a time, and those for so long; more are reset at once."""
    monkeypatch.setattr(libp2p_enclosed, "ANSWER_S", 1.0)
    async with node() as server, attacker() as host:
        peer = await connect(host, server.listen_addrs[0])
        streams = [await open_stream(host, peer, PROTOCOL) for _ in range(STREAMS_PER_PEER)]
        with pytest.raises(BaseLibp2pError), trio.fail_after(10):
            await (await open_stream(host, peer, PROTOCOL)).read(1)
        for stream in streams:
            with pytest.raises(BaseLibp2pError), trio.fail_after(10):
                await stream.read(1)
        asked = adding(host, MULTIHASH, ["/ip4/192.0.2.1/tcp/4001"])
        assert (await ask(host, peer, PROTOCOL, asked)).key == MULTIHASH


async def test_a_server_that_names_a_thousand_leaves_a_few_hints(tmp_path: Path) -> None:
    """None at an address that leads to our own machine or nowhere, and none is dialled."""
    own = PeerBook(tmp_path / "peers.json")
    bogus = ("/ip4/127.0.0.1/tcp/22", "/ip4/169.254.169.254/tcp/80", "/ip4/198.51.100.7/tcp/9")
    names = [ID.from_string(new_identity().peer_id).to_bytes() for _ in range(1000)]

    async def lie(stream: INetStream) -> None:
        await read_varint_prefixed_bytes_limited(stream, 2**20)
        answer = Message(type=Message.MessageType.GET_PROVIDERS, key=MULTIHASH)
        for number, name in enumerate(names):
            told = answer.providerPeers.add()
            told.id = name
            told.addrs.append(Multiaddr(bogus[number % len(bogus)]).to_bytes())
            told.addrs.append(b"\xff\xff junk")
        await stream.write(encode_varint_prefixed(answer.SerializeToString()))
        await stream.close()

    async with node() as liar, node(listen=WIDE) as asker, trio.open_nursery() as nursery:
        await served_by(asker, liar)
        host_of(liar).set_stream_handler(PROTOCOL, lie)
        known = len(cast(Any, host_of(asker).get_peerstore()).peer_data_map)
        finding = Discovery(
            asker.peer_id, own, [LookUps(DHT, asker)], on_trouble=print, uniform=lambda: 0.5
        )
        nursery.start_soon(finding.run)
        await until(lambda: bool(own.entries))
        for _ in range(20):
            told = await asker.look_up(DHT, liar.peer_id)
            for peer, addrs in told.items():
                finding.heard(DHT, peer, addrs)
        assert 0 < len(own.entries) <= MAX_UNMET_PER_WAY
        assert {addr.split("/")[2] for e in own.entries.values() for addr in e.addrs} == {
            "198.51.100.7"
        }
        assert len(cast(Any, host_of(asker).get_peerstore()).peer_data_map) == known
        assert len(table_of(asker)) == 0
        assert asker.peers() == (liar.peer_id,)
        nursery.cancel_scope.cancel()


async def test_a_server_that_never_answers_costs_a_deadline() -> None:
    async def stall(stream: INetStream) -> None:
        await trio.sleep_forever()

    async with node() as stalling, node() as asker:
        peer = await served_by(asker, stalling)
        host_of(stalling).set_stream_handler(PROTOCOL, stall)
        with pytest.raises(CallError, match="did not answer within"):
            await asker.look_up(DHT, peer, 1.0)
        with pytest.raises(DialError):
            await asker.dial("/ip4/127.0.0.1/tcp/1/p2p/" + new_identity().peer_id, 1.0)

"""What a service of the library is shielded from: messages too odd for it, and who waits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import trio
from libp2p.abc import IHost, INetStream
from libp2p.discovery.rendezvous.config import RENDEZVOUS_PROTOCOL
from libp2p.discovery.rendezvous.pb import rendezvous_pb2
from libp2p.kad_dht.pb import kademlia_pb2
from libp2p.peer.id import ID
from libp2p.utils.varint import encode_varint_prefixed
from multiaddr import Multiaddr

from gossip.directories import DHT, RENDEZVOUS, Wanted
from gossip.identity import new_identity
from gossip.libp2p_dht import PROTOCOL
from gossip.libp2p_enclosed import QUESTION_S
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.transport import CallError
from tests.gossip.beats import no_stall
from tests.gossip.stock import ask, attacker, connect, open_stream
from tests.gossip.test_dht import MULTIHASH, adding, host_of, served_by, table_of
from tests.gossip.waiting import until

KEY = MULTIHASH[2:]
WANTED = Wanted(KEY, dht=True, rendezvous=True, point=True)
TYPE = kademlia_pb2.Message.MessageType
ADDR = Multiaddr("/ip4/192.0.2.1/tcp/4001").to_bytes()


@asynccontextmanager
async def node(listen: str = "/ip4/127.0.0.1/tcp/0") -> AsyncGenerator[Libp2pTransport]:
    async with open_libp2p_transport(new_identity(), "/t", (listen,), wanted=WANTED) as transport:
        yield transport


def provider(kind: Any, name: bytes, addr: bytes = ADDR) -> bytes:
    message = kademlia_pb2.Message(type=kind, key=MULTIHASH)
    message.providerPeers.append(kademlia_pb2.Message.Peer(id=name, addrs=[addr]))
    return message.SerializeToString()


def registered(name: bytes) -> bytes:
    message = rendezvous_pb2.Message(type=rendezvous_pb2.Message.REGISTER)
    message.register.ns, message.register.ttl = KEY.hex(), 100
    message.register.peer.id = name
    message.register.peer.addrs.append(ADDR)
    return message.SerializeToString()


def found(name: bytes) -> bytes:
    """An answer of a point; `REGISTER` gets it too, and the asker goes no further."""
    message = rendezvous_pb2.Message(type=rendezvous_pb2.Message.DISCOVER_RESPONSE)
    row = message.discoverResponse.registrations.add()
    row.ns, row.ttl, row.peer.id = KEY.hex(), 100, name
    row.peer.addrs.append(ADDR)
    return message.SerializeToString()


LONG = b"\xff" * 15_800
ODD = {
    "a provider": (PROTOCOL, provider(TYPE.ADD_PROVIDER, LONG)),
    "a key": (PROTOCOL, kademlia_pb2.Message(type=TYPE.FIND_NODE, key=LONG).SerializeToString()),
    "one who registers": (RENDEZVOUS_PROTOCOL, registered(LONG)),
    "one who leaves": (
        RENDEZVOUS_PROTOCOL,
        rendezvous_pb2.Message(
            type=rendezvous_pb2.Message.UNREGISTER,
            unregister=rendezvous_pb2.Message.Unregister(ns=KEY.hex(), id=LONG),
        ).SerializeToString(),
    ),
}


@pytest.mark.parametrize("what", ODD)
async def test_a_question_may_name_anybody(what: str) -> None:
    """It is refused unread, and whoever asks well is answered."""
    protocol, question = ODD[what]
    async with node() as server, attacker() as host:
        peer = await connect(host, server.listen_addrs[0])
        async with no_stall():
            for _ in range(4):
                stream = await open_stream(host, peer, protocol)
                await stream.write(encode_varint_prefixed(question))
        asked = adding(host, MULTIHASH, ["/ip4/192.0.2.1/tcp/1"])
        assert (await ask(host, peer, PROTOCOL, asked)).key


async def test_an_address_of_any_length_is_none() -> None:
    """Though it is the asker's own, and well-formed to its end."""
    long = ADDR + b"\xa5\x03" + encode_varint_prefixed(b"\x12" + b"\xff" * 14_999)
    async with node() as server, attacker() as host:
        peer = await connect(host, server.listen_addrs[0])
        own = host.get_id().to_bytes()
        async with no_stall():
            stream = await open_stream(host, peer, PROTOCOL)
            question = provider(TYPE.ADD_PROVIDER, own, long)
            await stream.write(encode_varint_prefixed(question))
        assert len(table_of(server)) == 0


@pytest.mark.parametrize("directory", [DHT, RENDEZVOUS])
async def test_an_answer_may_name_anybody(directory: str) -> None:
    """40 KB long; nothing of such an answer is believed."""
    name = b"\xff" * 40_000
    protocol = PROTOCOL if directory == DHT else RENDEZVOUS_PROTOCOL
    said = provider(TYPE.GET_PROVIDERS, name) if directory == DHT else found(name)

    async def lie(stream: INetStream) -> None:
        await stream.read(1)
        await stream.write(encode_varint_prefixed(said))
        await stream.close()

    async with node() as liar, node() as asker:
        await served_by(asker, liar)
        host_of(liar).set_stream_handler(protocol, lie)
        async with no_stall():
            with suppress(CallError):
                assert await asker.look_up(directory, liar.peer_id) == {}


async def hold(host: IHost, peer: ID) -> None:
    """Have a stream open at all times on which a question has begun."""
    while True:
        with suppress(Exception), trio.move_on_after(11):
            stream = await open_stream(host, peer, PROTOCOL)
            await stream.write(b"\x05")
            await stream.read(1)
        await trio.sleep(0.05)


async def test_who_waits_takes_the_directory_from_nobody() -> None:
    """Seven connections of one address with two streams each, and a node from another."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(node("/ip4/0.0.0.0/tcp/0"))
        honest = await stack.enter_async_context(node("/ip4/0.0.0.0/tcp/0"))
        near = next(addr for addr in server.listen_addrs if "/127.0.0.1/" in addr)
        wide = [addr for addr in server.listen_addrs if "/127.0.0.1/" not in addr]
        if not wide:
            pytest.skip("this machine has no address but loopback")
        hosts = [await stack.enter_async_context(attacker()) for _ in range(7)]
        async with trio.open_nursery() as nursery:
            for host in hosts:
                peer = await connect(host, near)
                nursery.start_soon(hold, host, peer)
                nursery.start_soon(hold, host, peer)
            await trio.sleep(1)
            asked = await honest.dial(wide[0])
            await until(lambda: asked in honest.keepers(DHT))
            for _ in range(4):
                assert await honest.look_up(DHT, asked) == {}
                await trio.sleep(QUESTION_S / 2)
            assert [str(info.peer_id) for info in table_of(server).at(MULTIHASH)] == [
                honest.peer_id
            ]
            nursery.cancel_scope.cancel()

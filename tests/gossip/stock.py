"""
A stock py-libp2p node, a hostile one and a guarded one, for the guard tests.

The stock node is what the library's own examples build. The attacker speaks
real libp2p up to the stream and then writes whatever a test wants.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

import trio
from google.protobuf.message import Message
from libp2p import new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.validators import PUBSUB_SIGNING_PREFIX
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import encode_varint_prefixed, read_varint_prefixed_bytes_limited
from multiaddr import Multiaddr

from gossip.dial_back import DialBackDesk
from gossip.identity import new_identity
from gossip.libp2p_host import Hooks, Limits, Network, Stream, open_network
from gossip.message_id import message_id
from gossip.multiaddress import parse

TOPIC = "/research-swarm/1/guards"
LOOPBACK = "/ip4/127.0.0.1/tcp/0"
MESHSUB = TProtocol("/meshsub/1.1.0")


@dataclass
class Node:
    """A node under attack: where it listens, and what it delivered."""

    addr: str
    host: Any
    pubsub: Any
    network: Network | None = None
    delivered: list[bytes] = field(default_factory=list[bytes])


def new_pubsub(host: IHost, **options: Any) -> tuple[Pubsub, GossipSub]:
    """The library's pubsub on a host, all defaults but a usable heartbeat."""
    router = GossipSub([MESHSUB], degree=6, degree_low=4, degree_high=12, heartbeat_interval=1)
    return Pubsub(host, router, **options), router


@asynccontextmanager
async def stock_node(
    config: ConnectionConfig | None = None, **pubsub_options: Any
) -> AsyncGenerator[Node]:
    """The library as its examples use it, services first."""
    host = new_host(connection_config=config)
    pubsub, router = new_pubsub(host, **pubsub_options)
    async with (
        background_trio_service(pubsub),
        background_trio_service(router),
        host.run([Multiaddr(LOOPBACK)]),
    ):
        await pubsub.wait_until_ready()
        subscription = await pubsub.subscribe(TOPIC)
        node = Node(str(host.get_addrs()[0]), host, pubsub)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_drain, subscription, node.delivered)
            try:
                yield node
            finally:
                nursery.cancel_scope.cancel()
                await _close_listeners(host)


async def _drain(subscription: Any, delivered: list[bytes]) -> None:
    while True:
        delivered.append((await subscription.get()).data)


async def _close_listeners(host: IHost) -> None:
    with trio.CancelScope() as scope:
        scope.shield = True
        for listener in list(cast(Any, host.get_network()).listeners.values()):
            await listener.close()


async def _no_answer(stream: Stream, peer: str) -> bool:
    await stream.reset()
    return True


def quiet_hooks() -> Hooks:
    """Hooks that accept everything and do nothing."""
    return Hooks(
        lambda data: True,
        lambda data, peer: None,
        lambda peer, up: None,
        _no_answer,
        DialBackDesk(lambda: 0),
    )


@asynccontextmanager
async def guarded_node(
    hooks: Hooks | None = None, limits: Limits | None = None
) -> AsyncGenerator[Node]:
    """Our own host."""
    node = Node("", None, None)

    def deliver(data: bytes, sender: str) -> None:
        node.delivered.append(data)

    hooks = replace(hooks or quiet_hooks(), deliver=deliver)
    listen = [parse(LOOPBACK)]
    async with open_network(new_identity(), TOPIC, listen, hooks, limits or Limits()) as network:
        node.addr, node.network = network.listen_addrs[0], network
        node.host, node.pubsub = cast(Any, network)._host, cast(Any, network)._pubsub
        yield node


def plaintext_host() -> IHost:
    """A host that speaks plaintext only."""
    key_pair = create_new_key_pair()
    security = {TProtocol(PLAINTEXT_PROTOCOL_ID): InsecureTransport(key_pair)}
    return new_host(key_pair=key_pair, sec_opt=security)


def leaves(error: BaseException) -> list[BaseException]:
    """The plain exceptions inside groups."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    parts = cast("BaseExceptionGroup[BaseException]", error).exceptions
    return [leaf for part in parts for leaf in leaves(part)]


@asynccontextmanager
async def attacker() -> AsyncGenerator[IHost]:
    """A plain host that listens nowhere."""
    host = new_host(key_pair=create_new_key_pair())
    async with host.run([]):
        yield host


async def connect(host: IHost, addr: str) -> ID:
    """Dial a node, within two seconds."""
    info = info_from_p2p_addr(Multiaddr(addr))
    with trio.fail_after(30):
        await host.connect(info)
    return info.peer_id


async def gossip_stream(host: IHost, addr: str) -> INetStream:
    """A gossip stream to a node, to write anything to."""
    peer = await connect(host, addr)
    with trio.fail_after(30):
        return await host.new_stream(peer, [MESHSUB])


async def open_stream(host: IHost, peer: ID, protocol: str) -> INetStream:
    """A stream on any protocol."""
    return await host.new_stream(peer, [TProtocol(protocol)])


M = TypeVar("M", bound=Message)


async def ask(host: IHost, peer: ID, protocol: str, message: M) -> M:
    """One question on a stream of its own, and the answer, of the same kind."""
    stream = await open_stream(host, peer, protocol)
    await stream.write(encode_varint_prefixed(message.SerializeToString()))
    with trio.fail_after(10):
        data = await read_varint_prefixed_bytes_limited(stream, 2**20)
    answer = type(message)()
    answer.ParseFromString(data)
    return answer


def judge_by(node: Node, verdict: Callable[[bytes], bool]) -> None:
    """Give a stock node a topic validator."""

    def validator(peer: Any, message: Any) -> bool:
        return verdict(message.data)

    node.pubsub.set_topic_validator(TOPIC, validator, False)


def id_by_payload(message: Any) -> bytes:
    """Our message id, for a stock node."""
    return message_id(message.data)


def signed(host: IHost, data: bytes, seqno: int = 1, topics: tuple[str, ...] = (TOPIC,)) -> Any:
    """A correctly signed message."""
    message = rpc_pb2.Message(
        data=data,
        topicIDs=topics,
        from_id=host.get_id().to_bytes(),
        seqno=seqno.to_bytes(8, "big"),
    )
    signature = host.get_private_key().sign(
        PUBSUB_SIGNING_PREFIX.encode() + message.SerializeToString()
    )
    message.signature = signature
    message.key = host.get_public_key().serialize()
    return message


def rpc(*messages: Any) -> bytes:
    """One RPC that carries messages, as it goes over the wire."""
    return encode_varint_prefixed(rpc_pb2.RPC(publish=messages).SerializeToString())


async def survives(
    opening: Any, attack: Callable[[Node], Awaitable[None]], patience_s: float = 1.0
) -> bool:
    """
    Attack a node and say whether it still serves a newcomer afterwards.

    A node that dies raises out of its own context; one that is deaf refuses the
    newcomer or does not deliver its message.
    """
    try:
        async with opening as node:
            with suppress(Exception):
                await attack(node)
            await trio.sleep(0.3)
            return await serves(node, patience_s)
    except BaseExceptionGroup as group:
        if group.subgroup(trio.Cancelled) is not None:
            raise
        return False
    except Exception:  # noqa: BLE001 - any way of dying will do
        return False


async def serves(node: Node, patience_s: float = 2.0) -> bool:
    """Whether a newcomer can connect and have a message delivered."""
    async with attacker() as newcomer:
        stream = await gossip_stream(newcomer, node.addr)
        await stream.write(rpc(signed(newcomer, b"still there?")))
        with trio.move_on_after(patience_s):
            while b"still there?" not in node.delivered:  # noqa: ASYNC110
                await trio.sleep(0.02)
            return True
    return False

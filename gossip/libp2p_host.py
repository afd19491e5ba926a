"""
One life of a hardened py-libp2p host: opened, used, closed, never repaired.

This and the modules it stands on (`gossip.guards`, `gossip.fast`, `gossip.libp2p_dial_back`)
are the only ones that touch py-libp2p, which costs 0.6 s and 40 MB to import: import it
where a network is started, not at the top of a file.

Law: services run before the host listens (the other order crashes when a peer
connects in between), listeners are closed on every way out (a leaked one keeps
taking connections), and what libp2p raises stays an exception of this life for
the supervisor in `gossip.libp2p_transport` to deal with.

Source: https://github.com/libp2p/py-libp2p at 0.8.1
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import trio
from libp2p import new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.config import ConnectionConfig
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr
from multiaddr.exceptions import StringParseError

from gossip import dead_links, fast, libp2p_ids
from gossip.circuits import CircuitLimits, Place
from gossip.desks import PROTOCOLS, SYNC
from gossip.dial_back import DialBackDesk, Seen
from gossip.directories import DHT, RENDEZVOUS, Directory, Wanted
from gossip.expulsions import Expulsions
from gossip.guards import GuardedPubsub, guard_host
from gossip.identity import Identity
from gossip.libp2p_addrs import addrs_of, own_addrs, without_wildcards
from gossip.libp2p_circuits import Circuits
from gossip.libp2p_dht import Dht
from gossip.libp2p_dial_back import answer_dial_backs, ask_dial_back
from gossip.libp2p_enclosed import ip_of
from gossip.libp2p_punch import Punch
from gossip.libp2p_relay import RelayService
from gossip.libp2p_rendezvous import Rendezvous
from gossip.limits import Limits
from gossip.message_id import message_id
from gossip.multiaddress import Address, parse
from gossip.router import new_router
from gossip.transport import DialError, PeerId, TransportError, Verdict

_log = logging.getLogger(__name__)

MESHSUB = ("/meshsub/1.1.0", "/meshsub/1.0.0")
CALL_PROTOCOL = PROTOCOLS[SYNC]
CLOSE_S = 5.0


class Stream(Protocol):
    """A byte stream to one peer."""

    async def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` bytes."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        ...

    async def close(self) -> None:
        """End our side in good order."""
        ...

    async def reset(self) -> None:
        """Abandon both sides."""
        ...


Answer = Callable[[Stream, PeerId], Awaitable[bool]]
"""Answers a call; whether an honest peer may have asked that."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a host calls while it lives. None of these may wait, but ``answer``."""

    verdict: Verdict
    deliver: Callable[[bytes, PeerId], None]
    connected: Callable[[PeerId, bool], None]
    answer: Answer
    dial_backs: DialBackDesk
    place: Callable[[], Place] = Place
    """What is known of where this node is."""
    answer_more: Mapping[str, Answer] = field(default_factory=dict[str, Answer])
    """Who answers on other protocols, by their names."""


class Network:
    """A host that listens and gossips on one topic."""

    def __init__(
        self,
        host: IHost,
        pubsub: GuardedPubsub,
        circuits: Circuits,
        directories: Mapping[str, Directory],
        topic: str,
        dials: int,
    ) -> None:
        self._host = host
        self.directories = directories
        self._circuits = circuits
        self._dials = trio.CapacityLimiter(dials)
        self._pubsub = pubsub
        self._topic = topic

    @property
    def bound(self) -> tuple[Address, ...]:
        """The addresses bound, ports filled in."""
        addresses = cast(Any, self._host).get_transport_addrs()
        return tuple(parse(str(address)) for address in addresses)

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Full multiaddrs that others can dial."""
        return own_addrs(self._host)

    def peers(self) -> tuple[PeerId, ...]:
        """Peers with a live connection."""
        return tuple(str(peer) for peer in self._host.get_connected_peers())

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        """Where a peer says it can be dialled from here; empty until it has said so."""
        return addrs_of(self._host, peer)

    def ip_of(self, peer: PeerId) -> str:
        """The address that a peer's connection comes from; "" through a relay."""
        return ip_of(self._host, ID.from_string(peer))

    async def publish(self, data: bytes) -> None:
        """Send a message to the mesh."""
        await self._pubsub.publish(self._topic, data)

    async def keep_reserved(self) -> None:
        """Stay reachable through relays while that is needed, until cancelled."""
        await self._circuits.keep_reserved()

    async def open_stream(self, peer: PeerId, protocol: str = CALL_PROTOCOL) -> Stream:
        """
        A stream for one call to a connected peer.

        Raises:
            TransportError: The peer is gone or does not speak our protocol.
        """
        if peer not in self.peers():
            raise TransportError(f"{peer} is not connected")
        try:
            protocols = [TProtocol(protocol)]
            return cast(Stream, await self._host.new_stream(ID.from_string(peer), protocols))
        except Exception as error:
            raise TransportError(f"no stream to {peer}: {error}") from error

    async def dial_back(self, peer: PeerId, now_ms: Callable[[], int]) -> Seen:
        """
        Ask a connected peer whether it reaches the ports bound.

        Raises:
            CallError: It gives no good answer.
        """
        return await ask_dial_back(self._host, peer, [each.port for each in self.bound], now_ms)

    async def dial(self, address: Address) -> PeerId:
        """
        Connect to exactly this address.

        Raises:
            DialError: Nobody there, or not who should be.
        """
        peer = address.peer or ""
        swarm = cast(Swarm, self._host.get_network())
        swarm.unblock_peer(ID.from_string(peer))
        try:
            async with self._dials:
                if address.relay is not None:
                    return await self._circuits.dial(address)
                await swarm.dial_addr(Multiaddr(str(address)), ID.from_string(peer))
        except SwarmException as error:
            raise DialError(_why_not(address, error)) from error
        except StringParseError as error:
            raise DialError(f"{address} is no address to libp2p") from error
        return peer


@asynccontextmanager
async def open_network(
    identity: Identity,
    topic: str,
    listen: Iterable[Address],
    hooks: Hooks,
    limits: Limits,
    pre_shared_key: str | None = None,
    circuits: CircuitLimits | None = None,
    wanted: Wanted | None = None,
) -> AsyncGenerator[Network]:
    """
    Run a host until the block ends; with a pre-shared key, among those who have it.

    With limits for circuits it serves others as a relay; it takes part in the
    directories that are wanted, and speaks the protocols of no others.

    Raises:
        TransportError: It could not listen.
    """
    _let_logs_through()
    fast.apply()
    dead_links.apply()
    libp2p_ids.apply()
    host = _new_host(identity, limits, pre_shared_key)
    expelled = guard_host(host, limits)
    router = new_router(MESHSUB, limits.heartbeat_s)
    pubsub = GuardedPubsub(
        host,
        router,
        topic=topic,
        verdict=hooks.verdict,
        deliver=hooks.deliver,
        message_id=message_id,
        limits=limits,
        expelled=expelled,
    )
    for protocol, answer in ({CALL_PROTOCOL: hooks.answer} | dict(hooks.answer_more)).items():
        host.set_stream_handler(TProtocol(protocol), _answering(answer, expelled))
    answer_dial_backs(host, hooks.dial_backs)
    ends = Circuits(host, hooks.place)
    if circuits is not None:
        RelayService(host, circuits).offer()
    directories = _directories(host, wanted)
    host.get_network().register_notifee(cast(Any, _Comings(hooks)))
    addresses = [Multiaddr(address.base) for address in listen]
    try:
        async with (
            background_trio_service(pubsub),
            background_trio_service(router),
            host.run(addresses),
            background_trio_service(Punch(host, hooks.place)),
        ):
            _check_listening(host, addresses)
            await pubsub.wait_until_ready()
            await pubsub.subscribe(topic)
            try:
                yield Network(host, pubsub, ends, directories, topic, limits.dials)
            finally:
                await _hang_up(host)
    finally:
        await _close_listeners(host)


def _new_host(identity: Identity, limits: Limits, pre_shared_key: str | None) -> IHost:
    """A host with noise alone: a stock one also takes plaintext, where an id is only claimed."""
    key_pair = create_new_key_pair(identity.seed)
    noise = NoiseTransport(key_pair, noise_privkey=create_new_x25519_key_pair().private_key)
    return new_host(
        key_pair=key_pair,
        sec_opt={NOISE_ID: noise},
        muxer_preference="YAMUX",
        psk=pre_shared_key,
        connection_config=ConnectionConfig(
            max_connections=limits.connections,
            high_watermark=limits.connections,
            min_connections=0,
            low_watermark=0,
            max_connections_per_peer=2,
            enable_health_monitoring=True,
            health_initial_delay=15,
            health_check_interval=15,
            ping_timeout=5,
            abort_connection_on_ping_failure=True,
        ),
        addrs_factory=without_wildcards,
        disable_identify_address_discovery=True,
    )


def _directories(host: IHost, wanted: Wanted | None) -> dict[str, Directory]:
    found: dict[str, Directory] = {}
    if wanted is not None and wanted.dht:
        found[DHT] = Dht(host, wanted.key)
    if wanted is not None and wanted.rendezvous:
        found[RENDEZVOUS] = Rendezvous(host, wanted.key, point=wanted.point)
    return found


def _check_listening(host: IHost, wanted: list[Multiaddr]) -> None:
    listening = host.get_network().listeners
    for address in wanted:
        if str(address) not in listening:
            raise TransportError(f"could not listen on {address}")


async def _hang_up(host: IHost) -> None:
    """Close every connection, so that peers see the end now and not when memory is freed."""
    with trio.move_on_after(CLOSE_S, shield=True):
        async with trio.open_nursery() as nursery:
            for peer in host.get_connected_peers():
                nursery.start_soon(host.get_network().close_peer, peer)


async def _close_listeners(host: IHost) -> None:
    with trio.move_on_after(CLOSE_S, shield=True):
        for listener in list(cast(Any, host.get_network()).listeners.values()):
            await listener.close()


def _answering(answer: Answer, expelled: Expulsions) -> Callable[[INetStream], Awaitable[None]]:
    async def handle(stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        if not await answer(cast(Stream, stream), str(peer)):
            expelled.note_fault(peer)

    return handle


class _Comings:
    """Tells the hooks when a peer's first connection opens and its last one ends."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks

    async def connected(self, network: Any, conn: Any) -> None:
        peer = conn.muxed_conn.peer_id
        if len(network.get_connections(peer)) == 1:
            self._hooks.connected(str(peer), True)

    async def disconnected(self, network: Any, conn: Any) -> None:
        peer = conn.muxed_conn.peer_id
        if not network.get_connections(peer):
            self._hooks.connected(str(peer), False)

    async def opened_stream(self, network: Any, stream: Any) -> None:
        return

    async def closed_stream(self, network: Any, stream: Any) -> None:
        return

    async def listen(self, network: Any, multiaddr: Any) -> None:
        return

    async def listen_close(self, network: Any, multiaddr: Any) -> None:
        return


def _let_logs_through() -> None:
    """Importing libp2p cuts its loggers off from everybody's handlers; join them again."""
    logger = logging.getLogger("libp2p")
    logger.handlers.clear()
    logger.propagate = True
    logger.setLevel(logging.ERROR)


def _why_not(address: Address, error: BaseException) -> str:
    reasons = " ".join(str(reason) for reason in _causes(error))
    if "mismatch" in reasons.lower():
        return f"{address.base} answers under another peer id: check the part after /p2p/"
    return (
        f"cannot reach {address}: is that node running, and does the port pass its firewall? "
        f"({_root(error)})"
    )


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or _first_of(error)


def _first_of(error: BaseException) -> BaseException | None:
    """The first of several that came together."""
    if not isinstance(error, BaseExceptionGroup):
        return None
    return cast("BaseExceptionGroup[BaseException]", error).exceptions[0]


def _root(error: BaseException) -> BaseException:
    return list(_causes(error))[-1]

"""
The real transport: gossip and calls over libp2p, restarted when it breaks.

py-libp2p is young; `gossip.guards` contains the failures we know. This is the
second layer for those we do not: a network that dies is opened again, after a
growing wait and on the same port, while queues and callers stay.

Law: nothing that happens to the network leaves this module but as a
`TransportError` of one call, or a `ListenError` before it first starts.
"""

from __future__ import annotations

import logging
import random
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import trio

from gossip.backoff import Backoff
from gossip.calls import Desk, Duplex, FrameError, ask
from gossip.circuits import CircuitLimits, Place
from gossip.desks import PROTOCOLS, SYNC
from gossip.dial_back import DialBackDesk, Seen
from gossip.directories import LOOK_UP_S, Told, Wanted
from gossip.identity import Identity
from gossip.mailroom import Mailroom
from gossip.multiaddress import Address, AddressError, parse
from gossip.outbox import Outbox
from gossip.ports import DEFAULT_LISTEN, listen_addresses
from gossip.transport import (
    MAX_REQUEST_BYTES,
    CallError,
    DialError,
    PeerEvent,
    PeerId,
    Received,
    Responder,
    TransportError,
    Verdict,
)

if TYPE_CHECKING:
    from gossip.libp2p_host import Limits, Network

_log = logging.getLogger(__name__)

START_S = 30.0
PUBLISH_S = 10.0
TRIES_ON_SAME_PORT = 5
_PRE_SHARED_KEY = re.compile(r"[0-9a-f]{64}")


def wall_clock_ms() -> int:
    """The wall clock, Unix epoch milliseconds."""
    return time.time_ns() // 1_000_000


def accept_all(data: bytes) -> bool:
    """The verdict that forwards everything."""
    return True


@asynccontextmanager
async def open_libp2p_transport(
    identity: Identity,
    topic: str,
    listen: Iterable[str] = DEFAULT_LISTEN,
    *,
    verdict: Verdict = accept_all,
    limits: Limits | None = None,
    outbox: Outbox | None = None,
    on_trouble: Callable[[str], None] | None = None,
    pre_shared_key: str | None = None,
    circuits: CircuitLimits | None = None,
    wanted: Wanted | None = None,
    now_ms: Callable[[], int] = wall_clock_ms,
    uniform: Callable[[], float] = random.random,
) -> AsyncGenerator[Libp2pTransport]:
    """
    Run a transport until the block ends; it listens when the block begins.

    Args:
        identity: Who we are.
        topic: The GossipSub topic to take part in.
        listen: Multiaddrs to listen on; port 0 takes a free one and keeps it.
        verdict: Whether a message is worth forwarding and delivering; quick.
        limits: Numbers of connections; `Limits()` if None.
        outbox: The paced queue for own messages.
        on_trouble: Told in one sentence whenever the network broke and restarts.
        pre_shared_key: 64 hex digits; only peers with the same can connect. None: all.
        circuits: What to allow as a relay for others; None: be none.
        wanted: The directories to take part in; None: in none.
        now_ms: The wall clock, told to peers that compare theirs.
        uniform: Draws a float in [0, 1), for the jitter of restarts.

    Raises:
        ListenError: A listen address cannot be used.
        TransportError: The pre-shared key is not 64 hex digits.
    """
    if pre_shared_key is not None and not _PRE_SHARED_KEY.fullmatch(pre_shared_key):
        raise TransportError("a pre-shared key is 64 hex digits: `openssl rand -hex 32` makes one")
    addresses = listen_addresses(listen)
    transport = Libp2pTransport(
        identity,
        topic,
        addresses,
        verdict,
        limits,
        outbox,
        pre_shared_key,
        circuits,
        wanted,
        now_ms,
    )
    backoff = Backoff(0.5, 60.0, uniform)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(transport.keep_running, backoff, on_trouble or _log.warning)
        try:
            with trio.move_on_after(START_S):
                await transport.up.wait()
            yield transport
        finally:
            transport.stop()


class Libp2pTransport:
    """A `gossip.transport.Transport` over libp2p; made by `open_libp2p_transport`."""

    def __init__(
        self,
        identity: Identity,
        topic: str,
        listen: tuple[Address, ...],
        verdict: Verdict,
        limits: Limits | None,
        outbox: Outbox | None,
        pre_shared_key: str | None,
        circuits: CircuitLimits | None,
        wanted: Wanted | None,
        now_ms: Callable[[], int],
    ) -> None:
        self.mail = Mailroom(Outbox() if outbox is None else outbox)
        self.up = trio.Event()
        """Set while the network is up; replaced by a new event when it goes down."""
        self.restarts = 0
        self.place: Callable[[], Place] = Place
        """What is known of where this node is; relays lead to one that no peer reached."""
        self._identity = identity
        self._topic = topic
        self._at_first = listen
        self._listen = listen
        self._verdict = verdict
        self._limits = limits
        self._pre_shared_key = pre_shared_key
        self._circuits = circuits
        self._wanted = wanted
        self._now_ms = now_ms
        self._desks = {desk: Desk() for desk in PROTOCOLS}
        self._dial_backs = DialBackDesk(now_ms)
        self._network: Network | None = None
        self._stop = trio.Event()

    @property
    def peer_id(self) -> PeerId:
        """This node's own peer id."""
        return self._identity.peer_id

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Full multiaddrs to dial this node at; empty while the network is down."""
        return self._network.listen_addrs if self._network else ()

    def peers(self) -> tuple[PeerId, ...]:
        """The peers connected now."""
        return self._network.peers() if self._network else ()

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        """Where a connected peer says it can be dialled."""
        return self._network.addrs_of(peer) if self._network else ()

    async def publish(self, data: bytes) -> None:
        """Queue a message; see `gossip.transport.Transport.publish`."""
        self.mail.publish(data)
        await trio.lowlevel.checkpoint()

    def received(self) -> trio.MemoryReceiveChannel[Received]:
        """Messages from others."""
        return self.mail.received

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Who comes and goes from now on."""
        return self.mail.events()

    def serve(self, responder: Responder, desk: bytes = SYNC) -> None:
        """Answer calls to a desk with ``responder`` from now on."""
        self._desks[desk].responder = responder

    async def call(
        self, peer: PeerId, request: bytes, timeout_s: float = 10.0, desk: bytes = SYNC
    ) -> bytes:
        """Ask a peer at one of its desks; see `gossip.transport.Transport.call`."""
        if len(request) > MAX_REQUEST_BYTES:
            raise ValueError(f"a request of {len(request)} bytes; at most {MAX_REQUEST_BYTES}")
        try:
            with trio.fail_after(timeout_s):
                return await self._call(peer, request, PROTOCOLS[desk])
        except trio.TooSlowError:
            raise CallError(f"{peer} did not answer within {timeout_s:g} s") from None

    async def _call(self, peer: PeerId, request: bytes, protocol: str) -> bytes:
        stream: Duplex | None = None
        answered = False
        try:
            stream = await self._up_network().open_stream(peer, protocol)
            answer = await ask(stream, request)
            answered = True
            return answer
        except (TransportError, FrameError) as error:
            raise CallError(f"the call to {peer} failed: {error}") from error
        except Exception as error:
            raise CallError(f"the stream to {peer} broke: {error!r}") from error
        finally:
            if stream is not None:
                await _finish(stream, in_order=answered)

    async def dial_back(self, peer: PeerId, timeout_s: float = 15.0) -> Seen:
        """
        Ask a connected peer whether it reaches this node; see `gossip.dial_back`.

        Raises:
            CallError: No good answer within the deadline; it may not speak the protocol.
        """
        try:
            with trio.fail_after(timeout_s):
                return await self._up_network().dial_back(peer, self._now_ms)
        except trio.TooSlowError:
            raise CallError(f"{peer} did not dial back within {timeout_s:g} s") from None
        except CallError:
            raise
        except TransportError as error:
            raise CallError(f"{peer} cannot be asked to dial back: {error}") from error

    def keepers(self, directory: str) -> tuple[PeerId, ...]:
        """The connected peers that keep a directory of this name."""
        found = self._network.directories.get(directory) if self._network else None
        return found.keepers() if found else ()

    def ip_of(self, peer: PeerId) -> str:
        """The address that a connected peer comes from; "" if through a relay."""
        return self._network.ip_of(peer) if self._network else ""

    async def look_up(self, directory: str, peer: PeerId, timeout_s: float = LOOK_UP_S) -> Told:
        """
        Ask a connected peer who is in its directory; see `gossip.directories`.

        Raises:
            CallError: No good answer within the deadline.
        """
        try:
            with trio.fail_after(timeout_s):
                return await self._up_network().directories[directory].look_up(peer)
        except trio.TooSlowError:
            raise CallError(f"{peer} did not answer within {timeout_s:g} s") from None
        except CallError:
            raise
        except Exception as error:
            raise CallError(f"{peer} gave no good answer: {error!r}") from error

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        """Connect to a peer; see `gossip.transport.Transport.dial`."""
        address = _dial_address(multiaddr, self.peer_id)
        if address.peer in self.peers():
            return address.peer or ""
        try:
            with trio.fail_after(timeout_s):
                return await self._up_network().dial(address)
        except trio.TooSlowError:
            same_key = "" if self._pre_shared_key is None else ", with the same pre-shared key"
            raise DialError(
                f"nobody answers at {address} within {timeout_s:g} s: is that node running"
                f"{same_key}, and does the port pass its firewall?"
            ) from None
        except DialError:
            raise
        except TransportError as error:
            raise DialError(f"cannot dial {address}: {error}") from error

    def stop(self) -> None:
        """End in good order: peers are told, channels end."""
        self.mail.close()
        self._stop.set()

    async def keep_running(self, backoff: Backoff, on_trouble: Callable[[str], None]) -> None:
        """Open the network, again and again, until stopped or cancelled."""
        while not self._stop.is_set():
            try:
                await self._live(backoff)
            except Exception as error:  # noqa: BLE001 - the containment point for libp2p
                _log.debug("the network broke", exc_info=True)
                wait_s = backoff.failed()
                on_trouble(f"the network broke and restarts in {wait_s:.1f} s: {_short(error)}")
                self._choose_ports(backoff.failures)
                with trio.move_on_after(wait_s):
                    await self._stop.wait()
                self.restarts += 1

    async def _live(self, backoff: Backoff) -> None:
        """One life of the network, until it raises or is stopped."""
        from gossip.libp2p_host import Hooks, Limits, open_network

        hooks = Hooks(
            self._verdict,
            self.mail.deliver,
            self.mail.announce,
            self._desks[SYNC].answer,
            self._dial_backs,
            lambda: self.place(),
            {PROTOCOLS[desk]: each.answer for desk, each in self._desks.items()},
        )
        listen_addresses(address.base for address in self._listen)
        peers: tuple[PeerId, ...] = ()
        try:
            async with open_network(
                self._identity,
                self._topic,
                self._listen,
                hooks,
                self._limits or Limits(),
                self._pre_shared_key,
                self._circuits,
                self._wanted,
            ) as network:
                self._network, self._listen = network, network.bound
                self.up.set()
                backoff.succeeded()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.mail.outbox.drain, _with_deadline(network))
                    nursery.start_soon(network.keep_reserved)
                    await self._stop.wait()
                    nursery.cancel_scope.cancel()
        finally:
            if self._network is not None:
                peers, self._network, self.up = self._network.peers(), None, trio.Event()
            for peer in peers:
                self.mail.announce(peer, False)

    def _choose_ports(self, failures: int) -> None:
        """Keep the ports of the last life, unless they stay unusable and we may choose."""
        if failures >= TRIES_ON_SAME_PORT:
            self._listen = self._at_first

    def _up_network(self) -> Network:
        if self._network is None:
            raise TransportError("the network is down and about to restart")
        return self._network


def _with_deadline(network: Network) -> Callable[[bytes], Awaitable[None]]:
    async def send(data: bytes) -> None:
        with trio.fail_after(PUBLISH_S):
            await network.publish(data)

    return send


def _dial_address(multiaddr: str, own: PeerId) -> Address:
    try:
        address = parse(multiaddr)
    except AddressError as error:
        raise DialError(f"cannot dial: {error}") from None
    if address.peer is None:
        raise DialError(f"cannot dial {multiaddr}: it must end in /p2p/ and the peer's id")
    if address.peer == own:
        raise DialError(f"cannot dial {multiaddr}: that is this node itself")
    return address


async def _finish(stream: Duplex, *, in_order: bool) -> None:
    """Close a stream after a good answer, abandon it otherwise; never raises."""
    with trio.move_on_after(1.0, shield=True):
        try:
            await (stream.close() if in_order else stream.reset())
        except Exception as error:  # noqa: BLE001 - a dead stream may fail in any way
            _log.debug("could not end a stream: %r", error)


def _short(error: BaseException) -> str:
    """The first plain exception inside groups, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"[:300]

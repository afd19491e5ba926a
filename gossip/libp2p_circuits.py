"""
Being reached and reaching others through relays.

A node that no peer has reached keeps reservations with peers that offer the service,
and tells the addresses that lead through them together with its own. A circuit is a
stream to the relay on which the two ends run a connection of their own: same handshake,
same encryption, same proof of who is there.

Law: only a relay that holds a reservation of ours may lead anybody here, and so many
at a time. Addresses that a relay tells of itself are read strictly, and few are taken.

Source: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, cast

import trio
from libp2p.abc import IHost, INetStream
from libp2p.connection_types import ConnectionType
from libp2p.identity.identify_push.identify_push import push_identify_to_peers
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.security.pnet.protector import new_protected_conn
from multiaddr import Multiaddr

from gossip.circuits import Place
from gossip.libp2p_relay import (
    ASK_S,
    HOP,
    OK,
    STOP,
    end,
    is_relayed,
    pb,
    read_message,
    write_message,
)
from gossip.multiaddress import Address, AddressError, parse
from gossip.transport import DialError, PeerId

_log = logging.getLogger(__name__)

RELAYS = 2
ADDRS_PER_RELAY = 2
INBOUND = 32
LOOK_S = 2.0
ASK_AGAIN_S = 60.0
RENEW_S = 900.0
_WORDS = {
    200: "it has no room for more reservations",
    201: "it leads to as many peers as it may",
    202: "it refuses",
    203: "it cannot reach that peer now",
    204: "that peer holds no reservation there",
}


class Circuits:
    """
    The circuits of one host, inbound and outbound.

    Args:
        host: A guarded host.
        place: What is known of where this host is; one that is reached needs no relay.
    """

    def __init__(self, host: IHost, place: Callable[[], Place]) -> None:
        self._host = host
        self._place = place
        self._addrs: tuple[Multiaddr, ...] = ()
        self._reserved: dict[ID, _Reservation] = {}
        self._ask_at_s: dict[ID, float] = {}
        self._inbound = 0
        host.set_stream_handler(STOP, self._arrive)
        self._tell_addrs()

    async def keep_reserved(self) -> None:
        """Hold reservations as long as they are needed, until cancelled."""
        while True:
            await self._look()
            await trio.sleep(LOOK_S)

    async def dial(self, address: Address) -> PeerId:
        """
        Connect to a peer through the relay that an address names.

        Raises:
            DialError: The relay is not there or does not lead to the peer.
        """
        relay, target = ID.from_string(address.relay or ""), ID.from_string(address.peer or "")
        stream: INetStream | None = None
        try:
            if relay not in self._host.get_connected_peers():
                await self._swarm.dial_addr(Multiaddr(str(address.of_relay)), relay)
            stream = await self._host.new_stream(relay, [HOP])
            wanted = pb.HopMessage(type=pb.HopMessage.CONNECT, peer=pb.PeerId(id=target.to_bytes()))
            await write_message(stream, wanted)
            answer = await read_message(stream, pb.HopMessage)
            if answer.status != OK:
                why = _WORDS.get(answer.status, f"it answered {answer.status}")
                raise DialError(f"the relay {relay} does not lead to {target}: {why}")
            await self._swarm.upgrade_outbound_raw_conn(self._end_of(stream, relay, target), target)
        except BaseException as error:
            await end(stream)
            if isinstance(error, DialError) or not isinstance(error, Exception):
                raise
            raise DialError(f"cannot reach {target} through the relay {relay}: {error}") from error
        return str(target)

    @property
    def _swarm(self) -> Any:
        return cast(Swarm, self._host.get_network())

    def _end_of(self, stream: INetStream, relay: ID, other: ID) -> Any:
        """Our end of a circuit that we began, as a connection to be secured."""
        circuit, key = _Circuit(stream, True, relay, other), self._swarm.psk
        return circuit if key is None else new_protected_conn(circuit, key)

    async def _look(self) -> None:
        """Drop the reservations that have ended and make those that are missing."""
        connected, now_s = set(self._host.get_connected_peers()), trio.current_time()
        needed = not self._place().is_reached
        self._reserved = {
            relay: held
            for relay, held in self._reserved.items()
            if needed and relay in connected and now_s < held.until_s
        }
        self._ask_at_s = {p: at for p, at in self._ask_at_s.items() if p in connected}
        for relay in connected:
            held = self._reserved.get(relay)
            missing = held is None and len(self._reserved) < RELAYS and self._offers(relay)
            due = held is not None and now_s >= held.renew_at_s
            if needed and (missing or due) and now_s >= self._ask_at_s.get(relay, 0.0):
                self._ask_at_s[relay] = now_s + ASK_AGAIN_S
                await self._reserve(relay)
        addrs = tuple(addr for held in self._reserved.values() for addr in held.addrs)
        if addrs != self._addrs:
            self._addrs = addrs
            with trio.move_on_after(ASK_S):
                await push_identify_to_peers(self._host)

    def _tell_addrs(self) -> None:
        """Have the host tell these addresses with its own; a stock one strikes out relays' ids."""
        own = self._host.get_addrs
        cast(Any, self._host).get_addrs = lambda: [*own(), *self._addrs]

    def _offers(self, peer: ID) -> bool:
        """Whether a peer says that it leads to others, on a connection that is no circuit."""
        if not self._host.get_peerstore().supports_protocols(peer, [HOP]):
            return False
        connections = self._host.get_network().get_connections(peer)
        return any(cast(Any, each).muxed_conn.get_remote_address() for each in connections)

    async def _reserve(self, relay: ID) -> None:
        stream: INetStream | None = None
        try:
            with trio.fail_after(ASK_S):
                stream = await self._host.new_stream(relay, [HOP])
                await write_message(stream, pb.HopMessage(type=pb.HopMessage.RESERVE))
                answer = await read_message(stream, pb.HopMessage)
        except Exception as error:  # noqa: BLE001 - a relay may fail in any way
            _log.debug("no reservation with %s: %r", relay, error)
            return
        finally:
            await end(stream)
        if answer.status != OK:
            _log.info("%s made no reservation: %s", relay, _WORDS.get(answer.status, answer.status))
            return
        for_s = min(max(0.0, answer.reservation.expire - time.time()), 24 * 3600.0)
        now_s = trio.current_time()
        addrs = self._through(relay, list(answer.reservation.addrs))
        self._reserved[relay] = _Reservation(now_s + for_s, now_s + min(RENEW_S, for_s / 2), addrs)

    def _through(self, relay: ID, said: list[bytes]) -> tuple[Multiaddr, ...]:
        """The addresses that lead here through a relay: first where we reach it ourselves."""
        connections = self._host.get_network().get_connections(relay)
        remotes = [cast(Any, each).muxed_conn.get_remote_address() for each in connections]
        hosts = {str(remote[0]) for remote in remotes if remote}
        found = [address for data in said[:32] if (address := _direct(data, relay))]
        found.sort(key=lambda address: address.host not in hosts)
        return tuple(
            Multiaddr(f"{address}/p2p-circuit/p2p/{self._host.get_id()}")
            for address in found[:ADDRS_PER_RELAY]
            if not address.host.startswith("127.") or address.host in hosts
        )

    async def _arrive(self, stream: INetStream) -> None:
        """Somebody is led here: take up the connection, and hold it until it ends."""
        relay = stream.muxed_conn.peer_id
        if relay not in self._reserved or is_relayed(stream) or self._inbound >= INBOUND:
            await end(stream)
            return
        self._inbound += 1
        try:
            with trio.fail_after(ASK_S):
                announced = await read_message(stream, pb.StopMessage)
                other = ID(announced.peer.id)
                said = pb.StopMessage(type=pb.StopMessage.STATUS, status=OK)
                await write_message(stream, said)
            circuit = _Circuit(stream, False, relay, other)
            await self._swarm.upgrade_inbound_raw_conn(circuit, circuit.address)
        except Exception as error:  # noqa: BLE001 - whoever comes may fail in any way
            _log.debug("a circuit from %s ended: %r", relay, error)
        finally:
            self._inbound -= 1
            await end(stream)


class _Reservation:
    def __init__(self, until_s: float, renew_at_s: float, addrs: tuple[Multiaddr, ...]) -> None:
        self.until_s = until_s
        self.renew_at_s = renew_at_s
        self.addrs = addrs


class _Circuit(RawConnection):
    """A stream to a relay as a connection; it comes from no address that one could dial."""

    def __init__(self, stream: INetStream, initiator: bool, relay: ID, other: ID) -> None:
        self.address = Multiaddr(f"/p2p/{relay}/p2p-circuit/p2p/{other}")
        super().__init__(stream, initiator, ConnectionType.RELAYED, [self.address])

    async def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` bytes; none at the end."""
        try:
            return await super().read(n)
        except StreamEOF:
            return b""

    def get_remote_address(self) -> tuple[str, int] | None:
        """None: the stream's own would be the relay's."""
        return None


def _direct(data: bytes, relay: ID) -> Address | None:
    """What a relay says of where it is, if that can be used."""
    try:
        address = parse(str(Multiaddr(data)))
    except (AddressError, ValueError, LookupError):
        return None
    usable = address.relay is None and address.port and not address.wildcard
    return address if usable and address.peer == str(relay) else None

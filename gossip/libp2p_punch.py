"""
Hole punching: from a circuit to a connection without a relay, where the NATs let us.

The two ends of a circuit tell each other where they would be seen and dial at the same
moment, each from the port it listens on; most NATs then take the other's packets for
answers. py-libp2p's DCUtR does this, over our circuits, through two NATs made with
nftables. What it leaves open is closed here: whom it listens to, and what it dials.

Law: only the other end of a circuit may ask, and seldom; of what it names, `NAMED`
addresses are dialled, and never this machine or everybody. Where it fails the circuit
stays.

Source: https://github.com/libp2p/specs/blob/master/relay/DCUtR.md
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from ipaddress import ip_address

from libp2p.abc import IHost, INetStream
from libp2p.peer.id import ID
from libp2p.relay.circuit_v2.dcutr import MAX_HOLE_PUNCH_ATTEMPTS, DCUtRProtocol
from multiaddr import Multiaddr

from gossip.circuits import Place
from gossip.libp2p_relay import end, is_relayed
from gossip.multiaddress import Address, AddressError, parse

NAMED = 2


class Punch(DCUtRProtocol):
    """
    The protocol of hole punching on one host; run it as a service.

    Args:
        host: A guarded host.
        place: What is known of where this host is.
    """

    def __init__(self, host: IHost, place: Callable[[], Place]) -> None:
        super().__init__(host)
        logging.getLogger("libp2p.relay.circuit_v2.dcutr").setLevel(logging.CRITICAL)
        self._place = place
        self._asked: dict[ID, int] = {}
        self._named: tuple[str, ...] = ()

    async def initiate_hole_punch(self, peer_id: ID) -> bool:
        """Try, if this host knows where it is seen; until then no try is counted."""
        if not await self._get_observed_addrs():
            return False
        return await super().initiate_hole_punch(peer_id)

    def on_peer_disconnected(self, peer_id: ID) -> None:
        """Forget about a peer."""
        super().on_peer_disconnected(peer_id)
        self._asked.pop(peer_id, None)

    async def _handle_dcutr_stream(self, stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        asked = self._asked.get(peer, 0)
        if not is_relayed(stream) or asked >= MAX_HOLE_PUNCH_ATTEMPTS:
            await end(stream)
            return
        self._asked[peer] = asked + 1
        await super()._handle_dcutr_stream(stream)

    async def _get_observed_addrs(self) -> list[bytes]:
        """Where peers saw this host, with the ports it listens on: most NATs keep ports."""
        ports = {address.port for address in self._own() if address.relay is None}
        found = [
            Multiaddr(f"/{'ip6' if ':' in ip else 'ip4'}/{ip}/tcp/{port}").to_bytes()
            for ip in self._place().seen_at
            for port in sorted(ports)
        ]
        return found[:NAMED]

    def _own(self) -> list[Address]:
        return [parse(str(address)) for address in self.host.get_addrs()]

    def _decode_observed_addrs(self, addr_bytes: list[bytes]) -> list[Multiaddr]:
        """The few addresses of what the other end names that may be dialled."""
        found = [addr for data in addr_bytes[: 2 * NAMED] if (addr := _dialable(data))][:NAMED]
        self._named = (*self._named, *map(str, found))[-64:]
        return found

    async def _dial_peer(
        self,
        peer_id: ID,
        addr: Multiaddr,
        source: tuple[str, int] | None = None,
        as_responder: bool = False,
    ) -> None:
        """Dial what was named, and not whatever else a peer has ever listed."""
        if str(addr) in self._named:
            await super()._dial_peer(peer_id, addr, source, as_responder)


def _dialable(data: bytes) -> Multiaddr | None:
    try:
        address = parse(str(Multiaddr(data)))
        ip = ip_address(address.host)
    except (AddressError, ValueError, LookupError):
        return None
    nowhere = ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified
    bare = address.relay is None and address.peer is None
    return Multiaddr(address.base) if address.port and bare and not nowhere else None

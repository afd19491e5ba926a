"""
Addresses as libp2p has them, and as this program does: its own, and those of peers.

Law: what a peer says of where it is gets bounded and read strictly, and what leads from
here to somebody else is left out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from itertools import islice
from typing import Any, cast

import psutil
from libp2p.abc import IHost
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStoreError
from multiaddr import Multiaddr

from gossip.elsewhere import Reach, from_here, reach
from gossip.multiaddress import parse
from gossip.transport import PeerId

MAX_ADDRS_PER_PEER = 8


def own_addrs(host: IHost) -> tuple[str, ...]:
    """Full multiaddrs that others can dial a host at."""
    return tuple(_texts(host.get_addrs()))


def addrs_of(host: IHost, peer: PeerId) -> tuple[str, ...]:
    """Where a connected peer says it can be dialled, as far as that leads to it from here."""
    try:
        known = host.get_peerstore().peer_info(ID.from_string(peer)).addrs
    except (PeerStoreError, ValueError):
        return ()
    return led_to(host, ID.from_string(peer), known)


def led_to(host: IHost, peer: ID, addresses: Iterable[object]) -> tuple[str, ...]:
    """Those of the addresses that a connected peer names which lead to it from here."""
    led = from_here(dialable(addresses, str(peer)), own_addrs(host), _met_over(host, peer))
    return led[:MAX_ADDRS_PER_PEER]


def without_wildcards(addresses: list[Multiaddr]) -> list[Multiaddr]:
    """Replace 0.0.0.0 and :: by the addresses this machine has, the reachable ones first."""
    found: list[Multiaddr] = []
    for multiaddr in addresses:
        address = parse(str(multiaddr))
        hosts = _interface_ips(address.family) if address.wildcard else [address.host]
        for host in hosts[:MAX_ADDRS_PER_PEER]:
            found.append(Multiaddr(f"/{address.family}/{host}/tcp/{address.port}"))
    return found


def _met_over(host: IHost, peer: ID) -> set[Reach]:
    """The reach of the addresses that a peer's connections come from; none through a relay."""
    connections = host.get_network().get_connections(peer)
    remotes = [cast(Any, each).muxed_conn.get_remote_address() for each in connections]
    return {reach(str(remote[0])) for remote in remotes if remote}


def _interface_ips(family: str) -> list[str]:
    version = 6 if family == "ip6" else 4
    ips: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            try:
                ip = ipaddress.ip_address(entry.address)
            except ValueError:
                continue
            if ip.version == version and not ip.is_link_local:
                ips.add(ip)
    return [str(ip) for ip in sorted(ips, key=lambda ip: (ip.is_loopback, int(ip)))]


def _texts(addresses: Iterable[object]) -> list[str]:
    return list(dict.fromkeys(str(address) for address in addresses))


def dialable(addresses: Iterable[object], peer: PeerId) -> tuple[str, ...]:
    """The addresses that we could dial, as full multiaddrs."""
    found: list[str] = []
    for named in islice(addresses, 64):
        try:
            address = parse(str(named))
        except (ValueError, LookupError):
            continue
        if address.port and not address.wildcard and address.peer in (None, peer):
            found.append(f"{address.base}/p2p/{peer}")
    return tuple(dict.fromkeys(found))

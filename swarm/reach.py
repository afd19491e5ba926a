"""
Where a node stands behind what: the kinds of addresses, and what a NAT does to it.

Law: pure and total; an address that is none is `nowhere`. What peers say is a word of
theirs: one that reached the node is enough to call it reachable, none that did not is
enough to call it unreachable for everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Literal

Scope = Literal["machine", "link", "lan", "carrier", "internet", "nowhere"]
"""From where an address can be dialled at most: this machine, the cable, the local
network, the provider's own network (RFC 6598), anywhere."""

WIDEST_FIRST: tuple[Scope, ...] = ("internet", "carrier", "lan", "link", "machine", "nowhere")

Nat = Literal["none", "none on this network", "forwarded", "closed", "carrier", "unknown"]
"""What stands between this node and the peers that answered, as far as they can tell."""

_CARRIER = IPv4Network("100.64.0.0/10")


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    What one peer said.

    Attributes:
        ip: Where it saw this node come from.
        outcomes: What came of the ports it dialled there.
    """

    ip: str
    outcomes: tuple[str, ...]

    @property
    def reached(self) -> bool:
        """Whether this node answered it."""
        return "reached" in self.outcomes


def scope_of(ip: str) -> Scope:
    """How far an address carries."""
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return "nowhere"
    if address.is_loopback:
        return "machine"
    if address.is_link_local:
        return "link"
    if address.version == 4 and address in _CARRIER:
        return "carrier"
    if address.is_private:
        return "lan"
    return "internet" if address.is_global else "nowhere"


def site_of(ip: str) -> str:
    """
    What an address counts as where each has a share: an IPv6 address as its /64.

    A customer is given a /64 or more (RFC 6177), so one host has as many IPv6 addresses as
    it likes. On a local network, which has one /64 for all, an address is itself; so is an
    IPv4 address in IPv6, and what is no address.
    """
    try:
        address = ip_address(ip.partition("%")[0])
    except ValueError:
        return ip
    if address.version == 6 and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    if address.version == 4 or scope_of(ip) in ("machine", "link", "lan"):
        return str(address)
    return str(IPv6Network((address.packed, 64), strict=False))


def reachable(sightings: Sequence[Sighting]) -> bool | None:
    """Whether a peer got through; None where none has tried."""
    tried = [each for each in sightings if each.outcomes]
    return any(each.reached for each in tried) if tried else None


def nat_of(own: Collection[str], sightings: Sequence[Sighting]) -> Nat:
    """
    What stands in between.

    Args:
        own: The addresses that this machine has itself.
        sightings: What peers said. Those on this machine know nothing of it.
    """
    away = [each for each in sightings if scope_of(each.ip) not in ("machine", "nowhere")]
    if not away:
        return "unknown"
    translated = [each for each in away if each.ip not in own]
    if not translated:
        outside = any(scope_of(each.ip) == "internet" for each in away)
        return "none" if outside else "none on this network"
    if any(each.reached for each in translated):
        return "forwarded"
    behind_carrier = any(scope_of(ip) == "carrier" for ip in own)
    several = len({each.ip for each in translated if scope_of(each.ip) == "internet"}) > 1
    return "carrier" if behind_carrier or several else "closed"

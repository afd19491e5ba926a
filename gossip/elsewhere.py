"""
Which addresses of a peer lead to it from here: loopback leads every machine to itself.

A peer on another machine names its loopback and link-local addresses beside those that
can be used. Dialled here they lead to whoever listens on this machine, or to nobody, and
whoever names one would choose a port of this machine for us to knock at.

A name leads wherever whoever owns it wants, this machine among others, and asking for it
tells its owner who asks, and when.

Law: such an address is taken from a peer that was met over one of its kind, and by a node
that listens for its own machine alone; a name is taken from nobody. What a person named
does not pass here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from typing import Literal

from gossip.multiaddress import AddressError, parse

Reach = Literal["machine", "link", "anywhere"]


def reach(host: str) -> Reach:
    """How far an IP address or a name means the same place."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.lower().rstrip(".")
        return "machine" if name == "localhost" or name.endswith(".localhost") else "anywhere"
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback or address.is_unspecified:
        return "machine"
    return "link" if address.is_link_local else "anywhere"


def from_here(
    addrs: Iterable[str], listen_addrs: Iterable[str], met_over: Collection[Reach] = ()
) -> tuple[str, ...]:
    """
    The addresses of a peer that lead to it from here.

    Args:
        addrs: Full multiaddrs that it, or somebody else, named.
        listen_addrs: Where this node listens.
        met_over: The reach of the addresses that the peer is connected over now.
    """
    own, named = list(listen_addrs), without_names(addrs)
    if own and all(_reach_of(addr) == "machine" for addr in own):
        return named
    return tuple(addr for addr in named if _reach_of(addr) in {"anywhere", *met_over})


def without_names(addrs: Iterable[str]) -> tuple[str, ...]:
    """Those addresses for which no resolver is asked."""
    return tuple(addr for addr in addrs if not _is_name(addr))


def _is_name(multiaddr: str) -> bool:
    try:
        return parse(multiaddr).family not in ("ip4", "ip6")
    except AddressError:
        return False


def _reach_of(multiaddr: str) -> Reach:
    try:
        return reach(parse(multiaddr).host)
    except AddressError:
        return "anywhere"

"""
Whether the addresses a node begins with lead anywhere, tried from this machine.

Law: names are looked up and connections opened, all at once and within seconds;
nothing is sent. That something accepts does not prove who it is.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import psutil
import trio

from gossip import dnsaddr
from gossip.multiaddress import Address, AddressError, parse
from swarm.reach import WIDEST_FIRST, scope_of

Came = Literal["answers", "refuses", "silent", "no such name", "empty name", "no address"]

_BEST_FIRST: tuple[Came, ...] = ("answers", "refuses", "silent", "no such name")
MOST = 16
CONNECT_S = 3.0
LOOK_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Entrance:
    """An address to begin with, and what came of trying it."""

    multiaddr: str
    came: Came


def try_entrances(multiaddrs: Sequence[str]) -> list[Entrance]:
    """Try the first `MOST` addresses at the same time, in the order given."""
    wanted = list(dict.fromkeys(multiaddrs))[:MOST]
    return trio.run(_try_all, wanted) if wanted else []


def own_addresses() -> list[str]:
    """The IP addresses of this machine, those that carry furthest first."""
    found = {
        entry.address.partition("%")[0]
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6)
    }
    return sorted(found, key=lambda ip: (WIDEST_FIRST.index(scope_of(ip)), ip))


async def _try_all(wanted: list[str]) -> list[Entrance]:
    came: dict[str, Came] = {}

    async def look(multiaddr: str) -> None:
        came[multiaddr] = await _try(multiaddr)

    async with trio.open_nursery() as nursery:
        for multiaddr in wanted:
            nursery.start_soon(look, multiaddr)
    return [Entrance(multiaddr, came[multiaddr]) for multiaddr in wanted]


async def _try(multiaddr: str) -> Came:
    try:
        if multiaddr.startswith(dnsaddr.PREFIX):
            return await _try_name(dnsaddr.read_dnsaddr(multiaddr))
        return await _connect(parse(multiaddr))
    except AddressError:
        return "no address"


async def _try_name(name: dnsaddr.DnsAddress) -> Came:
    """The best that any address behind a name comes to."""
    found: tuple[str, ...] = ()
    try:
        with trio.move_on_after(LOOK_UP_S):
            found = await dnsaddr.resolve(name, dnsaddr.txt_records)
    except dnsaddr.LookUpError:
        return "no such name"
    if not found:
        return "empty name"
    tried = {each.came for each in await _try_all(list(found[:MOST]))}
    for best in _BEST_FIRST:
        if best in tried:
            return best
    return "no address"


async def _connect(address: Address) -> Came:
    try:
        with trio.fail_after(CONNECT_S):
            stream = await trio.open_tcp_stream(address.host, address.port)
            await stream.aclose()
    except trio.TooSlowError:
        return "silent"
    except socket.gaierror:
        return "no such name"
    except OSError as error:
        return "refuses" if _refused(error) else "silent"
    return "answers"


def _refused(error: BaseException | None) -> bool:
    """Whether somebody said no, rather than nobody anything; trio wraps the reasons."""
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return any(map(_refused, group.exceptions))
    return isinstance(error, ConnectionRefusedError) or (
        error is not None and _refused(error.__cause__)
    )

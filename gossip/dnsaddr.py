"""
Bootstrap peers that are named in the DNS: ``/dnsaddr/NAME`` is whatever NAME says today.

The TXT records of ``_dnsaddr.NAME`` that begin with ``dnsaddr=`` hold multiaddrs, or
further names. A ``/p2p/PEER`` after the name keeps those of that peer alone.

Law: what the DNS says is a stranger's word: read strictly, bounded in records, names
and depth; dialling proves who is there. A name that leads nowhere is a sentence for
the screen and another try later.

Source: https://github.com/multiformats/multiaddr/blob/master/protocols/DNSADDR.md
"""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import trio

from gossip.backoff import Backoff
from gossip.discovery import Heard, by_peer
from gossip.multiaddress import AddressError, parse
from gossip.transport import PeerId
from swarm.peer_id import PeerIdError, public_key_of

PREFIX = "/dnsaddr/"
EXAMPLE = "/dnsaddr/bootstrap.example.org"
MAX_DEPTH = 4
MAX_NAMES = 16
MAX_ADDRS = 64
LOOK_UP_S = 10.0
AGAIN_S = 3600.0
_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,240}[A-Za-z0-9])?")
_SAYS = "dnsaddr="

LookUp = Callable[[str], Awaitable[Sequence[str]]]
"""The TXT records of a name; raises `LookUpError`."""


class LookUpError(Exception):
    """The DNS gave no answer for a name; the message says why."""


@dataclass(frozen=True, slots=True)
class DnsAddress:
    """A name in the DNS, and the one peer wanted of those it leads to, if only one is."""

    name: str
    peer: PeerId | None = None


def read_dnsaddr(text: str) -> DnsAddress:
    """
    Read ``/dnsaddr/NAME`` or ``/dnsaddr/NAME/p2p/PEER``.

    Raises:
        AddressError: It is neither.
    """
    name, named, peer = text.removeprefix(PREFIX).partition("/p2p/")
    if not text.startswith(PREFIX) or not _NAME.fullmatch(name):
        raise AddressError(f"{text!r} names nothing in the DNS; expected one like {EXAMPLE}")
    try:
        if named:
            public_key_of(peer)
    except PeerIdError as error:
        raise AddressError(f"{text!r}: the peer id after /p2p/ is not one: {error}") from None
    return DnsAddress(name, peer or None)


async def txt_records(name: str) -> Sequence[str]:
    """
    The TXT records of a name, asked of this machine's resolver.

    Raises:
        LookUpError: There are none, or nobody to ask.
    """
    import dns.asyncresolver
    import dns.exception

    try:
        found = await dns.asyncresolver.resolve(name, "TXT", lifetime=LOOK_UP_S)
    except dns.exception.DNSException as error:
        raise LookUpError(f"the DNS has no addresses at {name} ({type(error).__name__})") from error
    parts = [b"".join(record.strings) for record in found]
    return [part.decode("ascii", "replace") for part in parts]


async def resolve(address: DnsAddress, look_up: LookUp) -> tuple[str, ...]:
    """
    The full multiaddrs that a name leads to, at most `MAX_ADDRS`.

    Raises:
        LookUpError: The DNS does not know the name itself; one further on is passed over.
    """
    found: dict[str, None] = {}
    asked = {address.name}
    level = [address]
    for depth in range(MAX_DEPTH):
        further: list[DnsAddress] = []
        for each in level:
            try:
                said = await look_up(f"_dnsaddr.{each.name}")
            except LookUpError:
                if depth == 0:
                    raise
                continue
            for text in said[:MAX_ADDRS]:
                _take(text, each.peer, found, further)
        level = [each for each in further if each.name not in asked][: MAX_NAMES - len(asked)]
        asked |= {each.name for each in level}
    return tuple(found)[:MAX_ADDRS]


async def keep_resolved(
    names: Iterable[str],
    heard: Heard,
    *,
    on_trouble: Callable[[str], None],
    look_up: LookUp = txt_records,
    uniform: Callable[[], float] = random.random,
) -> None:
    """
    Report whom names lead to, now and every hour, until cancelled.

    Args:
        names: Multiaddrs that begin with ``/dnsaddr/``.
        heard: Told of each peer and its addresses.
        on_trouble: Told when a name leads nowhere.
        look_up: Asks the DNS.
        uniform: Draws a float in [0, 1), for the jitter of tries.
    """
    async with trio.open_nursery() as nursery:
        for name in dict.fromkeys(names):
            nursery.start_soon(_keep_one, name, heard, on_trouble, look_up, uniform)


class DnsNames:
    """The way of bootstrap peers that the DNS names; a `gossip.discovery.Way`."""

    name = "bootstrap name"

    def __init__(self, names: Iterable[str], on_trouble: Callable[[str], None]) -> None:
        self._names = tuple(names)
        self._on_trouble = on_trouble

    async def run(self, heard: Heard) -> None:
        """Ask the DNS, again and again."""
        await keep_resolved(self._names, heard, on_trouble=self._on_trouble)


async def _keep_one(
    name: str,
    heard: Heard,
    on_trouble: Callable[[str], None],
    look_up: LookUp,
    uniform: Callable[[], float],
) -> None:
    backoff = Backoff(10.0, AGAIN_S, uniform)
    while True:
        try:
            addrs = await resolve(read_dnsaddr(name), look_up)
        except LookUpError as error:
            on_trouble(f"{name}: {error}; trying again in the background")
            addrs = ()
        for peer, their_addrs in by_peer(addrs).items():
            heard(peer, their_addrs)
        if addrs:
            backoff.succeeded()
        await trio.sleep(AGAIN_S if addrs else backoff.failed())


def _take(
    text: str, peer: PeerId | None, found: dict[str, None], further: list[DnsAddress]
) -> None:
    """Sort one TXT record: an address, a name further on, or nothing of ours."""
    said = text.removeprefix(_SAYS)
    if said == text:
        return
    try:
        if said.startswith(PREFIX):
            next_one = read_dnsaddr(said)
            further.append(DnsAddress(next_one.name, peer or next_one.peer))
            return
        address = parse(said)
    except AddressError:
        return
    if address.peer is not None and peer in (None, address.peer):
        found[str(address)] = None

"""
The few multiaddrs we speak, read without importing a network library.

Law: an address is data from a person or a peer; anything but
``/ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT`` with at most a ``/p2p/PEER`` after it, or
``/p2p/RELAY/p2p-circuit/p2p/PEER`` for a peer behind a relay, is refused with a
sentence that says what a good one looks like.

Source: https://github.com/multiformats/multiaddr
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from swarm.peer_id import PeerIdError, public_key_of

EXAMPLE = "/ip4/192.0.2.1/tcp/4001/p2p/12D3Koo…"
MAX_CHARS = 512
_DNS_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class AddressError(ValueError):
    """Not a multiaddr that this node can use; the text says why and shows a good one."""


@dataclass(frozen=True, slots=True)
class Address:
    """
    A TCP address.

    Attributes:
        peer: The id expected there, if it names one.
        relay: The id of the relay that listens there and leads to ``peer``, if one does.
    """

    family: str
    host: str
    port: int
    peer: str | None = None
    relay: str | None = None

    @property
    def base(self) -> str:
        """The multiaddr without the ``/p2p/`` part that names the peer."""
        direct = f"/{self.family}/{self.host}/tcp/{self.port}"
        return direct if self.relay is None else f"{direct}/p2p/{self.relay}/p2p-circuit"

    @property
    def of_relay(self) -> Address:
        """Where the relay itself can be dialled."""
        return Address(self.family, self.host, self.port, self.relay)

    @property
    def wildcard(self) -> bool:
        """Whether it stands for every address of a machine."""
        return self.host in ("0.0.0.0", "::")

    def __str__(self) -> str:
        return self.base if self.peer is None else f"{self.base}/p2p/{self.peer}"


def parse(text: str) -> Address:
    """
    Read a multiaddr.

    Raises:
        AddressError: It is not a TCP multiaddr of the form above.
    """
    if len(text) > MAX_CHARS:
        raise AddressError(f"address longer than {MAX_CHARS} characters; expected {EXAMPLE}")
    parts = text.split("/")
    relay = None
    if len(parts) in (8, 10) and parts[5] == "p2p" and parts[7] == "p2p-circuit":
        relay = _peer(text, parts[6])
        parts = parts[:5] + parts[8:]
    if len(parts) not in (5, 7) or parts[0] or parts[3] != "tcp":
        raise AddressError(f"{text!r} is not a TCP multiaddr; expected one like {EXAMPLE}")
    if len(parts) == 7 and parts[5] != "p2p":
        raise AddressError(f"{text!r} ends in /{parts[5]}/; expected /p2p/ and a peer id")
    peer = _peer(text, parts[6]) if len(parts) == 7 else None
    return Address(parts[1], _host(text, parts[1], parts[2]), _port(text, parts[4]), peer, relay)


def _host(text: str, family: str, host: str) -> str:
    if family in ("dns", "dns4", "dns6"):
        if not _is_name(host):
            raise AddressError(f"{text!r}: {host!r} is not a host name")
        return host
    reader = {"ip4": ipaddress.IPv4Address, "ip6": ipaddress.IPv6Address}.get(family)
    if reader is None:
        raise AddressError(f"{text!r} starts with /{family}/; expected /ip4/, /ip6/ or /dns4/")
    if "%" in host:
        raise AddressError(f"{text!r}: a zone (%…) means nothing elsewhere; leave it out")
    try:
        return str(reader(host))
    except ValueError:
        raise AddressError(f"{text!r}: {host!r} is not an {family} address") from None


def _is_name(host: str) -> bool:
    """Whether it is a name that libp2p dials: no underscores, as RFC 5891 has it."""
    import idna

    try:
        return bool(_DNS_NAME.fullmatch(host) and idna.encode(host, uts46=True))
    except idna.IDNAError:
        return False


def _port(text: str, port: str) -> int:
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise AddressError(f"{text!r}: {port!r} is not a TCP port (0 to 65535)")
    return int(port)


def _peer(text: str, peer: str) -> str:
    try:
        public_key_of(peer)
    except PeerIdError as error:
        raise AddressError(f"{text!r}: the peer id after /p2p/ is not one: {error}") from None
    return peer

"""
Whether this machine lets us listen where we were told to.

py-libp2p binds with SO_REUSEPORT: a port that another process holds is shared
without a word, and each gets some of the other's connections. So we bind it
ourselves first, plainly, and let go.

Law: every reason not to listen is one `ListenError` with its fix, before any
network starts.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import replace

from gossip.multiaddress import Address, AddressError, parse
from gossip.transport import ListenError

DEFAULT_LISTEN = ("/ip4/0.0.0.0/tcp/0",)


def listen_addresses(texts: Iterable[str]) -> tuple[Address, ...]:
    """
    Read listen addresses and make sure that each can be bound now.

    Raises:
        ListenError: One is malformed, taken, forbidden or not this machine's.
    """
    return tuple(_usable(text) for text in texts)


def ports_of_last_time(listen: Iterable[str], last: Iterable[str]) -> tuple[str, ...]:
    """
    `listen` with each port 0 replaced by the port that was listened on before.

    Peers remember where a node was; one that comes back at the same address is
    found at once. A port that is taken by now, or bad, stays 0.
    """
    before = [address for address in map(_address_or_none, last) if address]
    return tuple(_with_port_of_last_time(text, before) for text in listen)


def _with_port_of_last_time(text: str, before: list[Address]) -> str:
    wanted = _address_or_none(text)
    if wanted is None or wanted.port != 0:
        return text
    for address in before:
        if address.family == wanted.family and address.relay is None:
            candidate = replace(wanted, port=address.port)
            try:
                _bind(candidate)
            except OSError:
                continue
            before.remove(address)
            return str(candidate)
    return text


def _address_or_none(text: str) -> Address | None:
    try:
        return parse(text)
    except AddressError:
        return None


def _usable(text: str) -> Address:
    try:
        address = parse(text)
    except AddressError as error:
        raise ListenError(f"cannot listen: {error}") from None
    if address.family not in ("ip4", "ip6") or address.peer is not None:
        raise ListenError(
            f"cannot listen on {text}: name an IP address and a port, like /ip4/0.0.0.0/tcp/4001"
        )
    try:
        _bind(address)
    except OSError as error:
        raise ListenError(_why(address, error)) from error
    return address


def _bind(address: Address) -> None:
    family = socket.AF_INET6 if address.family == "ip6" else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address.host, address.port))
        probe.listen(1)


def _why(address: Address, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"cannot listen on {address}: port {address.port} is taken. Stop the program that "
            "holds it, or choose another port (0 takes any free one)."
        )
    if error.errno == errno.EACCES:
        return f"cannot listen on {address}: ports below 1024 need root. Choose a higher port."
    if error.errno == errno.EADDRNOTAVAIL:
        every = "/ip6/::" if address.family == "ip6" else "/ip4/0.0.0.0"
        return (
            f"cannot listen on {address}: this machine has no address {address.host}. "
            f"{every}/tcp/{address.port} listens on all that it has."
        )
    return f"cannot listen on {address}: {error.strerror}."

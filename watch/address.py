"""
Where the API listens, and the token of those who may read it from elsewhere.

Law: a loopback address by default; on any other, a token that only the owner of the
node's home can read.
"""

from __future__ import annotations

import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

DEFAULT = "127.0.0.1:8377"
OFF = "off"
TOKEN_BYTES = 24
_LEAST_TOKEN = 16
_BACKLOG = 128


class WatchError(Exception):
    """The API cannot be served; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0: any free one. `chosen`: a person named it."""

    host: str
    port: int
    chosen: bool


def read_address(text: str) -> Address | None:
    """The address in `HOST:PORT`, as the settings have checked it; None for `off`."""
    if text == OFF:
        return None
    host, _, port = text.rpartition(":")
    return Address(host.strip("[]").lower(), int(port), chosen=text != DEFAULT)


def bind(address: Address) -> tuple[socket.socket, bool]:
    """
    A listening socket at an address; any free port if the default one is taken.

    Returns:
        The socket, and whether it has another port than the default one.

    Raises:
        WatchError: The address cannot be listened on.
    """
    try:
        return _listen(address.host, address.port), False
    except OSError as error:
        if address.chosen:
            raise WatchError(
                f"nothing can be watched at {address.host}:{address.port} "
                f"({error.strerror or error}): choose another --api HOST:PORT, or --api off"
            ) from error
    try:
        return _listen(address.host, 0), True
    except OSError as error:
        raise WatchError(
            f"nothing can be watched on {address.host} ({error.strerror or error}): "
            "choose another --api HOST:PORT, or --api off"
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(_BACKLOG)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening


def local_name(host: str) -> str:
    """By what a program of this machine reaches what listens at an address."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def outer_name(host: str) -> str:
    """
    By what another machine reaches it: the address this one has on its network.

    Nothing is sent; the kernel is asked which address it would send from.
    """
    elsewhere = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}
    if host not in elsewhere:
        return host
    family, somebody = elsewhere[host]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((somebody, 9))
        except OSError:
            return local_name(host)
        return str(asking.getsockname()[0])


def token_in(path: Path) -> str:
    """
    The token in a file, made with mode 0600 where there is none.

    Raises:
        WatchError: The file can neither be read nor made, or others can read it.
    """
    try:
        return _read(path) if path.exists() else _make(path)
    except OSError as error:
        raise WatchError(
            f"the token {path} cannot be kept ({error.strerror}): free some disk space, "
            "or use a loopback --api address"
        ) from error


def _read(path: Path) -> str:
    if path.stat().st_mode & 0o077:
        raise WatchError(f"others can read the token {path}: remove it, the next start makes one")
    token = path.read_text("ascii", "replace").strip()
    if len(token) < _LEAST_TOKEN or not token.isascii():
        raise WatchError(f"{path} holds no token: remove it, the next start makes one")
    return token


def _make(path: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(token + "\n")
    return token

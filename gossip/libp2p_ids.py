"""
Peer ids and addresses of any length, written down as no more than they are worth.

py-libp2p takes any bytes for a peer id and writes them in base58 in pure Python, in time
that grows with the square of their length: 40 KB take seconds in which nothing else runs.
It does so in many places, in words that nobody reads among them. An address that is no
address takes as long to be told so.

Law: an id that is longer than any is never written in base58. What stands for it is short,
the same for the same bytes, and reads as no peer id. An address that is longer than any
is malformed, as a broken one is.

Source: https://github.com/libp2p/py-libp2p at 0.8.1, https://github.com/multiformats/py-multiaddr
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, cast

import base58
from libp2p.peer.id import ID
from multiaddr import multiaddr, transforms
from multiaddr.exceptions import BinaryParseError

MAX_ID_BYTES = 64
"""An Ed25519 key as an id has 38 bytes, a hash of any key 34."""

MAX_ADDR_BYTES = 512
"""A long name, a port, a relay's id and a peer's are 350."""


def apply() -> None:
    """Make it so for every id and every address from now on, for the whole process."""
    written = cached_property(_written)
    written.__set_name__(ID, "base58")
    cast(Any, ID).base58 = written
    for module in (multiaddr, transforms):
        names = cast(Any, module)
        names.bytes_iter, names.bytes_to_string = _parts, _text


def may_be_id(data: bytes) -> bool:
    """Whether these may be the bytes of a peer id."""
    return len(data) <= MAX_ID_BYTES


def may_be_addrs(addrs: Iterable[bytes]) -> bool:
    """Whether each may be the bytes of an address."""
    return all(len(data) <= MAX_ADDR_BYTES for data in addrs)


def _written(self: ID) -> str:
    data = self.to_bytes()
    if len(data) > MAX_ID_BYTES:
        return f"({len(data)} bytes {hashlib.blake2b(data, digest_size=16).hexdigest()})"
    return base58.b58encode(data).decode()


_bytes_iter, _bytes_to_string = transforms.bytes_iter, transforms.bytes_to_string


def _parts(buf: bytes) -> Iterator[Any]:
    _check(buf)
    return _bytes_iter(buf)


def _text(buf: bytes) -> str:
    _check(buf)
    return _bytes_to_string(buf)


def _check(buf: bytes) -> None:
    if len(buf) > MAX_ADDR_BYTES:
        raise BinaryParseError("longer than any address", buf[:16], "multiaddr")

"""
The GossipSub id of a record: the CID of its payload.

So a record has one id in the journal, in sync and in gossip, and two peers that
publish the same record publish one message. Bytes that are no envelope get the
hash of themselves. The signature is not looked at: that is the verdict's work.

Source: https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
"""

from __future__ import annotations

import hashlib

from swarm.cid import cid_of

_PAYLOAD_FIELD = 3
_LENGTH_DELIMITED = 2


def message_id(data: bytes) -> bytes:
    """The payload's CID in ASCII, or the SHA-256 of data that is no envelope. Total."""
    payload = _payload(data)
    return hashlib.sha256(data).digest() if payload is None else cid_of(payload).encode()


def claimed_id(data: bytes) -> str | None:
    """The id of the record in an envelope whose signature nobody has checked yet. Total."""
    payload = _payload(data)
    return None if payload is None else cid_of(payload)


def _payload(data: bytes) -> bytes | None:
    """The payload field of a signed envelope in protobuf, or None."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        if tag & 7 != _LENGTH_DELIMITED:
            return None
        size, at = _varint(data, at)
        if size > len(data) - at:
            return None
        if tag >> 3 == _PAYLOAD_FIELD:
            return data[at : at + size]
        at += size
    return None


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place and the place after it; a malformed one reads as a huge number."""
    number = 0
    for position, byte in enumerate(data[at : at + 5]):
        number |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return number, at + position + 1
    return 1 << 40, len(data)

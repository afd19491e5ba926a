"""
Signed envelopes (libp2p RFC 0002): a payload, its author's key and signature.

Ed25519 only, and one byte string per (key, payload, signature): the protobuf is
written with ascending fields and shortest varints, and anything that does not
re-encode to the same bytes is refused. The signature covers the domain and the
payload type, so an envelope from another protocol is no record here.

Source: https://github.com/libp2p/specs/blob/master/RFC/0002-signed-envelopes.md
"""

from collections.abc import Callable

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

DOMAIN = "research-swarm-record"
PAYLOAD_TYPE = b"/research-swarm/record"
MAX_ENVELOPE_BYTES = 256 * 1024

_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


class EnvelopeError(ValueError):
    """Bytes are not one canonical, correctly signed envelope of this protocol."""


def _varint(number: int) -> bytes:
    """Unsigned LEB128 in its shortest form, as protobuf writes lengths."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _sized(data: bytes) -> bytes:
    return _varint(len(data)) + data


# Envelope: public_key = 1 {type = 1: Ed25519 (1), data = 2}, payload_type = 2, payload = 3,
# signature = 5. Everything but key, payload and signature is constant.
_BEFORE_KEY = b"\x0a\x24\x08\x01\x12\x20"
_AFTER_KEY = b"\x12" + _sized(PAYLOAD_TYPE) + b"\x1a"
_BEFORE_SIGNATURE = b"\x2a\x40"
_SIGNED_PREFIX = _sized(DOMAIN.encode()) + _sized(PAYLOAD_TYPE)
_PAYLOAD_AT = len(_BEFORE_KEY) + _KEY_BYTES + len(_AFTER_KEY)
_TAIL_BYTES = len(_BEFORE_SIGNATURE) + _SIGNATURE_BYTES

_LONGEST_VARINT = len(_varint(MAX_ENVELOPE_BYTES))

MAX_PAYLOAD_BYTES = MAX_ENVELOPE_BYTES - _PAYLOAD_AT - _LONGEST_VARINT - _TAIL_BYTES


def seal(payload: bytes, sign: Callable[[bytes], bytes], public_key: bytes) -> bytes:
    """
    The envelope of `payload`.

    Args:
        payload: 1 to `MAX_PAYLOAD_BYTES` bytes.
        sign: Gives the 64-byte Ed25519 signature of its argument.
        public_key: The 32 bytes that verify what `sign` signs.

    Raises:
        EnvelopeError: The payload is empty or too long, or `sign` and
            `public_key` do not belong together.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD_BYTES:
        raise EnvelopeError(f"a payload has 1 to {MAX_PAYLOAD_BYTES} bytes, not {len(payload)}")
    signature = sign(_SIGNED_PREFIX + _sized(payload))
    if len(public_key) != _KEY_BYTES or len(signature) != _SIGNATURE_BYTES:
        raise EnvelopeError("an Ed25519 key has 32 bytes and its signature 64")
    _verify(payload, signature, public_key)
    return b"".join(
        (_BEFORE_KEY, public_key, _AFTER_KEY, _sized(payload), _BEFORE_SIGNATURE, signature)
    )


def open_envelope(data: bytes) -> tuple[bytes, bytes]:
    """
    The (public key, payload) of an envelope whose signature holds.

    Raises:
        EnvelopeError: Too long, not canonical, of another type, or not signed by its key.
    """
    if len(data) > MAX_ENVELOPE_BYTES:
        raise EnvelopeError(f"{len(data)} bytes, at most {MAX_ENVELOPE_BYTES} allowed")
    key = data[len(_BEFORE_KEY) : len(_BEFORE_KEY) + _KEY_BYTES]
    sized_payload, tail = data[_PAYLOAD_AT:-_TAIL_BYTES], data[-_TAIL_BYTES:]
    payload = _without_size(sized_payload)
    signature = tail[len(_BEFORE_SIGNATURE) :]
    head = _BEFORE_KEY + key + _AFTER_KEY
    if not payload or data != head + _sized(payload) + _BEFORE_SIGNATURE + signature:
        raise EnvelopeError("not a canonical Ed25519 envelope of a research-swarm record")
    _verify(payload, signature, key)
    return key, payload


def peek_payload(data: bytes) -> bytes:
    """What would be the payload if these bytes were an envelope; nothing is checked. Total."""
    return _without_size(data[_PAYLOAD_AT:-_TAIL_BYTES])


def _without_size(sized: bytes) -> bytes:
    """The bytes after a varint; the caller re-encodes, so only its end matters here."""
    for index, byte in enumerate(sized[:_LONGEST_VARINT]):
        if byte < 0x80:
            return sized[index + 1 :]
    return b""


def _verify(payload: bytes, signature: bytes, key: bytes) -> None:
    try:
        crypto_sign_open(signature + _SIGNED_PREFIX + _sized(payload), key)
    except BadSignatureError as error:
        raise EnvelopeError("the signature does not belong to this key and payload") from error

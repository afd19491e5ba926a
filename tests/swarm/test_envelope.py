"""Envelopes are libp2p's, byte for byte, and have one encoding."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.crypto.ed25519 import Ed25519PublicKey, create_new_key_pair
from libp2p.crypto.secp256k1 import create_new_key_pair as create_secp256k1
from libp2p.peer.envelope import Envelope, make_unsigned, unmarshal_envelope

from swarm.envelope import (
    DOMAIN,
    MAX_ENVELOPE_BYTES,
    MAX_PAYLOAD_BYTES,
    PAYLOAD_TYPE,
    EnvelopeError,
    open_envelope,
    seal,
)
from tests.swarm.record_samples import ANN, BOB

# Lengths on both sides of each varint boundary.
PAYLOADS = st.binary(min_size=1, max_size=300) | st.sampled_from([127, 128, 16383, 16384]).map(
    bytes
)
GOOD = ANN.seal_payload(b"payload")
# The order of the curve's base point: adding it to a signature's S gives a second spelling.
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


@given(PAYLOADS)
def test_libp2p_reads_and_verifies_ours(payload: bytes) -> None:
    sealed = ANN.seal_payload(payload)
    theirs = unmarshal_envelope(sealed)
    theirs.validate(DOMAIN)
    assert theirs.raw_payload == payload
    assert theirs.payload_type == PAYLOAD_TYPE
    assert theirs.public_key.to_bytes() == ANN.public_key
    assert theirs.marshal_envelope() == sealed


@given(PAYLOADS)
def test_we_read_and_verify_libp2ps(payload: bytes) -> None:
    pair = create_new_key_pair()
    signature = pair.private_key.sign(make_unsigned(DOMAIN, PAYLOAD_TYPE, payload))
    theirs = Envelope(pair.public_key, PAYLOAD_TYPE, payload, signature).marshal_envelope()
    assert open_envelope(theirs) == (pair.public_key.to_bytes(), payload)


@given(st.binary(max_size=200))
def test_any_bytes_give_a_payload_or_the_one_error(data: bytes) -> None:
    with pytest.raises(EnvelopeError):
        open_envelope(data)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_changed_byte_passes(at: int, change: int) -> None:
    damaged = bytearray(GOOD)
    damaged[at] ^= change
    with pytest.raises(EnvelopeError):
        open_envelope(bytes(damaged))


@settings(max_examples=30)
@given(st.integers(0, len(GOOD) - 1))
def test_no_truncation_passes(length: int) -> None:
    with pytest.raises(EnvelopeError):
        open_envelope(GOOD[:length])


def envelope_of(domain: str = DOMAIN, payload_type: bytes = PAYLOAD_TYPE) -> bytes:
    """A correctly signed libp2p envelope of another domain or payload type."""
    signature = ANN.sign(make_unsigned(domain, payload_type, b"payload"))
    key = Ed25519PublicKey.from_bytes(ANN.public_key)
    return Envelope(key, payload_type, b"payload", signature).marshal_envelope()


def test_other_protocols_envelopes_are_refused() -> None:
    """A signature for another domain, a payload of another type: correctly signed, not ours."""
    assert open_envelope(envelope_of()) == (ANN.public_key, b"payload")
    for foreign in (
        envelope_of(domain="libp2p-peer-record"),
        envelope_of(payload_type=b"\x03\x01"),
    ):
        with pytest.raises(EnvelopeError):
            open_envelope(foreign)


def test_other_key_types_are_refused() -> None:
    pair = create_secp256k1()
    signature = pair.private_key.sign(make_unsigned(DOMAIN, PAYLOAD_TYPE, b"payload"))
    theirs = Envelope(pair.public_key, PAYLOAD_TYPE, b"payload", signature).marshal_envelope()
    unmarshal_envelope(theirs).validate(DOMAIN)
    with pytest.raises(EnvelopeError):
        open_envelope(theirs)


def respelled() -> list[bytes]:
    """`GOOD` in protobuf spellings that libp2p reads as the very same envelope."""
    key_field, rest = GOOD[:38], GOOD[38:]
    type_field = rest[: 2 + len(PAYLOAD_TYPE)]
    payload_field, signature_field = b"\x1a\x07payload", GOOD[-66:]
    return [
        type_field + key_field + payload_field + signature_field,
        key_field + type_field + b"\x1a\x87\x00payload" + signature_field,
        GOOD + b"\x32\x01x",
        GOOD + signature_field,
        b"\x0a\x24\x12\x20" + ANN.public_key + b"\x08\x01" + rest,
        b"\x0a\x25\x08\x81\x00\x12\x20" + ANN.public_key + rest,
    ]


@pytest.mark.parametrize("spelling", respelled())
def test_one_envelope_has_one_spelling(spelling: bytes) -> None:
    """Fields out of order, long varints, unknown and repeated fields: valid protobuf, refused."""
    theirs = unmarshal_envelope(spelling)
    theirs.validate(DOMAIN)
    assert (theirs.public_key.to_bytes(), theirs.raw_payload) == (ANN.public_key, b"payload")
    with pytest.raises(EnvelopeError):
        open_envelope(spelling)


def test_a_signature_has_one_spelling() -> None:
    """S + L satisfies the same equation as S; only the smaller is canonical."""
    s = int.from_bytes(GOOD[-32:], "little") + GROUP_ORDER
    with pytest.raises(EnvelopeError, match="signature"):
        open_envelope(GOOD[:-32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "key", [b"\x01" + bytes(31), bytes(32), b"\xee" + b"\xff" * 30 + b"\x7f"], ids=str
)
def test_keys_that_verify_anything_are_refused(key: bytes) -> None:
    """Under a key of small order, R = identity and S = 0 verify every message."""
    signature = b"\x01" + bytes(63)
    forged = GOOD[:6] + key + GOOD[38:-64] + signature
    with pytest.raises(EnvelopeError, match="signature"):
        open_envelope(forged)


def test_sizes_are_bounded_both_ways() -> None:
    largest = ANN.seal_payload(bytes(MAX_PAYLOAD_BYTES))
    assert len(largest) == MAX_ENVELOPE_BYTES
    assert open_envelope(largest)[1] == bytes(MAX_PAYLOAD_BYTES)
    for payload in (b"", bytes(MAX_PAYLOAD_BYTES + 1)):
        with pytest.raises(EnvelopeError):
            ANN.seal_payload(payload)
    with pytest.raises(EnvelopeError, match="at most"):
        open_envelope(bytes(MAX_ENVELOPE_BYTES + 1))


def test_a_wrong_key_is_noticed_when_sealing() -> None:
    """A node never publishes what others would refuse."""
    with pytest.raises(EnvelopeError):
        seal(b"payload", BOB.sign, ANN.public_key)
    with pytest.raises(EnvelopeError):
        seal(b"payload", ANN.sign, ANN.public_key[:31])
    with pytest.raises(EnvelopeError):
        seal(b"payload", lambda _: b"short", ANN.public_key)

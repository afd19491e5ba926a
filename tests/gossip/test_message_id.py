"""One record, one message id; and any bytes have one."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from gossip.identity import new_identity
from gossip.message_id import message_id
from swarm.cid import cid_of
from swarm.envelope import seal


@given(st.binary(min_size=1, max_size=300))
def test_a_sealed_record_has_the_id_of_its_payload(payload: bytes) -> None:
    one, other = new_identity(b"\x01" * 32), new_identity(b"\x02" * 32)
    for author in (one, other):
        envelope = seal(payload, author.sign, author.public_key)
        assert message_id(envelope) == cid_of(payload).encode()


@given(st.binary(max_size=60))
def test_any_bytes_have_an_id(data: bytes) -> None:
    assert len(message_id(data)) in (32, len(cid_of(b"")))


def test_bytes_that_are_no_envelope_are_their_own_hash() -> None:
    for data in (b"", b"hello", b"\x1a\xff\xff\xff\xff\x7f", b"\x1a\x05abc"):
        assert message_id(data) == sha256(data).digest()

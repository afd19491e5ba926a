"""`validate` passes what honest peers make for this task, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.canonical import pack
from swarm.cid import cid_of
from swarm.envelope import MAX_ENVELOPE_BYTES
from swarm.records import Record, decode, encode, kind_of
from swarm.validation import Invalid, Scope, Valid, challenge_message, validate
from tests.swarm.record_samples import (
    ANN,
    BOB,
    RECORDS,
    REPLICATION,
    SCOPE,
    SOME_ID,
    TASK,
    TOPIC,
    WIN,
)

AUTHORS = {author.peer_id: author for author in (ANN, BOB)}
GOOD = ANN.seal(WIN)


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_honest_records_pass(record: Record) -> None:
    envelope = AUTHORS[record.author].seal(record)
    assert validate(envelope, SCOPE) == Valid(cid_of(encode(record)), record, envelope)


def test_two_envelopes_of_one_payload_are_one_record() -> None:
    """An id is of the payload: nobody gets a second vote by signing twice."""
    first, again = validate(GOOD, SCOPE), validate(ANN.seal(WIN), SCOPE)
    assert first.id == again.id
    assert validate(ANN.seal(replace(WIN, created_at_ms=1)), SCOPE).id != first.id


@pytest.mark.parametrize("record", RECORDS, ids=kind_of)
def test_a_re_signed_record_is_refused(record: Record) -> None:
    """Somebody else's record under one's own signature claims credit; it names its author."""
    thief = BOB if record.author == ANN.peer_id else ANN
    with pytest.raises(Invalid, match=r"^author: "):
        validate(thief.seal(record), SCOPE)


def test_another_topic_or_task_is_refused() -> None:
    """A record leaked out of a private topic, or measured on another task."""
    with pytest.raises(Invalid, match=r"^topic: "):
        validate(GOOD, Scope("/research-swarm/1/private", TASK))
    with pytest.raises(Invalid, match=r"^task: "):
        validate(GOOD, Scope(TOPIC, SOME_ID))


def test_a_challenge_must_be_its_authors_own() -> None:
    """Signed by another peer, for another win, or of another length of message."""
    for signature in (
        ANN.sign(challenge_message(SOME_ID)),
        BOB.sign(challenge_message(TASK)),
        BOB.sign(SOME_ID.encode()),
        bytes(64),
    ):
        with pytest.raises(Invalid, match=r"^challenge: "):
            validate(BOB.seal(replace(REPLICATION, challenge=signature)), SCOPE)


def test_correctly_signed_junk_is_refused_with_the_field() -> None:
    for payload, named in (
        (b"\x80", "version: "),
        (b"\xcb\x7f\xf8" + bytes(6), "record: "),
        (pack({"version": 1, "kind": "presence"}), "kind: "),
    ):
        with pytest.raises(Invalid, match=f"^{named}") as caught:
            validate(ANN.seal_payload(payload), SCOPE)
        assert caught.value.at_fault == "peer"
        assert caught.value.reason == str(caught.value)


def test_a_date_is_not_validitys_business() -> None:
    """The same answer at any time: dates stand at the door, in `swarm.admission`."""
    for created_at_ms in (0, 253_402_300_799_999):
        record = replace(WIN, created_at_ms=created_at_ms)
        assert validate(ANN.seal(record), SCOPE).record == record


@given(st.binary(max_size=400))
def test_any_bytes_have_a_verdict(data: bytes) -> None:
    with pytest.raises(Invalid):
        validate(data, SCOPE)


@settings(max_examples=300)
@given(st.binary(min_size=1, max_size=80))
def test_any_signed_payload_has_a_verdict(payload: bytes) -> None:
    """A peer can sign anything; the signature holding must not lead further than to `decode`."""
    with pytest.raises(Invalid):
        validate(ANN.seal_payload(payload), SCOPE)


@settings(max_examples=300)
@given(st.data())
def test_a_signed_record_with_changed_bytes_is_another_record_or_refused(
    data: st.DataObject,
) -> None:
    payload = bytearray(encode(data.draw(st.sampled_from(RECORDS))))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        valid = validate(ANN.seal_payload(bytes(payload)), SCOPE)
    except Invalid:
        return
    assert valid.id == cid_of(bytes(payload))
    assert decode(bytes(payload)) == valid.record
    assert encode(valid.record) == bytes(payload)


@pytest.mark.parametrize("length", [0, 1, len(GOOD) // 2, len(GOOD) - 1])
def test_truncated_envelopes_are_refused(length: int) -> None:
    with pytest.raises(Invalid):
        validate(GOOD[:length], SCOPE)


def test_oversize_envelopes_are_refused() -> None:
    with pytest.raises(Invalid, match="at most"):
        validate(GOOD + bytes(MAX_ENVELOPE_BYTES), SCOPE)

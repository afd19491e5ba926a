"""What follows from a topic's key, and what does not."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.topic import (
    ID_BYTES,
    MAX_EPOCH,
    SECRET_BYTES,
    TopicKey,
    TopicKeyError,
    is_topic_name,
    public_topic,
)
from tests.swarm.record_samples import TASK

KEY = TopicKey(bytes(range(16)), 1, bytes(range(32)))

keys = st.builds(
    TopicKey,
    id=st.binary(min_size=ID_BYTES, max_size=ID_BYTES),
    epoch=st.integers(1, MAX_EPOCH),
    secret=st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
)


def outside(key: TopicKey) -> tuple[str, bytes, str]:
    """All of a key that can be seen or guessed at from outside."""
    return key.wire_topic, key.dht_key, key.pre_shared_key


def test_derivations_are_those_of_the_protocol() -> None:
    """Other clients must derive the same; a change here is another protocol version."""
    assert KEY.wire_topic == (
        "/research-swarm/1/xnwbbi3uk5sov6hip6rkx454qizaciyoqhifkqbscvjqv2gqvxoq"
    )
    assert KEY.dht_key.hex() == "a6b24ed2f85f59f80ca32157759e8aa8de719993f4ec56fed2fc2d2f985639bc"
    assert KEY.pre_shared_key == "307b2186b5f7baf215bd67124a232f08bef2b4fb257edcf32b0f6e4a7699bcd2"
    assert KEY.scope(TASK).topic == "/research-swarm/1/private/aaaqeayeaudaocajbifqydiob4"


@given(keys, keys)
def test_another_key_shares_nothing_that_can_be_seen(one: TopicKey, other: TopicKey) -> None:
    if one != other:
        assert not set(outside(one)) & set(outside(other))


@given(keys)
def test_a_new_epoch_changes_all_that_can_be_seen_and_no_record(key: TopicKey) -> None:
    fresh = replace(key, epoch=key.epoch % MAX_EPOCH + 1)
    assert not set(outside(key)) & set(outside(fresh))
    assert fresh.scope(TASK) == key.scope(TASK)


def test_the_name_on_the_wire_tells_neither_task_nor_id() -> None:
    assert TASK not in KEY.wire_topic
    assert KEY.label not in KEY.wire_topic
    assert len(KEY.wire_topic) < len(public_topic(TASK))


def test_records_of_one_topic_are_of_no_other() -> None:
    other = replace(KEY, id=bytes(ID_BYTES))
    topics = {KEY.scope(TASK).topic, other.scope(TASK).topic, public_topic(TASK)}
    assert len(topics) == 3


def test_a_secret_is_in_no_text_of_the_key() -> None:
    assert "secret" not in repr(KEY)
    assert KEY.secret.hex() not in f"{KEY} {KEY.label} {KEY.wire_topic} {KEY.pre_shared_key}"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"id": b"short"}, "id"),
        ({"secret": b"short"}, "secret"),
        ({"epoch": 0}, "epoch"),
        ({"epoch": MAX_EPOCH + 1}, "epoch"),
    ],
)
def test_what_no_topic_has_is_refused(wrong: dict[str, object], named: str) -> None:
    fields: dict[str, object] = {"id": KEY.id, "epoch": 1, "secret": KEY.secret}
    with pytest.raises(TopicKeyError, match=named):
        TopicKey(**fields | wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("name", "good"),
    [("lab", True), ("lab-2_b", True), ("public", False), ("", False), ("Lab", False),
     ("../lab", False), ("a" * 33, False), ("lab\n", False)],
)  # fmt: skip
def test_names_are_short_plain_words(name: str, good: bool) -> None:
    assert is_topic_name(name) is good

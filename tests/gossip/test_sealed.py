"""Only who has the key reads and says things, each in its one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip import sealed
from gossip.message_id import claimed_id
from gossip.sealed import GOSSIP, SEAL_BYTES, Seal, SealError
from swarm.topic import TopicKey
from tests.swarm.record_samples import ANN, BOB

KEY = TopicKey(bytes(16), 1, bytes(32))
SEAL = Seal(KEY)
OTHERS = [
    TopicKey(bytes(16), 1, bytes(31) + b"\1"),
    TopicKey(bytes(16), 2, bytes(32)),
    TopicKey(bytes(15) + b"\1", 1, bytes(32)),
]
ASKED = sealed.question(ANN.peer_id, BOB.peer_id)


@given(st.binary(max_size=2000), st.sampled_from([GOSSIP, ASKED, b""]))
def test_what_is_sealed_is_opened_and_cannot_be_read(data: bytes, what: bytes) -> None:
    message = SEAL.seal(data, what)
    assert SEAL.open(message, what) == data
    assert len(message) == len(data) + SEAL_BYTES
    assert len(data) < 8 or data not in message
    assert claimed_id(message) is None, "a sealed message must not read as an envelope"


def test_the_same_words_never_look_alike() -> None:
    assert len({SEAL.seal(b"again", GOSSIP) for _ in range(100)}) == 100


@pytest.mark.parametrize("key", OTHERS)
def test_another_secret_epoch_or_topic_opens_nothing(key: TopicKey) -> None:
    with pytest.raises(SealError, match="current key"):
        Seal(key).open(SEAL.seal(b"news", GOSSIP), GOSSIP)


@given(st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_bit_is_noticed(data: bytes, at: int, flip: int) -> None:
    message = bytearray(SEAL.seal(data, GOSSIP))
    message[at % len(message)] ^= flip
    with pytest.raises(SealError):
        SEAL.open(bytes(message), GOSSIP)


@given(st.binary(max_size=200))
def test_any_bytes_open_or_raise(data: bytes) -> None:
    with pytest.raises(SealError):
        SEAL.open(data, GOSSIP)


def test_what_is_said_in_one_place_cannot_be_repeated_in_another() -> None:
    """A question is of one peer to one other, an answer of exactly one question."""
    asked = SEAL.seal(b"?", ASKED)
    said = SEAL.seal(b"!", sealed.answer(ANN.peer_id, BOB.peer_id, asked))
    again = SEAL.seal(b"?", ASKED)
    for message, what in [
        (asked, sealed.question(BOB.peer_id, ANN.peer_id)),
        (asked, sealed.question(ANN.peer_id, ANN.peer_id)),
        (asked, GOSSIP),
        (SEAL.seal(b"x", GOSSIP), ASKED),
        (said, ASKED),
        (said, sealed.answer(ANN.peer_id, BOB.peer_id, again)),
    ]:
        with pytest.raises(SealError):
            SEAL.open(message, what)

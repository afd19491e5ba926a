"""Signals: only their author's, only whole, never a record, and bounded when heard."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.canonical import pack
from swarm.envelope import EnvelopeError
from swarm.fields import plain_map
from swarm.heard import LEAST_GAP_MS, LIFETIME_MS, Heard
from swarm.records import SCHEMA_VERSION
from swarm.signals import (
    MAX_SIGNAL_BYTES,
    Claim,
    Idea,
    InvalidSignal,
    Lead,
    Presence,
    Signal,
    is_signal,
    seal_signal,
    validate_signal,
)
from swarm.validation import Invalid, validate
from tests.swarm.record_samples import ANN, BOB, NOW_MS, RECORDS, SCOPE, TASK, TOPIC, Author

IDEA = Idea("0a" * 32, "0b" * 32, "norm", (("NORM", "'rmsnorm'"),))
CLAIM = Claim(ANN.peer_id, TOPIC, TASK, NOW_MS, (IDEA,))
PRESENCE = Presence(
    author=ANN.peer_id,
    nickname="ann",
    topic=TOPIC,
    task=TASK,
    created_at_ms=NOW_MS,
    hardware_class="cpu-laptop",
    device="Example CPU, 4 cores",
    experiments=12,
    wins=3,
    running=("NORM layernorm → rmsnorm",),
)

LEAD = Lead(ANN.peer_id, TOPIC, TASK, NOW_MS, 2_500_000_000, ((512, 4 * 10**9), (1024, 10**9)))


def sealed(signal: Signal, author: Author = ANN) -> bytes:
    return seal_signal(signal, author.sign, author.public_key)


def forged(signal: Signal, author: Author = ANN, **changes: object) -> bytes:
    """A signed signal that breaks one rule."""
    kind = type(signal).__name__.lower()
    fields = {"kind": kind, "version": SCHEMA_VERSION} | plain_map(signal) | changes
    return author.seal_payload(pack(fields))


@pytest.mark.parametrize("signal", [CLAIM, PRESENCE, LEAD, replace(CLAIM, ideas=())])
def test_a_signal_arrives_as_it_was_sent_and_is_no_record(signal: Signal) -> None:
    data = sealed(signal)
    assert is_signal(data)
    assert validate_signal(data, SCOPE) == signal
    with pytest.raises(Invalid, match="kind"):
        validate(data, SCOPE)


def test_a_record_is_no_signal() -> None:
    for record in RECORDS:
        assert not is_signal(ANN.seal(record))
        with pytest.raises(InvalidSignal):
            validate_signal(ANN.seal(record), SCOPE)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (forged(CLAIM, BOB), "author"),
        (forged(CLAIM, topic="/research-swarm/1/other"), "topic"),
        (forged(CLAIM, version=99), "version"),
        (forged(CLAIM, kind="shout"), "kind"),
        (forged(CLAIM, kind={"unhashable": []}), "kind"),
        (forged(CLAIM, more=1), "unknown field 'more'"),
        (forged(CLAIM, created_at_ms=-1), "created_at_ms"),
        (forged(CLAIM, ideas=[plain_map(IDEA)] * 33), "signal"),
        (forged(CLAIM, ideas=[plain_map(IDEA) | {"tree": "x"}]), "ideas.0.tree"),
        (forged(CLAIM, ideas=[plain_map(IDEA) | {"knobs": [["A", "1"], ["A", "2"]]}]), "knob"),
        (forged(PRESENCE, running=["x"] * 9), "running"),
        (forged(PRESENCE, running=["two\nlines"]), "running"),
        (forged(PRESENCE, nickname="\u202e"), "nickname"),
        (forged(PRESENCE, experiments=-1), "experiments"),
        (forged(PRESENCE, device="x" * MAX_SIGNAL_BYTES), "at most"),
        (forged(LEAD, value_nano=0.5), "value_nano"),
        (forged(LEAD, curve=[]), "curve"),
        (forged(LEAD, curve=[[each, 1] for each in range(1, 34)]), "signal"),
        (forged(LEAD, curve=[[1, 1], [1, 2]]), "tokens do not rise"),
        (forged(LEAD, curve=[[1, 0]]), "curve"),
        (forged(LEAD, curve=[[1, 1, 1]]), "curve"),
        (forged(LEAD, curve=[[1, 2**63]]), "curve"),
        (sealed(PRESENCE)[:-1], "canonical"),
        (b"", "canonical"),
    ],
)
def test_what_no_honest_peer_sends_is_refused(data: bytes, fault: str) -> None:
    with pytest.raises(InvalidSignal, match=fault):
        validate_signal(data, SCOPE)
    assert is_signal(data) in (True, False)


def test_nobody_seals_what_nobody_would_take() -> None:
    with pytest.raises(InvalidSignal, match="nickname"):
        sealed(replace(PRESENCE, nickname="x" * 41))
    with pytest.raises(EnvelopeError):
        seal_signal(CLAIM, ANN.sign, BOB.public_key)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    """Bare, and as a payload that somebody signed."""
    for envelope in (data, ANN.seal_payload(data or b"x")):
        is_signal(envelope)
        with pytest.raises(InvalidSignal):
            validate_signal(envelope, SCOPE)


class TestHeard:
    """The table of what was heard."""

    def test_the_newest_of_each_kind_holds(self) -> None:
        heard = Heard()
        later = replace(CLAIM, created_at_ms=NOW_MS + 1000, ideas=())
        assert heard.hear(CLAIM, NOW_MS) and heard.hear(PRESENCE, NOW_MS)
        assert heard.claims(NOW_MS) == [CLAIM] and heard.presences(NOW_MS) == [PRESENCE]
        assert heard.leads(NOW_MS) == []
        assert heard.hear(LEAD, NOW_MS) and heard.leads(NOW_MS) == [LEAD]
        assert heard.hear(later, NOW_MS + 1000)
        assert not heard.hear(CLAIM, NOW_MS + 2000), "an older one that comes late"
        assert heard.claims(NOW_MS + 2000) == [later]

    def test_a_signal_ends_by_the_clock_here(self) -> None:
        heard = Heard()
        heard.hear(CLAIM, NOW_MS)
        assert heard.claims(NOW_MS + LIFETIME_MS - 1) == [CLAIM]
        assert heard.claims(NOW_MS + LIFETIME_MS) == []
        assert len(heard) == 0

    def test_an_old_one_sent_again_is_not_heard(self) -> None:
        assert not Heard().hear(CLAIM, NOW_MS + LIFETIME_MS + 1)
        assert not Heard().hear(replace(CLAIM, created_at_ms=NOW_MS + 200_000), NOW_MS)

    def test_a_chatterbox_is_heard_now_and_then(self) -> None:
        heard = Heard()
        taken = [
            heard.hear(replace(CLAIM, created_at_ms=NOW_MS + n), NOW_MS + n)
            for n in range(0, 4000, 10)
        ]
        assert sum(taken) == 4000 // LEAST_GAP_MS

    def test_the_table_is_bounded(self) -> None:
        heard = Heard(max_authors=8)
        for n in range(1000):
            heard.hear(replace(CLAIM, author=f"peer {n}"), NOW_MS)
        assert len(heard) == 24, "of three kinds"
        assert heard.claims(NOW_MS)[-1].author == "peer 999"

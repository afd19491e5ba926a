"""Sync messages: what is written is read, and any bytes at all are read or refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.ranges import END, WHOLE, Part, Range
from gossip.sync_messages import (
    MAX_PIECES,
    MAX_RANGES,
    MAX_RECORDS,
    AskKeys,
    AskParts,
    AskRecords,
    AskVisit,
    Question,
    Records,
    SyncError,
    read_keys,
    read_parts,
    read_question,
    read_records,
    write_keys,
    write_parts,
    write_question,
    write_records,
)
from swarm.canonical import pack

SCOPE = "/research-swarm/1/task#1"
LOW, HIGH = Range(b"", b"\x80"), Range(b"\x90", END)
KEYS = (b"a" * 16, b"b" * 16)


@pytest.mark.parametrize(
    "question",
    [
        AskParts("win", (WHOLE,), 64),
        AskKeys("win", (LOW, HIGH)),
        AskRecords("win", KEYS),
        AskVisit(),
    ],
)
def test_questions_round_trip(question: Question) -> None:
    assert read_question(write_question(SCOPE, question), SCOPE) == question


def test_another_scope_is_refused() -> None:
    with pytest.raises(SyncError, match="another task"):
        read_question(write_question("/research-swarm/1/other#1", AskVisit()), SCOPE)


def test_answers_round_trip() -> None:
    parts = [
        Part(Range(b"", b"\x10"), 3, b"f" * 16),
        Part(Range(b"\x10", b"\x80"), 0, b""),
        Part(HIGH, 1, b"g" * 16),
    ]
    assert read_parts(write_parts(parts), (LOW, HIGH)) == parts
    assert read_keys(write_keys(KEYS), (LOW,)) == KEYS
    records = Records((b"one", b"two"), 3)
    assert read_records(write_records(records), 3) == records


@pytest.mark.parametrize("keys", [KEYS[::-1], KEYS[:1] * 2, [b"\x85" * 16], [b"short"]])
def test_lists_that_go_back_or_astray_are_refused(keys: list[bytes]) -> None:
    with pytest.raises(SyncError):
        read_keys(write_keys(keys), (LOW, HIGH))


@pytest.mark.parametrize(
    "bounds", [[], [b"\x80"], [b"\x81", END], [b"\x80", b"\x80", END], [b"\x80", END, END]]
)
def test_parts_that_do_not_cover_what_was_asked_are_refused(bounds: list[bytes]) -> None:
    with pytest.raises(SyncError):
        read_parts(write_parts(Part(Range(b"", high), 1, b"") for high in bounds), (LOW, HIGH))


@pytest.mark.parametrize(
    "answer",
    [
        {"envelopes": [], "considered": 0},
        {"envelopes": [b"x", b"y"], "considered": 1},
        {"envelopes": [b"x"], "considered": 4},
        {"envelopes": [bytes(300_000)], "considered": 1},
        {"envelopes": ["text"], "considered": 1},
        {"envelopes": [], "considered": True},
    ],
)
def test_records_that_were_not_asked_for_are_refused(answer: dict[str, object]) -> None:
    with pytest.raises(SyncError):
        read_records(pack(answer), 3)


@pytest.mark.parametrize(
    "fields",
    [
        {"ask": "keys", "kind": "win", "ranges": []},
        {"ask": "keys", "kind": "win", "ranges": [[b"", b""]]},
        {"ask": "keys", "kind": "win", "ranges": [[b"", bytes(18)]]},
        {"ask": "keys", "kind": "win", "ranges": [[b"", b"b"], [b"a", b"c"]]},
        {
            "ask": "keys",
            "kind": "win",
            "ranges": [[bytes([at]), bytes([at, 1])] for at in range(256)]
            + [[b"\xff\x02", b"\xff" + at.to_bytes(2, "big")] for at in range(MAX_RANGES)],
        },
        {"ask": "parts", "kind": "win", "ranges": [[b"", b"b"]], "pieces": MAX_PIECES + 1},
        {"ask": "parts", "kind": "win", "ranges": [[b"", b"b"]], "pieces": True},
        {"ask": "parts", "kind": 7, "ranges": [[b"", b"b"]], "pieces": 1},
        {"ask": "records", "kind": "win", "keys": bytes(16 * (MAX_RECORDS + 1))},
        {"ask": "records", "kind": "win", "keys": bytes(17)},
        {"ask": "everything", "kind": "win"},
    ],
)
def test_questions_out_of_bounds_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SyncError):
        read_question(pack({"scope": SCOPE, **fields}), SCOPE)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.integers(-(2**40), 2**40) | st.text(max_size=5) | st.binary(max_size=16),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(
                st.sampled_from(["parts", "keys", "ranges", "ask", "scope", "kind", "considered"]),
                part,
            )
        ),
        max_leaves=6,
    ).map(pack)
)
def test_reading_is_total(data: bytes) -> None:
    for read in (
        lambda: read_question(data, SCOPE),
        lambda: read_parts(data, (LOW, HIGH)),
        lambda: read_keys(data, (LOW, HIGH)),
        lambda: read_records(data, 5),
    ):
        with suppress(SyncError):
            read()

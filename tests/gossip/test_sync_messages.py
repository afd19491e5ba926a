"""Sync messages: what is written is read, and any bytes at all are read or refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gossip.sync_messages import (
    MAX_IDS_PER_FETCH,
    AskDigest,
    AskIds,
    AskRecords,
    AskVisit,
    Question,
    Records,
    SyncError,
    read_digest,
    read_ids,
    read_question,
    read_records,
    write_digest,
    write_ids,
    write_question,
    write_records,
)
from swarm.canonical import pack

SCOPE = "/research-swarm/1/task#1"


@pytest.mark.parametrize(
    "question",
    [
        AskDigest("win"),
        AskIds("win", (0, 255), "bafy"),
        AskRecords("win", ("a", "b")),
        AskVisit(),
    ],
)
def test_questions_round_trip(question: Question) -> None:
    assert read_question(write_question(SCOPE, question), SCOPE) == question


def test_another_scope_is_refused() -> None:
    with pytest.raises(SyncError, match="another task"):
        read_question(write_question("/research-swarm/1/other#1", AskDigest("win")), SCOPE)


def test_answers_round_trip() -> None:
    assert read_digest(write_digest(bytes(4096))) == bytes(4096)
    assert read_ids(write_ids(("a", "b")), "") == ("a", "b")
    records = Records((b"one", b"two"), 3)
    assert read_records(write_records(records), 3) == records


@pytest.mark.parametrize("ids", [("b", "a"), ("a", "a"), ("a",)])
def test_pages_that_go_back_are_refused(ids: tuple[str, ...]) -> None:
    with pytest.raises(SyncError, match="order"):
        read_ids(write_ids(ids), "a")


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
        {"ask": "ids", "kind": "win", "buckets": [256], "after": ""},
        {"ask": "ids", "kind": "win", "buckets": [True], "after": ""},
        {"ask": "records", "kind": "win", "ids": ["x"] * (MAX_IDS_PER_FETCH + 1)},
        {"ask": "records", "kind": "win", "ids": ["x" * 200]},
        {"ask": "digest", "kind": 7},
        {"ask": "everything", "kind": "win"},
    ],
)
def test_questions_out_of_bounds_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(SyncError):
        read_question(pack({"scope": SCOPE, **fields}), SCOPE)


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=5),
        lambda part: (
            st.lists(part, max_size=3)
            | st.dictionaries(st.sampled_from(["ids", "ask", "scope", "kind", "considered"]), part)
        ),
        max_leaves=6,
    ).map(pack)
)
def test_reading_is_total(data: bytes) -> None:
    for read in (
        lambda: read_question(data, SCOPE),
        lambda: read_digest(data),
        lambda: read_ids(data, ""),
        lambda: read_records(data, 5),
    ):
        with suppress(SyncError):
            read()

"""The door delays and bounds; it never judges."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.admission import (
    MAX_AHEAD_MS,
    RECORD_COST_BYTES,
    TRIALS_LIFETIME_MS,
    Admit,
    Defer,
    Deferred,
    Quotas,
    Rate,
    Refuse,
    admit,
)
from swarm.envelope import MAX_ENVELOPE_BYTES
from swarm.records import Kind, Win
from tests.swarm.record_samples import BOB, NOW_MS, RECORDS, REPLICATION, TRIALS, WIN

RATE = Rate(burst_bytes=MAX_ENVELOPE_BYTES + RECORD_COST_BYTES, bytes_per_second=1_000)
RATES: Mapping[Kind, Rate] = {"win": RATE, "replication": RATE, "trials": RATE}
LARGEST = MAX_ENVELOPE_BYTES


def test_honest_records_are_admitted() -> None:
    quotas = Quotas()
    for record in RECORDS:
        assert admit(record, 4_000, NOW_MS, quotas) == Admit()


def test_the_future_waits_and_the_past_does_not() -> None:
    """A day ahead is a clock that is off; more waits until it is no further ahead."""
    at_limit = replace(WIN, created_at_ms=NOW_MS + MAX_AHEAD_MS)
    beyond = replace(WIN, created_at_ms=NOW_MS + MAX_AHEAD_MS + 1)
    ancient = replace(WIN, created_at_ms=0)
    assert admit(at_limit, 4_000, NOW_MS, Quotas()) == Admit()
    assert admit(ancient, 4_000, NOW_MS, Quotas()) == Admit()
    verdict = admit(beyond, 4_000, NOW_MS, Quotas())
    assert isinstance(verdict, Defer)
    assert verdict.until_ms == NOW_MS + 1
    assert admit(beyond, 4_000, verdict.until_ms, Quotas()) == Admit()


def test_trials_live_48_hours() -> None:
    last_ms = NOW_MS + TRIALS_LIFETIME_MS - 1
    assert admit(TRIALS, 4_000, last_ms, Quotas()) == Admit()
    assert isinstance(admit(TRIALS, 4_000, last_ms + 1, Quotas()), Refuse)
    assert admit(REPLICATION, 4_000, last_ms + 1, Quotas()) == Admit()


def test_a_quota_delays_its_author_alone_and_says_until_when() -> None:
    quotas = Quotas(RATES)
    assert admit(WIN, LARGEST, NOW_MS, quotas) == Admit()
    verdict = admit(WIN, 976, NOW_MS, quotas)
    assert isinstance(verdict, Defer)
    assert verdict.until_ms == NOW_MS + 2_000
    assert admit(replace(WIN, author=BOB.peer_id), LARGEST, NOW_MS, quotas) == Admit()
    assert admit(TRIALS, LARGEST, NOW_MS, quotas) == Admit()
    assert isinstance(admit(WIN, 976, verdict.until_ms - 1, quotas), Defer)
    assert admit(WIN, 976, verdict.until_ms, quotas) == Admit()


def test_what_is_not_admitted_takes_nothing() -> None:
    """A flood that is deferred or refused does not push its author's next record further away."""
    quotas = Quotas(RATES)
    future = replace(WIN, created_at_ms=NOW_MS * 2)
    for _ in range(5):
        assert isinstance(admit(future, LARGEST, NOW_MS, quotas), Defer)
    assert admit(WIN, LARGEST, NOW_MS, quotas) == Admit()
    waits = {admit(WIN, LARGEST, NOW_MS, quotas) for _ in range(5)}
    assert len(waits) == 1


@given(st.lists(st.tuples(st.integers(-1_000, 60_000), st.integers(1, LARGEST)), max_size=60))
def test_no_author_gets_more_than_burst_and_refill(steps: list[tuple[int, int]]) -> None:
    """Over any arrivals, clocks set back included, the admitted bytes stay within the bound."""
    quotas, now_ms, forward_ms, admitted = Quotas(RATES), NOW_MS, 0, 0
    for step_ms, size in steps:
        now_ms += step_ms
        forward_ms += max(0, step_ms)
        record: Win = replace(WIN, created_at_ms=0)
        if admit(record, size, now_ms, quotas) == Admit():
            admitted += size + RECORD_COST_BYTES
    assert admitted * 1000 <= RATE.burst_bytes * 1000 + forward_ms * RATE.bytes_per_second


@given(st.integers(1, LARGEST), st.integers(1, LARGEST))
def test_a_deferred_record_is_admitted_when_it_was_told(first: int, second: int) -> None:
    quotas = Quotas(RATES)
    assert admit(WIN, first, NOW_MS, quotas) == Admit()
    verdict = admit(WIN, second, NOW_MS, quotas)
    if isinstance(verdict, Defer):
        assert verdict.until_ms > NOW_MS
        assert admit(WIN, second, verdict.until_ms, quotas) == Admit()


def test_many_authors_cost_bounded_memory() -> None:
    """The bucket used longest ago goes first, so one still in use is not forgotten."""
    quotas = Quotas(RATES, max_buckets=10)
    quotas.take("busy", "win", RATE.burst_bytes, NOW_MS)
    for number in range(100):
        quotas.take(f"peer {number}", "win", 1, NOW_MS)
        assert quotas.take("busy", "win", RATE.burst_bytes, NOW_MS) > 0
    assert len(quotas) == 10


def test_a_rate_must_let_the_largest_record_pass() -> None:
    with pytest.raises(ValueError, match="burst_bytes"):
        Rate(burst_bytes=MAX_ENVELOPE_BYTES, bytes_per_second=1)
    with pytest.raises(ValueError, match="bytes_per_second"):
        Rate(burst_bytes=2 * MAX_ENVELOPE_BYTES, bytes_per_second=0)


def test_deferred_records_come_back_in_time() -> None:
    waiting: Deferred[str] = Deferred(10)
    waiting.add("late", "c", 30)
    waiting.add("soon", "a", 10)
    waiting.add("same", "b", 10)
    assert waiting.next_ms() == 10
    assert waiting.due(9) == []
    assert waiting.due(10) == [("same", "b"), ("soon", "a")]
    assert waiting.due(29) == []
    assert "late" in waiting
    assert waiting.due(30) == [("late", "c")]
    assert waiting.next_ms() is None


@given(
    st.integers(1, 5),
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 50), st.booleans()), max_size=60
    ),
)
def test_the_table_is_a_bounded_timetable(
    capacity: int, steps: list[tuple[str, int, bool]]
) -> None:
    """Against a plain dict: same contents after any adds and takes, furthest dropped when full."""
    waiting: Deferred[int] = Deferred(capacity)
    model: dict[str, int] = {}
    for name, at_ms, take in steps:
        if take:
            due = sorted((until, key) for key, until in model.items() if until <= at_ms)
            assert waiting.due(at_ms) == [(key, until) for until, key in due]
            model = {key: until for key, until in model.items() if until > at_ms}
        else:
            waiting.add(name, at_ms, at_ms)
            model[name] = at_ms
            if len(model) > capacity:
                del model[max(model, key=lambda key: (model[key], key))]
        assert len(waiting) == len(model)
        assert all(key in waiting for key in model)
        assert waiting.next_ms() == min(model.values(), default=None)


def test_a_table_holds_something() -> None:
    with pytest.raises(ValueError, match="capacity"):
        Deferred[int](0)

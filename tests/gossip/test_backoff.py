"""Waits double up to a limit, with jitter between half and all of the step."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossip.backoff import Backoff


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 2000))
def test_waits_double_within_bounds(chance: float, failures: int) -> None:
    backoff = Backoff(1.0, 60.0, lambda: chance)
    waits = [backoff.failed() for _ in range(failures)]
    for number, wait in enumerate(waits):
        step = min(60.0, 2.0 ** min(number, 32))
        assert step / 2 <= wait <= step
    backoff.succeeded()
    assert backoff.failed() <= 1.0

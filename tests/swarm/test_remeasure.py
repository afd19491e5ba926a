"""What fresh pairs make of what was said."""

from __future__ import annotations

import random
from typing import Literal

import pytest

from swarm.remeasure import Outcome, compare, holds_up
from swarm.verdict import Yardstick

LOSS = Yardstick("minimize", sigma=0.05, min_effect=0.05, seeds=1000)
SCORE = Yardstick("maximize", sigma=0.05, min_effect=0.05, seeds=1000)


@pytest.mark.parametrize(
    ("said", "seen", "outcome"),
    [
        (-0.50, (-0.48, -0.51, -0.47), "confirmed"),
        (-0.50, (-0.09, -0.10, -0.11, -0.10, -0.10), "smaller"),
        (-0.50, (0.02, -0.03, 0.01), "refuted"),
        (-0.50, (0.40, 0.50, 0.45), "refuted"),
        (-0.06, (0.02, -0.03, 0.01), "undecided"),
        (-0.06, (-0.30, 0.20, -0.05), "undecided"),
    ],
)
def test_what_was_seen_decides(said: float, seen: tuple[float, ...], outcome: Outcome) -> None:
    """The same numbers, mirrored, say the same of a metric that should rise."""
    assert compare(said, seen, LOSS).outcome == outcome
    mirrored = compare(-said, [-each for each in seen], SCORE)
    assert mirrored.outcome == outcome
    assert mirrored.seen.mean == pytest.approx(sum(-each for each in seen) / len(seen))


@pytest.mark.parametrize(("truth", "wrong"), [(0.0, "confirmed"), (-0.3, "refuted")])
def test_a_comparison_errs_as_rarely_as_it_says(
    truth: float, wrong: Literal["confirmed", "refuted"]
) -> None:
    """One in twenty at the most, of a null that is confirmed or a real win that is refuted."""
    normal = random.Random(5).gauss
    for n in (3, 5, 8):
        outcomes = [
            compare(-0.3, [normal(truth, 0.05) for _ in range(n)], LOSS).outcome
            for _ in range(2000)
        ]
        assert outcomes.count(wrong) / len(outcomes) < 0.06


def test_a_win_holds_up_with_half_of_what_is_worth_keeping() -> None:
    """A clear loss on fresh seeds takes the win back; a smaller gain does not."""
    assert holds_up((-0.05, -0.02, -0.03), LOSS) and holds_up((0.05, 0.02, 0.03), SCORE)
    assert not holds_up((-0.05, 0.02, 0.03), LOSS)
    assert not holds_up((-0.05, -0.02, -0.03), SCORE)


def test_one_pair_is_no_comparison() -> None:
    """There is no spread to judge by."""
    with pytest.raises(ValueError, match="at least two"):
        compare(-0.5, [-0.5], LOSS)

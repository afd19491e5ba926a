"""
How much the holdout may say.

Whoever looks at a holdout again and again, and keeps what looks best, fits it by
chance. The Ladder answers a look with a value only where it beats the best value
given so far by more than the noise, and then rounded; any other look learns that it
was no better, and no more. So many looks leak little.

The step is the larger of the task's smallest effect worth keeping, which is at
least three standard errors over the choice of text, and two standard errors of the
difference at hand, from how far replicators of one win are apart. With one, as
published, thousands of looks still climb (`benchmarks/bench_ladder.py`).

Law: holds for honest, automatic search. It does not bind a liar, who signs what
they like; so no verdict, rank, strategy or proposer is ever given the holdout.

Source: Blum & Hardt, "The Ladder: a reliable leaderboard for machine learning
competitions" (2015); the step from the data is that of its parameter-free form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from swarm.records import to_nano
from swarm.statistics import Direction
from swarm.verdict import Yardstick

STANDARD_ERRORS = 2.0
"""How far beyond the noise of a difference a value has to be."""


def step_nano(yardstick: Yardstick) -> int:
    """The task's step, in nano-units: what a signed holdout value is rounded to."""
    return max(1, to_nano(yardstick.min_effect))


def ladder_round(value_nano: int, step: int) -> int:
    """
    The multiple of `step` nearest to a value; the larger of two as near.

    Raises:
        ValueError: The step is not positive.
    """
    if step <= 0:
        raise ValueError(f"a step of {step} nano-units rounds to nothing")
    return (2 * value_nano + step) // (2 * step) * step


class Ladder:
    """
    Answers looks at a holdout, one after the other.

    Args:
        step: The least by which a value has to beat the best, in nano-units.
        direction: Whether a smaller or a larger value is better.
    """

    def __init__(self, step: int, direction: Direction) -> None:
        self._step = step
        self._sign = -1 if direction == "minimize" else 1
        self._best_nano: int | None = None

    @property
    def best_nano(self) -> int | None:
        """The best value given so far; None before the first."""
        return self._best_nano

    def look(self, value_nano: float, noise_nano: float = 0.0) -> int | None:
        """
        What may be said of a value: itself, rounded, or None for "no better".

        Args:
            value_nano: Exact.
            noise_nano: One standard error of its difference from the best.
        """
        gain = math.inf
        if self._best_nano is not None:
            gain = self._sign * (value_nano - self._best_nano)
        if not gain > max(self._step, STANDARD_ERRORS * noise_nano):
            return None
        self._best_nano = ladder_round(round(value_nano), self._step)
        return self._best_nano


def climb(looks: Iterable[Sequence[int]], step: int, direction: Direction) -> list[int | None]:
    """
    What may be said of each finding's holdout, in nano-units.

    Args:
        looks: For each finding, the first claimed first, what its replicators
            signed; empty where nobody looked. Their lower median counts: one liar
            among three moves nothing, and it stays on the task's steps.
        step: The task's.
        direction: Whether a smaller or a larger value is better.
    """
    rows = [tuple(row) for row in looks]
    sigma, ladder = _spread(rows), Ladder(step, direction)
    said, best_looks = list[int | None](), 1
    for row in rows:
        noise = sigma * math.sqrt(1 / len(row) + 1 / best_looks) if row else 0.0
        answer = ladder.look(lower_median(row), noise) if row else None
        best_looks = best_looks if answer is None else len(row)
        said.append(answer)
    return said


def lower_median(values: Sequence[int]) -> int:
    """The middle value, the lower of two: one of those given."""
    return sorted(values)[(len(values) - 1) // 2]


def _spread(rows: Sequence[tuple[int, ...]]) -> float:
    """
    Standard deviation of values of one finding, over all findings; 0 where unknown.

    From the middle one of the distances between two replicators, which liars cannot
    move far; of normal values it is 0.954 standard deviations.
    """
    distances = [abs(a - b) for row in rows for a, b in pairwise(row)]
    return lower_median(distances) / 0.954 if distances else 0.0

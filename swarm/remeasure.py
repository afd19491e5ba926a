"""
What a second measurement says of a first.

The runs that selected a winner flatter it, so whoever finds one measures again on
fresh seeds, and only those count; and whoever doubts a win can run it again and
compare what was said with what was seen.

Law: pure; gains are positive where the candidate is better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from swarm.statistics import Effect, mean_and_spread, paired_effect, t_tail
from swarm.verdict import Yardstick

Outcome = Literal["confirmed", "smaller", "refuted", "undecided"]

LEVEL = 0.05
"""Chance that one comparison errs on either side."""

MEANINGS: dict[Outcome, str] = {
    "confirmed": "the gain is real",
    "smaller": "there is a gain, but less than half of what was said",
    "refuted": "less than half of what was said, and no gain for sure",
    "undecided": "too few seeds to tell; more with --seeds",
}


SIMPLER_MEANINGS: dict[Outcome, str] = {
    "confirmed": "it is as good as its base",
    "smaller": "it is no worse than its base by much, but worse than was said",
    "refuted": "it is worse than its base for sure",
    "undecided": MEANINGS["undecided"],
}
"""The same of a win that promises to be simpler and as good."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was seen, and what that makes of what was said."""

    outcome: Outcome
    seen: Effect


def holds_up(differences: Sequence[float], yardstick: Yardstick, allowed: float = 0.0) -> bool:
    """Whether fresh pairs of a chosen winner, which may lose `allowed`, bear it out halfway."""
    gain = _sign(yardstick) * math.fsum(differences) / len(differences)
    return gain >= yardstick.bar - allowed


def compare(
    said: float, seen: Sequence[float], yardstick: Yardstick, allowed: float = 0.0
) -> Comparison:
    """
    Hold what a win said against pairs measured anew.

    A win that may lose `allowed` is held to its word as a gain is, from so much lower down.

    Args:
        said: Mean candidate − base that its author signed, in the metric's unit.
        seen: Candidate − base of fresh pairs, two or more.

    Raises:
        ValueError: Fewer than two pairs, or a value that is not finite.
    """
    effect = paired_effect(seen)
    sign, degrees = _sign(yardstick), len(seen) - 1
    _, spread = mean_and_spread(seen)
    error = max(spread, yardstick.sigma / 2) / math.sqrt(len(seen))
    gain = sign * effect.mean + allowed
    half = max((sign * said + allowed) / 2, yardstick.bar)
    gained = gain >= yardstick.bar and t_tail(gain / error, degrees) < LEVEL
    short = t_tail((half - gain) / error, degrees) < LEVEL
    if gained:
        return Comparison("smaller" if short else "confirmed", effect)
    return Comparison("refuted" if short else "undecided", effect)


def _sign(yardstick: Yardstick) -> float:
    return -1.0 if yardstick.direction == "minimize" else 1.0

"""
What each setting is worth, as far as finished experiments tell: an additive model.

The gain of an experiment is taken to be the sum of what its new settings are worth, less
the sum of the old ones', give or take a part of itself, for settings do interact. What
that leaves open is kept as a distribution, from which plausible worths are drawn.

Law: the same experiments and the same seed give the same draw.

Source: Bayesian linear regression, e.g. Bishop, "Pattern recognition and machine
learning" (2006), 3.3; drawing from it to choose is Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.floating[Any]]

Setting: TypeAlias = tuple[str, str]
"""A knob and the literal of a value."""

PRIOR = 8.0
"""How much a setting may be worth before anything is known: one standard deviation."""

INTERACTION = 0.25
"""The part of a gain that other settings may have had a hand in."""


@dataclass(frozen=True, slots=True)
class Observation:
    """
    An experiment.

    Attributes:
        now, before: The settings that were turned, at their new and at their old values.
        gain: How much better that was, in `min_effect`.
        doubt: One standard deviation of what else is in it, in the same unit.
    """

    now: Sequence[Setting]
    before: Sequence[Setting]
    gain: float
    doubt: float


class Worths:
    """
    What settings are worth, given experiments.

    Attributes:
        seen: Every setting that some experiment tells of.
    """

    def __init__(self, observations: Sequence[Observation]) -> None:
        self.seen = sorted({s for each in observations for s in (*each.now, *each.before)})
        place = {setting: index for index, setting in enumerate(self.seen)}
        turned = np.zeros((len(observations), len(self.seen)))
        for row, each in zip(turned, observations, strict=True):
            row[[place[setting] for setting in each.now]] += 1.0
            row[[place[setting] for setting in each.before]] -= 1.0
        gains = np.array([each.gain for each in observations])
        doubts = np.array([each.doubt for each in observations])
        weights = 1.0 / (doubts**2 + (INTERACTION * gains) ** 2)
        precision = (turned.T * weights) @ turned + np.eye(len(self.seen)) / PRIOR**2
        self._lower: Floats = np.linalg.cholesky(precision)
        self._mean: Floats = np.linalg.solve(precision, turned.T @ (weights * gains))

    def expected(self) -> Mapping[Setting, float]:
        """The mean worth of each setting that was seen."""
        return dict(zip(self.seen, self._mean.tolist(), strict=True))

    def drawn(self, seed: int) -> Mapping[Setting, float]:
        """Plausible worths of the settings that were seen."""
        noise = np.random.default_rng(seed).standard_normal(len(self.seen))
        values = self._mean + np.linalg.solve(self._lower.T, noise)
        return dict(zip(self.seen, values.tolist(), strict=True))

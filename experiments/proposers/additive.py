"""
What each setting is worth, as far as finished experiments tell: an additive model of ranks.

How far apart results are says little: near the best a hundredth counts, and a poor
baseline lies bits behind. So results are put in order and scored by their ranks, which
fits any metric, and one that is wildly off, or made up, moves little. The score of an
experiment is taken to be the sum of what its settings are worth, give or take what is left.
Values of a number that are near each other are worth about the same. What remains open is
kept as a distribution, from which plausible worths are drawn.

Law: the same experiments and the same seed give the same draw.

Sources. Scores: van der Waerden's normal scores, Conover, "Practical nonparametric
statistics" (1999), 5.10. The sum: Bayesian linear regression, Bishop, "Pattern recognition
and machine learning" (2006), 3.3, with a kernel over the values of each knob, Rasmussen &
Williams, "Gaussian processes for machine learning" (2006), 2.1. Drawing from it to choose is
Thompson sampling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from experiments.proposers.turns import is_ordered
from swarm.settings_block import Scalar

Floats: TypeAlias = NDArray[np.floating[Any]]

Setting: TypeAlias = tuple[str, str]
"""A knob and the literal of a value."""

WORTH = 0.27
REST = 0.48
"""
Before anything is known, of the worth of a setting, and of what no sum explains: one standard
deviation, in those of the scores. Their ratio orders the next 25 ideas of twelve real searches
best, of those tried. That both are large keeps draws apart: real searches with a quarter of
this stayed near the first good recipe, and ended a tenth of a bit and more above others.
"""

REACH = 3.0
"""Over so many neighbouring values what a number is worth changes."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Observation:
    """
    An experiment.

    Attributes:
        settings: All it had.
        cost: Its metric, smaller being better; infinite where it failed.
        stopped: It did not finish: it would have cost more than `cost`.
        doubt: How much less sure it is than others: 1 as sure.
    """

    settings: Mapping[str, str]
    cost: float
    stopped: bool = False
    doubt: float = 1.0


class Worths:
    """
    What settings are worth, given experiments: how much better they make a run.

    Args:
        observations: Those that were stopped tell something beside others that were not.
        values: By knob, all that it may be turned to; other values tell of nothing.

    Attributes:
        count: Of the experiments.
    """

    def __init__(
        self, observations: Sequence[Observation], values: Mapping[str, Sequence[Scalar]]
    ) -> None:
        self.count = len(observations)
        self._settings = [(name, repr(each)) for name, known in values.items() for each in known]
        place = {setting: at for at, setting in enumerate(self._settings)}
        has = np.zeros((len(observations), len(place)))
        for row, each in zip(has, observations, strict=True):
            row[[place[item] for item in each.settings.items() if item in place]] = 1.0
        weights = np.array([(REST * each.doubt) ** -2 for each in observations])
        before: Floats = np.linalg.inv(_alike(list(values.values())) * WORTH**2)
        precision = (has.T * weights) @ has + before
        self._lower: Floats = np.linalg.cholesky(precision)
        self._mean: Floats = np.linalg.solve(precision, has.T @ (weights * -_scores(observations)))

    def expected(self) -> Mapping[Setting, float]:
        """The mean worth of each setting."""
        return dict(zip(self._settings, self._mean.tolist(), strict=True))

    def drawn(self, seed: int) -> Mapping[Setting, float]:
        """Plausible worths of all settings."""
        noise = np.random.default_rng(seed).standard_normal(len(self._settings))
        values = self._mean + np.linalg.solve(self._lower.T, noise)
        return dict(zip(self._settings, values.tolist(), strict=True))


def _alike(knobs: Sequence[Sequence[Scalar]]) -> Floats:
    """How alike the worths of settings are, knob after knob: 1 on the diagonal and a bit."""
    found: Floats = np.eye(sum(map(len, knobs))) * 1.001
    start = 0
    for values in knobs:
        end = start + len(values)
        if is_ordered(list(values)):
            order = np.argsort(np.argsort([float(each) for each in values]))
            apart = np.abs(order[:, None] - order[None, :])
            found[start:end, start:end] = np.exp(-apart / REACH) + 0.001 * (apart == 0)
        start = end
    return found


def _scores(observations: Sequence[Observation]) -> Floats:
    """Of each its rank, as the place in a standard normal; of a stopped one what lies beyond."""
    finished = np.sort([each.cost for each in observations if not each.stopped])
    if not finished.size:
        return np.zeros(len(observations))
    found: list[float] = []
    for each in observations:
        among = sum(np.searchsorted(finished, each.cost, side) for side in ("left", "right"))
        share = min(max(among, 1), 2 * len(finished) - 1) / (2 * len(finished))
        score = _NORMAL.inv_cdf(share)
        found.append(_NORMAL.pdf(score) / (1 - share) if each.stopped else score)
    return np.array(found)

"""
Which values of a few knobs to try, given what came out before.

A model of good trials and one of all others are fitted, and what the first finds
likely and the second does not is suggested. Each question gets a study of its own,
filled from the trials at hand, so nothing is remembered that a trial does not say.

Law: the same points and the same seed give the same suggestion; any finite number
is only an order.

Source: Bergstra et al., "Algorithms for hyper-parameter optimization" (2011), and
Watanabe, "Tree-structured Parzen estimator", https://arxiv.org/abs/2304.11127, as
Optuna implements them (https://optuna.org).
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from experiments.proposers.turns import is_ordered
from swarm.bounds import same
from swarm.settings_block import Scalar

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

Space: TypeAlias = Mapping[str, Sequence[Scalar]]
"""By knob, the values it may have; numbers in rising order."""

ASKED_AT_MOST = 6
"""Suggestions of one study; each is told not to come near those before it."""


@dataclass(frozen=True, slots=True)
class Point:
    """Settings of some knobs, and how much worse than the base that was; None: under way."""

    settings: Mapping[str, Scalar]
    worse: float | None


def suggestions(space: Space, points: Sequence[Point], seed: int) -> Iterator[dict[str, Scalar]]:
    """
    Values for all knobs of a space, the most promising first.

    Args:
        space: The knobs and their values.
        points: What is known; values that are not in the space and numbers that are
            not finite are left out.
        seed: Decides every random number.
    """
    import optuna  # takes half a second, and many nodes never get here

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(
            multivariate=True, group=True, constant_liar=True, n_startup_trials=0, seed=seed
        )
    study = optuna.create_study(sampler=sampler)
    known = _distributions(space)
    for point in points:
        if (trial := _trial(space, known, point)) is not None:
            study.add_trial(trial)
    for _ in range(ASKED_AT_MOST):
        asked = study.ask(known)
        yield {name: space[name][asked.params[name]] for name in space}


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    """Places in the lists of values: near each other where values are numbers."""
    from optuna.distributions import CategoricalDistribution, IntDistribution

    return {
        name: IntDistribution(0, len(values) - 1)
        if is_ordered(list(values))
        else CategoricalDistribution(tuple(range(len(values))))
        for name, values in space.items()
    }


def _trial(space: Space, known: Mapping[str, BaseDistribution], point: Point) -> FrozenTrial | None:
    import optuna

    places: dict[str, int] = {}
    for name, value in point.settings.items():
        place = next((i for i, each in enumerate(space[name]) if same(each, value)), None)
        if place is None:
            return None
        places[name] = place
    if point.worse is not None and not math.isfinite(point.worse):
        return None
    running = point.worse is None
    return optuna.trial.create_trial(
        state=optuna.trial.TrialState.RUNNING if running else optuna.trial.TrialState.COMPLETE,
        params=dict(places),
        distributions={name: known[name] for name in places},
        value=point.worse,
    )

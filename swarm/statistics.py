"""
What paired measurements say: an effect with its interval, and when to stop.

Base and candidate run on the same seeds; only their difference counts, so a
laptop's evidence and a data centre's can be compared.

The test is group-sequential: it may win at the looks of its rule only, each at
the same one-sided level, chosen so that all looks together keep `alpha`. It may
give up after any pair. The spread is never taken to be below half the task's
known sigma: knowing sigma may raise the bar, never lower it. One thing sigma decides
alone: a gain of six of it is clear after the first pair. Noise of that size is so
rare that the look costs no level, also where the noise is twice what the task says.

Source: Pocock, "Group sequential methods in the design and analysis of clinical
trials", Biometrika 64 (1977). The levels and false-win rates are reproduced by
simulation in `tests/swarm/test_statistics.py`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from swarm.task import Task

Direction = Literal["minimize", "maximize"]

LOOKS = (3, 5, 8)
"""Numbers of pairs after which a win may be declared."""

CLEAR_SIGMAS = 6.0
"""A gain of so many of the task's sigma needs no second look."""

CRITICAL: Mapping[float, tuple[float, ...]] = {
    0.05: (4.70, 2.94, 2.48),
    0.01: (11.41, 4.98, 3.71),
    0.001: (38.06, 9.48, 5.76),
}
"""By overall alpha, what `mean / (spread / sqrt(n))` must exceed at each look."""

# Quantiles of the normal, then of Student's t for 1 to 12 degrees of freedom.
_QUANTILES: Mapping[float, tuple[float, ...]] = {
    0.975: (
        *(1.959963984540054, 12.706204736, 4.302652730, 3.182446305, 2.776445105),
        *(2.570581836, 2.446911851, 2.364624252, 2.306004135, 2.262157163, 2.228138852),
        *(2.200985160, 2.178812830),
    ),
    0.95: (
        *(1.6448536269514722, 6.313751515, 2.919985580, 2.353363435, 2.131846786),
        *(2.015048373, 1.943180281, 1.894578605, 1.859548038, 1.833112933, 1.812461123),
        *(1.795884819, 1.782287556),
    ),
}


class Decision(Enum):
    """What the pairs so far allow; the value says it to people."""

    CONTINUE = "undecided, another pair is needed"
    WIN = "better than its base beyond doubt"
    FUTILE = "a gain worth keeping became unlikely, stopped early"
    EXHAUSTED = "no clear gain after the last look"


@dataclass(frozen=True, slots=True)
class Effect:
    """Mean of candidate − base over `n` pairs, with its 95 % interval, in the metric's unit."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Rule:
    """
    When an experiment is decided.

    Attributes:
        looks: Numbers of pairs after which a win may be declared, rising, from 2.
        critical: What the statistic must exceed at each look.
        sigma: The task's known standard deviation of paired differences.
        min_effect: The smallest gain worth keeping. Both in the metric's unit.
    """

    looks: tuple[int, ...]
    critical: tuple[float, ...]
    sigma: float
    min_effect: float

    @classmethod
    def of(cls, task: Task) -> Rule:
        """
        The rule of a task: the strictest table that its `alpha` needs.

        Raises:
            ValueError: The task's `alpha` is below all that the table has.
        """
        levels = [level for level in CRITICAL if level <= task.alpha]
        if not levels:
            raise ValueError(f"alpha = {task.alpha}: the smallest supported is {min(CRITICAL)}")
        return cls(LOOKS, CRITICAL[max(levels)], task.sigma, task.min_effect)

    def is_clear(self, gain: float) -> bool:
        """Whether one pair with this gain is enough, for better being positive."""
        return gain >= max(CLEAR_SIGMAS * self.sigma, self.min_effect)


def paired_effect(differences: Sequence[float]) -> Effect:
    """
    Mean difference between a candidate and its base, seed by seed.

    Args:
        differences: Candidate − base, one per seed, in the task's metric unit;
            at least two, all finite. Their order does not matter.

    Returns:
        The mean (negative is better when minimising) and its 95 % t-interval.

    Raises:
        ValueError: Fewer than two differences, or one that is not finite.
    """
    n = len(differences)
    if n < 2 or not all(map(math.isfinite, differences)):
        raise ValueError("a paired effect needs at least two finite differences")
    mean, spread = mean_and_spread(differences)
    margin = t_quantile(n - 1) * spread / math.sqrt(n)
    return Effect(mean, mean - margin, mean + margin, n)


def t_quantile(degrees: int, level: float = 0.975) -> float:
    """
    Student's t at 97.5 % or 95 %, to 1e-5, from sums and products alone.

    Peers show the same intervals whatever mathematics library they have.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.5.
    """
    z, *exact = _QUANTILES[level]
    if degrees <= len(exact):
        return exact[degrees - 1]
    inverse = 1.0 / degrees
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term * inverse ** (power + 1) for power, term in enumerate(terms))


def t_tail(t: float, degrees: int) -> float:
    """
    Chance that Student's t with so many degrees of freedom is `t` or more.

    Within 1e-14 of the truth: good for levels down to 1e-12.

    Source: Abramowitz and Stegun, "Handbook of Mathematical Functions", 26.7.3 and
    26.7.4, finite sums for whole degrees of freedom.
    """
    cos2 = degrees / (degrees + t * t)
    sine = abs(t) / math.sqrt(degrees + t * t)
    if degrees % 2:
        term = sine * math.sqrt(cos2) if degrees > 1 else 0.0
        inside = term
        for step in range(3, degrees - 1, 2):
            term *= cos2 * (step - 1) / step
            inside += term
        inside = 2 / math.pi * (math.atan2(abs(t), math.sqrt(degrees)) + inside)
    else:
        inside = term = sine
        for step in range(2, degrees - 1, 2):
            term *= cos2 * (step - 1) / step
            inside += term
    outside = max(0.0, 1 - inside) / 2
    return outside if t >= 0 else 1 - outside


def decide(differences: Sequence[float], rule: Rule, direction: Direction) -> Decision:
    """
    What the rule says of these pairs, taken in their order.

    The first pair at which the rule decides is final: pairs beyond it change
    nothing, so going on in hope cannot turn a refusal into a win.

    Args:
        differences: Candidate − base, one per seed, in the metric's unit.
        direction: Whether a smaller or a larger metric is better.
    """
    sign = -1.0 if direction == "minimize" else 1.0
    gains = [sign * difference for difference in differences]
    for n in range(1, len(gains) + 1):
        decision = _after(gains[:n], rule)
        if decision is not Decision.CONTINUE:
            return decision
    return Decision.CONTINUE


def _after(gains: Sequence[float], rule: Rule) -> Decision:
    """The decision at the last of `gains`, given that none was made before."""
    n = len(gains)
    mean = math.fsum(gains) / n
    if (n == 1 and rule.is_clear(mean)) or (n in rule.looks and _wins(gains, rule)):
        return Decision.WIN
    if n >= rule.looks[-1]:
        return Decision.EXHAUSTED
    hoped_for = mean + 0.5 * rule.sigma / math.sqrt(n)
    return Decision.FUTILE if not hoped_for >= rule.min_effect else Decision.CONTINUE


def _wins(gains: Sequence[float], rule: Rule) -> bool:
    n = len(gains)
    mean, spread = mean_and_spread(gains)
    bar = rule.critical[rule.looks.index(n)] * max(spread, rule.sigma / 2) / math.sqrt(n)
    return mean > bar and mean >= rule.min_effect


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation of two values or more, whatever their order."""
    mean = math.fsum(values) / len(values)
    squares = math.fsum((value - mean) ** 2 for value in values)
    return mean, math.sqrt(squares / (len(values) - 1))

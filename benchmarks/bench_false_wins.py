"""
How often a change without effect is kept: our rule beside two common ones.

The noise comes from real pairs of null diffs (`benchmarks.null_pairs`). Each
recipe's differences are centred and divided by their own standard deviation; the
shape is then taken from all of them, in three ways: drawn again as they are
(bootstrap), a normal distribution, and Student's t with the degrees of freedom
of highest likelihood. Simulated experiments draw pairs from it and go through
`swarm.statistics.decide`, the code that decides real ones.

The headline is the hardest case: noise as large as the task says it is, and a
smallest effect of half of it, bootstrapped. With the rule of the task itself,
whose smallest effect is larger, fewer false wins are left; that is given too.

The others see the same draws. `peeking` tests after every pair from the second
and keeps at p < 0.01; `strictly_lower` keeps what is lower on one seed.
`high` is a one-sided 95 % Clopper–Pearson bound over the simulated experiments.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev, variance

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln, stdtrit

from benchmarks.null_pairs import NullPair, read_pairs
from benchmarks.result import Figure, write_result
from experiments.task_folder import load_task
from swarm.statistics import Decision, Rule, decide

EXPERIMENTS = 200_000
LEAST_PAIRS = 300
LEAST_OF_A_RECIPE = 8
PEEKING_LEVEL = 0.01
DEGREES = (*(value / 2 for value in range(5, 61)), 40.0, 60.0, 100.0, 1000.0)

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]
Share = dict[str, float]


def standardised(pairs: Sequence[NullPair]) -> Floats:
    """Differences of all recipes, each recipe's centred and of variance one."""
    by_recipe: dict[str, list[float]] = {}
    for pair in pairs:
        by_recipe.setdefault(pair.base, []).append(pair.difference)
    shaped = [
        (value - fmean(values)) / stdev(values)
        for values in by_recipe.values()
        if len(values) >= LEAST_OF_A_RECIPE
        for value in values
    ]
    return np.array(shaped)


def degrees_of_freedom(noise: Floats) -> float:
    """The degrees of freedom, of those tried, that make t of variance one likeliest."""

    def log_likelihood(degrees: float) -> float:
        scale = math.sqrt((degrees - 2) / degrees)
        constant = gammaln((degrees + 1) / 2) - gammaln(degrees / 2)
        constant -= 0.5 * math.log(degrees * math.pi) + math.log(scale)
        shape = (degrees + 1) / 2 * np.log1p((noise / scale) ** 2 / degrees)
        return float(len(noise) * constant - shape.sum())

    return max(DEGREES, key=log_likelihood)


def noise_models(noise: Floats) -> dict[str, Draw]:
    """Ways to draw differences of mean zero and variance one that look like `noise`."""
    degrees = degrees_of_freedom(noise)
    scale = math.sqrt((degrees - 2) / degrees)
    return {
        "bootstrap": lambda rng, shape: rng.choice(noise, shape),
        "normal": lambda rng, shape: rng.standard_normal(shape),
        "student_t": lambda rng, shape: scale * rng.standard_t(degrees, shape),
    }


def ours(draws: Floats, rule: Rule) -> int:
    """How many experiments `decide` calls a win; rows are differences, lower is better."""
    return sum(decide(row, rule, "minimize") is Decision.WIN for row in draws.tolist())


def peeking(draws: Floats) -> int:
    """How many a one-sided t-test after every pair from the second would keep."""
    kept = np.zeros(len(draws), dtype=bool)
    for n in range(2, draws.shape[1] + 1):
        seen = draws[:, :n]
        critical = float(stdtrit(n - 1, 1 - PEEKING_LEVEL))
        kept |= -seen.mean(axis=1) > critical * seen.std(axis=1, ddof=1) / math.sqrt(n)
    return int(kept.sum())


def strictly_lower(draws: Floats) -> int:
    """How many are kept because one run of the candidate came out lower."""
    return int((draws[:, 0] < 0).sum())


def share(kept: int, tried: int) -> Share:
    """A rate with its one-sided 95 % upper bound (Clopper & Pearson 1934)."""
    high = float(betaincinv(kept + 1, tried - kept, 0.95)) if kept < tried else 1.0
    return {"rate": round(kept / tried, 6), "high": round(high, 6), "kept": kept}


def compare(draws: Floats, rule: Rule) -> dict[str, Share]:
    """All three ways to keep, on the same experiments."""
    tried = len(draws)
    return {
        "ours": share(ours(draws, rule), tried),
        "peeking": share(peeking(draws), tried),
        "strictly_lower": share(strictly_lower(draws), tried),
    }


def real_experiments(pairs: Sequence[NullPair], rule: Rule) -> dict[str, Figure]:
    """The real pairs as experiments of their own, of one base and one null diff each."""
    cells: dict[tuple[str, str], list[float]] = {}
    for pair in pairs:
        cells.setdefault((pair.base, pair.diff), []).append(pair.difference)
    size = rule.looks[-1]
    rows = [
        cell[start : start + size]
        for cell in cells.values()
        for start in range(0, len(cell) - size + 1, size)
    ]
    draws = np.array(rows).reshape(-1, size)
    kept = {"ours": ours(draws, rule), "peeking": peeking(draws)}
    return {"experiments": len(rows), **kept, "strictly_lower": strictly_lower(draws)}


def spread(pairs: Sequence[NullPair]) -> dict[str, Figure]:
    """By recipe: how many pairs, their mean with its standard error, their deviation."""
    counts = Counter(pair.base for pair in pairs)
    figures: dict[str, Figure] = {}
    for base, count in counts.items():
        values = [pair.difference for pair in pairs if pair.base == base]
        sigma = stdev(values) if count > 1 else 0.0
        figures[base] = {
            "pairs": count,
            "mean": round(fmean(values), 5),
            "standard_error": round(sigma / math.sqrt(count), 5),
            "sigma": round(sigma, 5),
        }
    return figures


def measure(pairs: Sequence[NullPair], task_rule: Rule, experiments: int) -> dict[str, Figure]:
    """
    All figures.

    Args:
        pairs: Real null pairs.
        task_rule: Of the task they were measured on.
        experiments: How many to simulate with each noise model and each rule.
    """
    noise = standardised(pairs)
    hardest = replace(task_rule, sigma=1.0, min_effect=0.5)
    sigma = _pooled_sigma(pairs)
    models = noise_models(noise)
    by_noise: dict[str, dict[str, Share]] = {}
    by_task_rule: dict[str, Share] = {}
    for seed, (name, draw) in enumerate(models.items()):
        draws = draw(np.random.default_rng(seed), (experiments, task_rule.looks[-1]))
        by_noise[name] = compare(draws, hardest)
        by_task_rule[name] = share(ours(sigma * draws, task_rule), experiments)
    return {
        **_plain(by_noise["bootstrap"]),
        "n_simulated": experiments,
        "n_real": len(pairs),
        "worst_high": max(each["ours"]["high"] for each in by_noise.values()),
        "by_noise": {name: _plain(each) for name, each in by_noise.items()},
        "task_rule": _plain(by_task_rule),
        "real": real_experiments(pairs, task_rule),
        "noise": {
            "recipes": spread(pairs),
            "pooled_sigma": round(sigma, 5),
            "task_sigma": task_rule.sigma,
            "task_min_effect": task_rule.min_effect,
            "student_t_degrees": degrees_of_freedom(noise),
            "excess_kurtosis": round(float((noise**4).mean() - 3), 3),
            "skewness": round(float((noise**3).mean()), 3),
        },
    }


def _plain(shares: Mapping[str, Share]) -> dict[str, Figure]:
    return {name: dict(each) for name, each in shares.items()}


def _pooled_sigma(pairs: Sequence[NullPair]) -> float:
    """Standard deviation of differences, the mean over recipes by their degrees of freedom."""
    groups = [[p.difference for p in pairs if p.base == base] for base in {p.base for p in pairs}]
    large = [group for group in groups if len(group) > 1]
    freedom = sum(len(group) - 1 for group in large)
    return math.sqrt(sum((len(group) - 1) * variance(group) for group in large) / freedom)


def main() -> int:
    """Simulate; 1 where our rule may keep more than `alpha`, whatever the noise model."""
    pairs = read_pairs()
    if len(pairs) < LEAST_PAIRS:
        print(f"{len(pairs)} real pairs: run `python -m benchmarks.null_pairs HOME` first")
        return 1
    task = load_task("quick").task
    figures = measure(pairs, Rule.of(task), EXPERIMENTS)
    write_result("false_wins", figures)
    worst = figures["worst_high"]
    assert isinstance(worst, float)
    return int(worst > task.alpha)


if __name__ == "__main__":
    sys.exit(main())

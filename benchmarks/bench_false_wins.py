"""
How often a change without effect is kept: our rule beside two common ones.

The noise comes from real pairs of null diffs (`benchmarks.null_pairs`). Each
recipe's differences are centred and divided by their own standard deviation; the
shape is then taken from all of them, in three ways: drawn again as they are
(bootstrap), a normal distribution, and Student's t with the degrees of freedom
of highest likelihood. Simulated experiments draw pairs from it and go through
`swarm.statistics.decide`, the code that decides real ones.

The headline is the default task's rule with bootstrapped noise as large as that task
says. `by_noise` gives the other shapes; `by_task` the rule of each built-in task, with
noise of half, once and twice the size its task says.

The others see the same draws. `peeking` tests after every pair from the second
and keeps at p < 0.01; `strictly_lower` keeps what is lower on one seed.
`high` is a one-sided 95 % Clopper–Pearson bound over the simulated experiments.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean, stdev

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, gammaln, stdtrit

from benchmarks.null_pairs import NullPair, read_pairs
from benchmarks.result import Figure, write_result
from experiments.task_folder import load_task
from swarm.statistics import LOOKS, Decision, Rule, decide

DEFAULT, MEASURED = "tinypy", "quick"
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


def measure(
    pairs: Sequence[NullPair], rules: Mapping[str, Rule], experiments: int
) -> dict[str, Figure]:
    """
    All figures.

    Args:
        pairs: Real null pairs.
        rules: By task, `DEFAULT` and `MEASURED` among them.
        experiments: How many to simulate with each noise model and each rule.
    """
    noise, rule = standardised(pairs), rules[DEFAULT]
    models = noise_models(noise)
    by_noise = {
        name: compare(rule.sigma * _draws(draw, experiments), rule) for name, draw in models.items()
    }
    return {
        **_plain(by_noise["bootstrap"]),
        "n_simulated": experiments,
        "n_real": len(pairs),
        "worst_high": max(each["ours"]["high"] for each in by_noise.values()),
        "by_noise": {name: _plain(each) for name, each in by_noise.items()},
        "by_task": {
            name: _plain(by_size(_draws(models["bootstrap"], experiments), each))
            for name, each in rules.items()
        },
        "real": real_experiments(pairs, rules[MEASURED]),
        "noise": {
            "recipes": spread(pairs),
            "student_t_degrees": degrees_of_freedom(noise),
            "excess_kurtosis": round(float((noise**4).mean() - 3), 3),
            "skewness": round(float((noise**3).mean()), 3),
        },
    }


def by_size(draws: Floats, rule: Rule) -> dict[str, Share]:
    """Our rule where its task misjudges the noise; `draws` have variance one."""
    return {
        f"noise_{size:g}_sigma": share(ours(size * rule.sigma * draws, rule), len(draws))
        for size in (0.5, 1.0, 2.0)
    }


def _draws(draw: Draw, experiments: int) -> Floats:
    """The same experiments whenever this runs."""
    return draw(np.random.default_rng(20_260), (experiments, LOOKS[-1]))


def _plain(shares: Mapping[str, Share]) -> dict[str, Figure]:
    return {name: dict(each) for name, each in shares.items()}


def main() -> int:
    """Simulate; 1 where our rule may keep more than `alpha`, whatever the noise model."""
    pairs = read_pairs()
    if len(pairs) < LEAST_PAIRS:
        print(f"{len(pairs)} real pairs: run `python -m benchmarks.null_pairs HOME` first")
        return 1
    tasks = {name: load_task(name).task for name in (DEFAULT, MEASURED)}
    rules = {name: Rule.of(task) for name, task in tasks.items()}
    figures = measure(pairs, rules, EXPERIMENTS)
    write_result("false_wins", figures)
    worst = figures["worst_high"]
    assert isinstance(worst, float)
    return int(worst > tasks[DEFAULT].alpha)


if __name__ == "__main__":
    sys.exit(main())

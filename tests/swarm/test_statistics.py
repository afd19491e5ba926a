"""Statistics: the rule's error rates by simulation, and intervals against scipy."""

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr, stdtrit

from swarm.statistics import (
    CLEAR_SIGMAS,
    CRITICAL,
    LOOKS,
    Decision,
    Rule,
    decide,
    paired_effect,
    t_quantile,
    t_tail,
)

SIGMA = 0.002
RULE = Rule(LOOKS, CRITICAL[0.01], sigma=SIGMA, min_effect=0.5 * SIGMA)

differences = st.lists(st.floats(-1, 1), min_size=2, max_size=64)


def simulate(effect: float, rule: Rule, runs: int, seed: int = 0) -> tuple[float, float]:
    """Share of wins and mean number of pairs, where the true gain is `effect` sigmas."""
    draws = np.random.default_rng(seed).standard_normal((runs, LOOKS[-1]))
    wins = pairs = 0
    for row in -SIGMA * (draws + effect):
        values = row.tolist()
        used = next(
            n for n in range(1, 9) if decide(values[:n], rule, "minimize") is not Decision.CONTINUE
        )
        wins += decide(values[:used], rule, "minimize") is Decision.WIN
        pairs += used
    return wins / runs, pairs / runs


def test_the_critical_values_are_those_of_equal_nominal_levels() -> None:
    quantiles = [-float(stdtrit(n - 1, 0.0038)) for n in LOOKS]
    assert quantiles == pytest.approx(CRITICAL[0.01], abs=0.03)


@pytest.mark.parametrize("alpha", sorted(CRITICAL))
def test_all_looks_together_keep_alpha(alpha: float) -> None:
    """The bare test, without futility, floor or smallest effect, on 400,000 nulls."""
    draws = np.random.default_rng(7).standard_normal((400_000, LOOKS[-1]))
    won = np.zeros(len(draws), dtype=bool)
    for n, critical in zip(LOOKS, CRITICAL[alpha], strict=True):
        seen = draws[:, :n]
        won |= seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / math.sqrt(n)) > critical
    assert won.mean() == pytest.approx(alpha, rel=0.15)


def test_looking_after_every_pair_would_not_keep_alpha() -> None:
    """What the rule is for: peeking at p < 0.01 gives three times as many false wins."""
    draws = np.random.default_rng(8).standard_normal((100_000, LOOKS[-1]))
    peeked = np.zeros(len(draws), dtype=bool)
    for n in range(2, LOOKS[-1] + 1):
        seen = draws[:, :n]
        t = seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / math.sqrt(n))
        peeked |= 1 - stdtr(n - 1, t) < 0.01
    assert peeked.mean() > 0.03


def test_few_nulls_win_and_they_cost_little() -> None:
    wins, pairs = simulate(0, RULE, 10_000)
    assert 0.002 < wins < 0.006
    assert pairs == pytest.approx(2.6, abs=0.1)


@pytest.mark.parametrize(
    ("effect", "least_wins", "most_pairs"), [(2, 0.88, 6.8), (3, 0.99, 5.5), (10, 1.0, 3.3)]
)
def test_real_gains_win(effect: float, least_wins: float, most_pairs: float) -> None:
    wins, pairs = simulate(effect, RULE, 1000)
    assert wins >= least_wins
    assert pairs <= most_pairs


def test_without_the_floor_skewed_noise_would_win_more_often() -> None:
    """Noise that is mostly tiny and rarely large fools a spread taken from three pairs."""
    rng = np.random.default_rng(3)
    small = rng.random((20_000, 3)) < 0.9
    noise = np.where(small, rng.normal(0.3, 0.05, small.shape), -2.7) * SIGMA
    floored = Rule(LOOKS, CRITICAL[0.01], SIGMA, 0.0)
    bare = Rule(LOOKS, CRITICAL[0.01], 1e-9, 0.0)
    wins = [
        sum(decide(row.tolist(), rule, "maximize") is Decision.WIN for row in noise)
        for rule in (floored, bare)
    ]
    assert wins[0] < wins[1] / 10


def test_a_clear_gain_wins_at_the_first_look_and_not_before() -> None:
    gains = [-5.5 * SIGMA, -5.3 * SIGMA, -5.7 * SIGMA]
    assert decide(gains[:2], RULE, "minimize") is Decision.CONTINUE
    assert decide(gains, RULE, "minimize") is Decision.WIN
    assert decide([-gain for gain in gains], RULE, "maximize") is Decision.WIN


def test_a_gain_of_six_sigma_needs_no_second_pair() -> None:
    assert decide([-6.1 * SIGMA], RULE, "minimize") is Decision.WIN
    assert decide([-5.9 * SIGMA], RULE, "minimize") is Decision.CONTINUE
    small = Rule(LOOKS, CRITICAL[0.01], sigma=1e-6, min_effect=0.005)
    assert decide([-0.004], small, "minimize") is not Decision.WIN


def test_the_look_at_one_pair_costs_no_level_even_where_noise_is_twice_what_was_said() -> None:
    draws = 2 * np.random.default_rng(9).standard_normal(1_000_000)
    assert (draws > CLEAR_SIGMAS).mean() < 0.002
    heavy = np.random.default_rng(9).standard_t(5, 1_000_000) / math.sqrt(5 / 3)
    assert (heavy > CLEAR_SIGMAS).mean() < 0.001


def test_a_clear_loss_stops_at_the_first_pair() -> None:
    assert decide([0.5], RULE, "minimize") is Decision.FUTILE
    assert decide([-0.5], RULE, "maximize") is Decision.FUTILE
    assert decide([], RULE, "minimize") is Decision.CONTINUE


def test_a_gain_below_the_smallest_worth_keeping_never_wins() -> None:
    rule = Rule(LOOKS, CRITICAL[0.01], sigma=1e-6, min_effect=0.005)
    assert decide([-0.004] * 8, rule, "minimize") is Decision.FUTILE
    assert decide([-0.006] * 3, rule, "minimize") is Decision.WIN


def test_noise_that_never_clears_the_bar_ends_at_the_last_look() -> None:
    values = [-0.002, -0.004, -0.0001, -0.006, 0.001, -0.005, 0.002, -0.001]
    assert decide(values[:7], RULE, "minimize") is Decision.CONTINUE
    assert decide(values, RULE, "minimize") is Decision.EXHAUSTED


@given(st.lists(st.floats(-1, 1), max_size=8), st.lists(st.floats(-1, 1), max_size=8))
def test_pairs_after_the_decision_change_nothing(first: list[float], more: list[float]) -> None:
    decision = decide(first, RULE, "minimize")
    if decision is not Decision.CONTINUE:
        assert decide(first + more, RULE, "minimize") is decision


@given(st.lists(st.floats(-1, 1), max_size=10))
def test_directions_mirror_each_other(values: list[float]) -> None:
    mirrored = [-value for value in values]
    assert decide(values, RULE, "minimize") is decide(mirrored, RULE, "maximize")


@given(differences)
def test_the_interval_is_that_of_scipy(values: list[float]) -> None:
    effect = paired_effect(values)
    assert effect.n == len(values)
    assert effect.mean == pytest.approx(np.mean(values), abs=1e-12)
    margin = float(stdtrit(len(values) - 1, 0.975)) * np.std(values, ddof=1) / len(values) ** 0.5
    assert effect.high - effect.mean == pytest.approx(margin, rel=1e-5, abs=1e-12)
    assert effect.mean - effect.low == pytest.approx(margin, rel=1e-5, abs=1e-12)


@given(differences)
def test_the_order_of_pairs_does_not_change_a_bit(values: list[float]) -> None:
    assert paired_effect(values) == paired_effect(values[::-1]) == paired_effect(sorted(values))


def test_t_quantiles_are_those_of_scipy() -> None:
    for degrees in (*range(1, 300), 10_000):
        assert t_quantile(degrees) == pytest.approx(float(stdtrit(degrees, 0.975)), abs=1e-5)


def test_t_quantiles_of_one_side_are_those_of_scipy() -> None:
    for degrees in (*range(1, 300), 10_000):
        assert t_quantile(degrees, 0.95) == pytest.approx(float(stdtrit(degrees, 0.95)), abs=1e-5)


@given(st.integers(1, 600), st.floats(-1000, 1000))
def test_t_tails_are_those_of_scipy(degrees: int, t: float) -> None:
    """With one degree of freedom it is Cauchy's, where SciPy is 3e-10 off near zero."""
    tail = 0.5 - math.atan(t) / math.pi if degrees == 1 else float(stdtr(degrees, -t))
    assert t_tail(t, degrees) == pytest.approx(tail, abs=1e-13)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, math.nan], [0.1, math.inf]])
def test_an_effect_needs_two_finite_pairs(values: list[float]) -> None:
    with pytest.raises(ValueError, match="two finite differences"):
        paired_effect(values)


@pytest.mark.parametrize(
    ("alpha", "table"), [(0.2, 0.05), (0.02, 0.01), (0.01, 0.01), (0.005, 0.001)]
)
def test_a_task_gets_the_strictest_table_its_alpha_needs(alpha: float, table: float) -> None:
    task = SimpleNamespace(alpha=alpha, sigma=0.1, min_effect=0.2)
    assert Rule.of(cast("Any", task)) == Rule(LOOKS, CRITICAL[table], 0.1, 0.2)


def test_an_alpha_below_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="the smallest supported is"):
        Rule.of(cast("Any", SimpleNamespace(alpha=1e-5, sigma=0.1, min_effect=0.2)))

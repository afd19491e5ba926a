"""The search benchmark: its luck has the size it says, and guards change what is believed."""

import json

import numpy as np
import pytest

from benchmarks.bench_ladder import SEARCHES, World, measure, share_of, text_shapes
from benchmarks.null_pairs import NullPair
from swarm.statistics import CRITICAL, LOOKS, Rule

RULE = Rule(LOOKS, CRITICAL[0.01], sigma=0.015, min_effect=0.006)
NORMAL = np.random.default_rng(0).standard_normal(5000)


def world(changes: int) -> World:
    return World(NORMAL, RULE, changes, np.random.default_rng(1))


def test_three_standard_errors_of_text_make_the_smallest_effect() -> None:
    assert world(1).text(50_000).std() == pytest.approx(RULE.min_effect / 3, rel=0.02)
    assert world(1).seeds(50_000).std() == pytest.approx(RULE.sigma, rel=0.02)


def test_few_changes_are_worth_anything() -> None:
    worth = world(50_000).worth
    assert set(worth.tolist()) == {0.0, 4 * RULE.min_effect}
    assert (worth > 0).mean() == pytest.approx(0.01, abs=0.002)


def test_shapes_of_text_come_from_files_and_have_size_one() -> None:
    rng = np.random.default_rng(2)
    sizes = rng.integers(500, 8000, 40)
    pairs = [
        NullPair("a", "d", i, 1, 2, tuple((int(s), int(s * rng.normal(3, 1))) for s in sizes))
        for i in range(20)
    ]
    shapes = text_shapes(pairs, rng)
    assert shapes.mean() == pytest.approx(0, abs=1e-9)
    assert shapes.std() == pytest.approx(1)
    assert np.unique(shapes).size > 700


@pytest.mark.parametrize("name", SEARCHES)
def test_the_same_world_ends_the_same(name: str) -> None:
    assert SEARCHES[name](world(300)) == SEARCHES[name](world(300))


def test_searches_believe_too_much_and_guards_less() -> None:
    figures = measure(NORMAL, RULE, worlds=6, changes=1500)
    shares = {name: share_of(figures, name) for name in SEARCHES}
    assert shares["strictly_lower"] > 0.1
    assert abs(shares["ours"]) < 0.1
    assert shares["exact_holdout"] > 3 * shares["ladder"]
    json.dumps(figures)

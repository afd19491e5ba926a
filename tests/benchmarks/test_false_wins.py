"""The false-win benchmark's own arithmetic, and the real pairs it stands on."""

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from benchmarks.bench_false_wins import (
    degrees_of_freedom,
    measure,
    noise_models,
    peeking,
    real_experiments,
    share,
    standardised,
    strictly_lower,
)
from benchmarks.null_pairs import (
    FULL_SIZE,
    NULL_DIFFS,
    PAIRS,
    RECIPES,
    NullPair,
    null_tree,
    planned,
    read_pairs,
)
from experiments.task_folder import load_task
from swarm.grade import grade
from swarm.settings_block import write_settings
from swarm.statistics import CRITICAL, LOOKS, Rule

RULE = Rule(LOOKS, CRITICAL[0.01], sigma=1.0, min_effect=0.5)
RNG = np.random.default_rng(1)


def made_up(count: int) -> list[NullPair]:
    """Pairs of two recipes, the second ten times as noisy as the first."""
    draws = RNG.normal(0, 1, count)
    return [
        NullPair(("a", "b")[i % 2], "d", i, 10**9, 10**9 + round(10**7 * (1, 10)[i % 2] * draw))
        for i, draw in enumerate(draws)
    ]


def test_recipes_are_brought_to_one_size() -> None:
    noise = standardised(made_up(400))
    assert len(noise) == 400
    assert noise.mean() == pytest.approx(0, abs=1e-9)
    for part in (noise[:200], noise[200:]):
        assert part.std(ddof=1) == pytest.approx(1)


@pytest.mark.parametrize("name", ["bootstrap", "normal", "student_t"])
def test_drawn_noise_looks_like_the_noise(name: str) -> None:
    noise = standardised(made_up(400))
    drawn = noise_models(noise)[name](np.random.default_rng(2), (40_000, 8))
    assert drawn.mean() == pytest.approx(0, abs=0.01)
    assert drawn.std() == pytest.approx(1, abs=0.01)


def test_heavy_tails_are_seen() -> None:
    rng = np.random.default_rng(3)
    heavy = rng.standard_t(4, 5000) / np.sqrt(2)
    assert 3 < degrees_of_freedom(heavy) < 6
    assert degrees_of_freedom(rng.standard_normal(5000)) > 20


@pytest.mark.parametrize(("kept", "tried"), [(0, 100), (3, 100), (41, 10_000)])
def test_the_bound_is_that_of_clopper_and_pearson(kept: int, tried: int) -> None:
    expected = float(beta.ppf(0.95, kept + 1, tried - kept))  # pyright: ignore[reportUnknownMemberType]
    assert share(kept, tried)["high"] == pytest.approx(expected, abs=1e-6)


def test_other_rules_keep_what_they_say_they_keep() -> None:
    draws = np.array(
        [[-1.0, -1.001, -1.002, *[5.0] * 5], [1.0, -2.0, 1.5, *[3.0] * 5], [-1.0, *[9.0] * 7]]
    )
    assert strictly_lower(draws) == 2
    assert peeking(draws) == 1


def test_the_rule_keeps_fewer_than_the_others() -> None:
    figures = measure(made_up(400), {"tinypy": RULE, "quick": RULE}, experiments=20_000)
    rates = [figures[name] for name in ("ours", "peeking", "strictly_lower")]
    ours, peeked, lower = (each["rate"] for each in rates if isinstance(each, dict))
    assert isinstance(ours, float) and isinstance(peeked, float) and isinstance(lower, float)
    assert ours < 0.01 < peeked < 0.06
    assert lower == pytest.approx(0.5, abs=0.07)
    assert (figures["n_real"], figures["n_simulated"]) == (400, 20_000)
    json.dumps(figures)


def test_real_experiments_share_no_pair() -> None:
    figures = real_experiments(made_up(100), RULE)
    assert figures["experiments"] == 2 * (50 // 8)


def test_a_plan_uses_each_seed_once() -> None:
    plans = list(planned())
    assert len({seed for _, _, seed in plans}) == len(plans) == PAIRS >= 300
    assert {base for base, _, seed in plans if seed < FULL_SIZE} == {"naive", "modern"}
    assert {(base, diff) for base, diff, _ in plans} == set(product(RECIPES, NULL_DIFFS))


@pytest.mark.parametrize("diff", NULL_DIFFS)
def test_null_diffs_fit_the_script_and_are_code(diff: str) -> None:
    task = load_task("quick").task
    base = {path: write_settings(text, RECIPES["modern"]) for path, text in task.baseline.items()}
    changed = null_tree(base, diff)
    compile(changed["train.py"], "train.py", "exec")
    assert grade(task.baseline, base, task) == "knob"
    assert grade(task.baseline, changed, task) == "code"


def test_pairs_are_read_back_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    pair = {"base": "naive", "diff": "d", "base_nano": 5, "candidate_nano": 7}
    path.write_text("".join(json.dumps({**pair, "seed": seed}) + "\n" for seed in (3, 1)))
    assert [pair.seed for pair in read_pairs(path)] == [1, 3]
    assert read_pairs(path)[0].difference == pytest.approx(2e-9)
    assert read_pairs(tmp_path / "none") == []

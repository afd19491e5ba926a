"""What the committed figures on statistics promise, and the real runs they stand on."""

import json
from typing import cast

from benchmarks.bench_liars import read_worlds
from benchmarks.null_pairs import PAIRS, RECIPES, read_pairs
from benchmarks.result import RESULTS


def figures_of(name: str) -> dict[str, object]:
    result = json.loads((RESULTS / f"{name}.json").read_text())
    return cast("dict[str, object]", result["figures"])


def rate_of(figures: dict[str, object], name: str, key: str = "rate") -> float:
    return cast("dict[str, float]", figures[name])[key]


def test_real_pairs_are_many_disjoint_and_differ() -> None:
    pairs = read_pairs()
    assert len({pair.seed for pair in pairs}) == len(pairs) == PAIRS
    assert {pair.base for pair in pairs} == set(RECIPES)
    for pair in pairs:
        assert pair.base_nano != pair.candidate_nano
        total, change = (sum(column) for column in zip(*pair.files, strict=True))
        assert abs(change / 1000 / total - pair.difference) < 1e-5


def test_false_wins_stay_below_one_in_a_hundred() -> None:
    figures = figures_of("false_wins")
    assert figures["n_real"] == len(read_pairs())
    assert cast(int, figures["n_simulated"]) >= 100_000
    assert rate_of(figures, "ours") < rate_of(figures, "ours", "high") < 0.01
    assert cast(float, figures["worst_high"]) < 0.01
    assert rate_of(figures, "peeking") > 3 * rate_of(figures, "ours", "high")
    assert rate_of(figures, "strictly_lower") > 0.4


def test_guards_leave_a_third_of_the_overfit_at_most() -> None:
    figures = figures_of("ladder")
    for guarded, bare in (("ours", "strictly_lower"), ("ladder", "exact_holdout")):
        share, without = (rate_of(figures, name, "overfit_share") for name in (guarded, bare))
        assert share < without / 3
    assert rate_of(figures, "ours", "true_gain") > rate_of(figures, "strictly_lower", "true_gain")


def test_a_third_of_a_swarm_that_lies_leads_the_rest_nowhere() -> None:
    """What liars do achieve, on the shared board, is in the file too."""
    figures = figures_of("liars")
    counts = {name: value for name, value in figures.items() if isinstance(value, int | float)}
    assert counts["runs"] == len(read_worlds()) >= 20
    assert counts["liars"] >= 0.3 * counts["nodes"] >= 0.3 * 35
    assert counts["fabrications"] > 100
    assert counts["adopted_for_nothing"] < 0.01 * counts["fabrications"], "alpha"
    assert counts["adopted_fabrications"] < 0.05 * counts["fabrications"]
    assert counts["replicated_for_a_node"] == 0
    assert counts["compute_spent_on_lies"] < 0.25
    assert rate_of(figures, "throughput_lost", "mean") < 0.3

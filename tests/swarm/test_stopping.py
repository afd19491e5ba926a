"""Early stopping: when a run is behind, and whose losses can be compared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from experiments.task_folder import load_task
from swarm.settings_block import Scalar
from swarm.stopping import (
    EARLIEST,
    FAR_MARGIN,
    MARGIN,
    POINTS,
    is_behind,
    margin_between,
    mean_loss,
    raised,
    stopped_at,
)
from swarm.tree import Tree
from swarm.turning import turned

BUDGET = 3200
QUICK = load_task("quick").task

losses = st.lists(st.floats(0.1, 9), min_size=POINTS, max_size=POINTS)


def curve(values: list[float], every: int = 100) -> list[tuple[int, float]]:
    return [(every * (index + 1), value) for index, value in enumerate(values)]


@given(losses, losses)
def test_nothing_stops_before_a_quarter_nor_what_is_ahead(
    ours: list[float], base: list[float]
) -> None:
    stopped = stopped_at(curve(ours), curve(base), BUDGET)
    assert stopped is None or stopped >= EARLIEST * BUDGET
    better = [min(pair) for pair in zip(ours, base, strict=True)]
    assert stopped_at(curve(better), curve(base), BUDGET) is None


def test_what_is_clearly_behind_stops_at_a_quarter() -> None:
    base = curve([3.0] * POINTS)
    falling_back = [3.0 + 0.01 * index for index in range(POINTS)]
    assert stopped_at(curve(falling_back), base, BUDGET) == BUDGET / 4
    assert stopped_at(curve([3.001] * POINTS), base, BUDGET) is None
    assert stopped_at(curve(falling_back[::-1]), base, BUDGET) is None


def test_larger_steps_are_held_against_the_same_tokens() -> None:
    """A run that reports every 400 tokens, and a base that reports every 100."""
    base = [4 - 0.05 * index for index in range(POINTS)]
    same = [sum(base[start : start + 4]) / 4 for start in range(0, POINTS, 4)]
    assert stopped_at(curve(same, 400), curve(base), BUDGET) is None
    worse = [loss * (1 + 0.01 * index) for index, loss in enumerate(same)]
    assert stopped_at(curve(worse, 400), curve(base), BUDGET) == BUDGET / 4


def test_without_a_base_that_reaches_as_far_nothing_stops() -> None:
    ours = curve([9.0] * POINTS)
    assert not is_behind(ours, [], BUDGET)
    assert not is_behind([], ours, BUDGET)
    assert not is_behind(ours, curve([1.0] * 9), BUDGET)
    assert not is_behind(ours, curve([-1.0] * POINTS), BUDGET)


@given(losses, st.integers(0, 31), st.integers(1, 32))
def test_a_mean_loss_is_of_the_tokens_between(values: list[float], start: int, count: int) -> None:
    part = values[start : start + count]
    found = mean_loss(curve(values), 100 * start, 100 * (start + len(part)))
    assert abs(found - sum(part) / len(part)) < 1e-9


def test_how_far_behind_says_something_depends_on_what_was_turned() -> None:
    """The schedule shapes the curve, label smoothing adds to the loss, code may do anything."""
    base = QUICK.baseline
    turns: dict[str, Scalar] = {"LEARNING_RATE": 0.01, "INIT": "xavier", "WIDTH": 32}
    assert margin_between(base, turned(base, turns), QUICK) == MARGIN
    others: list[dict[str, Scalar]] = [{"SCHEDULE": "cosine"}, {"LABEL_SMOOTHING": 0.05}]
    for other in others:
        assert margin_between(base, turned(base, {**turns, **other}), QUICK) == FAR_MARGIN
    code: Tree = {"train.py": base["train.py"].replace(b"loss.item()", b"0.0")}
    assert code != base
    assert margin_between(base, code, QUICK) is None


def test_a_raised_curve_is_a_margin_short_of_that_far_above() -> None:
    base = curve([4.0] * POINTS)
    rising = [4.0 * (1 + FAR_MARGIN) * (1 + 1e-5 * each) for each in range(POINTS)]
    just, far = ([share * each for each in rising] for share in (0.999, 1.001))
    assert stopped_at(curve(just), raised(base, FAR_MARGIN), BUDGET) is None
    assert stopped_at(curve(far), raised(base, FAR_MARGIN), BUDGET) is not None

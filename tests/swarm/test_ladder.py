"""The Ladder: what is said of a holdout, and how little of it leaks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.ladder import Ladder, climb, ladder_round, step_nano
from swarm.statistics import Direction
from swarm.verdict import Yardstick

values = st.integers(-(10**13), 10**13)
steps = st.integers(1, 10**9)
STEP = 5_000_000


@given(values, steps)
def test_rounding_goes_to_the_nearest_multiple(value: int, step: int) -> None:
    rounded = ladder_round(value, step)
    assert rounded % step == 0
    assert abs(rounded - value) * 2 <= step
    assert ladder_round(rounded, step) == rounded


def test_a_step_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 nano-units"):
        ladder_round(1, 0)


def test_the_step_of_a_task_is_its_smallest_effect() -> None:
    assert step_nano(Yardstick("minimize", 0.002, 0.005, 1000)) == STEP


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1), ("maximize", -1)])
def test_only_what_beats_the_best_by_a_step_is_given(direction: Direction, sign: int) -> None:
    ladder = Ladder(STEP, direction)
    first = 3_000 * STEP * sign
    assert ladder.look(first) == first
    assert ladder.look(first) is None
    assert ladder.look(first - sign * STEP) is None, "a step is not more than a step"
    assert ladder.look(first + sign * 7 * STEP) is None
    assert ladder.look(first - sign * (STEP + 1)) == first - sign * STEP
    assert ladder.best_nano == first - sign * STEP


def test_noise_larger_than_the_step_raises_the_bar() -> None:
    ladder = Ladder(STEP, "minimize")
    ladder.look(100 * STEP)
    assert ladder.look(97 * STEP, noise_nano=2 * STEP) is None
    assert ladder.look(95 * STEP, noise_nano=2 * STEP) == 95 * STEP


@given(st.lists(values, max_size=30), steps)
def test_answers_fall_and_each_by_a_step(looks: list[int], step: int) -> None:
    ladder = Ladder(step, "minimize")
    given_out = [said for look in looks if (said := ladder.look(look)) is not None]
    assert all(after <= before - step for before, after in pairwise(given_out))
    assert not looks or min(given_out) <= min(looks) + step + step // 2


def test_no_better_looks_the_same_whatever_the_value() -> None:
    """What Blum & Hardt bound: between two answers, looks learn one bit each."""
    answers = {
        tuple(climb([[1000 * STEP], [1000 * STEP + shift], [990 * STEP]], STEP, "minimize"))
        for shift in range(-STEP, 50 * STEP, STEP // 3)
    }
    assert answers == {(1000 * STEP, None, 990 * STEP)}


def test_one_liar_among_three_replicators_moves_nothing() -> None:
    honest = [1000 * STEP, 1000 * STEP]
    assert climb([[*honest, 1]], STEP, "minimize") == [1000 * STEP]
    assert climb([[1, *honest]], STEP, "minimize") == [1000 * STEP]


def test_what_nobody_looked_at_has_no_value() -> None:
    assert climb([[], [7 * STEP], []], STEP, "minimize") == [None, 7 * STEP, None]


def test_replicators_who_differ_much_raise_the_bar() -> None:
    """Values ten steps apart: five steps better proves nothing, thirty do."""
    near = [[1000 * STEP, 1001 * STEP], [995 * STEP, 994 * STEP]]
    far = [[1000 * STEP, 1010 * STEP], [1000 * STEP, 1000 * STEP + 1], [970 * STEP, 980 * STEP]]
    assert climb(near, STEP, "minimize")[1] is not None
    assert climb(far, STEP, "minimize")[1] is None
    assert climb(far, STEP, "minimize")[2] is not None


def test_a_search_by_chance_fits_the_exact_holdout_and_not_the_ladder() -> None:
    """Two thousand changes without effect, each kept where the answer improved."""
    noise = np.random.default_rng(5).normal(0, STEP / 3, 2000)
    start = 500 * STEP
    exact, guarded = float(start), float(start)
    ladder = Ladder(STEP, "minimize")
    ladder.look(start)
    for change in noise:
        exact = min(exact, exact + change)
        if ladder.look(guarded + change) is not None:
            guarded += change
    assert start - exact > 200 * STEP
    assert start - guarded < 15 * STEP

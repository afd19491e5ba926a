"""What settings are worth is found from experiments that turned several at once."""

from __future__ import annotations

import random

import pytest

from experiments.proposers.additive import Observation, Worths

TRUE = {("A", "1"): 5.0, ("B", "1"): -3.0, ("C", "1"): 0.0, ("D", "1"): 2.0}


def observed(seed: int, count: int, doubt: float = 1.0) -> list[Observation]:
    """Experiments on a base where every setting is at 0, each with two or three turned."""
    draw = random.Random(seed)
    found: list[Observation] = []
    for _ in range(count):
        turned = draw.sample(sorted(TRUE), draw.choice([2, 3]))
        gain = sum(TRUE[each] for each in turned) + draw.gauss(0, 0.3)
        found.append(Observation(turned, [(name, "0") for name, _ in turned], gain, doubt))
    return found


def gains(worths: Worths) -> dict[str, float]:
    expected = worths.expected()
    return {name: expected[name, "1"] - expected[name, "0"] for name, _ in TRUE}


def test_each_settings_part_of_the_gains_is_found() -> None:
    found = gains(Worths(observed(1, 60)))
    assert found == pytest.approx({name: value for (name, _), value in TRUE.items()}, abs=0.7)


def test_draws_are_apart_where_little_is_known_and_close_where_much_is() -> None:
    def apart(count: int) -> float:
        worths = Worths(observed(2, count))
        drawn = [worths.drawn(seed)["A", "1"] - worths.drawn(seed)["A", "0"] for seed in range(40)]
        return max(drawn) - min(drawn)

    assert apart(60) < apart(3) / 2


def test_doubtful_experiments_move_little() -> None:
    lie = Observation([("A", "1")], [("A", "0")], -20.0, 2.0)
    truth = observed(3, 20, doubt=0.5)
    assert gains(Worths([*truth, lie]))["A"] > 3.5


def test_the_same_experiments_and_seed_give_the_same_draw() -> None:
    assert Worths(observed(4, 9)).drawn(7) == Worths(observed(4, 9)).drawn(7)

"""What settings are worth is found from experiments that turned several at once."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from experiments.proposers.additive import Observation, Worths

TRUE = {("A", "1"): 0.5, ("B", "1"): -0.3, ("C", "1"): 0.0, ("D", "1"): 0.2}
VALUES = {name: [0, 1] for name, _ in TRUE}
Cost = Mapping[tuple[str, str], float]


def observed(seed: int, count: int, doubt: float = 1.0) -> list[Observation]:
    """Experiments in which each of four knobs is at 0 or 1; what they cost is a sum, almost."""
    draw = random.Random(seed)
    found: list[Observation] = []
    for _ in range(count):
        settings = {name: draw.choice("01") for name, _ in TRUE}
        gain = sum(TRUE.get(each, 0.0) for each in settings.items())
        found.append(Observation(settings, 4.0 - gain + draw.gauss(0, 0.03), doubt=doubt))
    return found


def gains(found: Sequence[Observation]) -> dict[str, float]:
    """What a knob is worth more at 1 than at 0."""
    expected = Worths(found, VALUES).expected()
    return {name: expected[name, "1"] - expected[name, "0"] for name, _ in TRUE}


def order(found: Sequence[Observation]) -> str:
    """The knobs, the one whose turn is worth most first."""
    worth = gains(found)
    return "".join(sorted(worth, key=lambda name: -worth[name]))


def test_each_settings_part_of_what_came_out_is_found() -> None:
    found = gains(observed(1, 60))
    assert order(observed(1, 60)) == "ADCB"
    assert found["B"] < -2 * abs(found["C"]) and found["D"] > 2 * abs(found["C"])


def test_only_the_order_of_results_counts() -> None:
    """So a hundredth near the best is heard as well as a bit far from it, on any metric."""
    found = observed(1, 60)
    stretched = [Observation(each.settings, math.exp(5 * each.cost)) for each in found]
    assert gains(stretched) == gains(found)


def test_what_failed_is_the_worst_and_nothing_more() -> None:
    found = observed(2, 30)
    worst = max(found, key=lambda each: each.cost)
    failed = [Observation(worst.settings, math.inf) if each is worst else each for each in found]
    assert gains(failed) == gains(found)


def test_what_was_stopped_is_taken_for_worse_than_where_it_was() -> None:
    """Though nobody knows how much worse, the settings of the bad are told from the good."""
    found = observed(3, 60)
    middle = sorted(each.cost for each in found)[30]
    stopped = [
        Observation(each.settings, middle, stopped=True) if each.cost > middle else each
        for each in found
    ]
    assert order(stopped) == "ADCB"
    assert Worths([Observation({"A": "1"}, 3.0, stopped=True)], VALUES).expected()["A", "1"] == 0


def test_near_values_of_a_number_are_worth_about_the_same() -> None:
    rates: list[float] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0]
    found = [Observation({"RATE": repr(each)}, each) for each in (0.1, 0.2, 2.0, 5.0)]
    worth = Worths(found, {"RATE": rates}).expected()
    assert worth["RATE", "0.1"] > worth["RATE", "0.5"] > worth["RATE", "1.0"] > worth["RATE", "5.0"]
    names = Worths(
        [Observation({"NORM": repr(each)}, cost) for each, cost in (("a", 1.0), ("c", 2.0))],
        {"NORM": ["a", "b", "c"]},
    )
    assert names.expected()["NORM", "'b'"] == 0, "names have no neighbours"


def test_draws_are_apart_where_little_is_known_and_close_where_much_is() -> None:
    def apart(count: int) -> float:
        worths = Worths(observed(2, count), VALUES)
        drawn = [worths.drawn(seed)["A", "1"] - worths.drawn(seed)["A", "0"] for seed in range(40)]
        return max(drawn) - min(drawn)

    assert apart(1000) < apart(2) / 2


def test_doubtful_experiments_move_little() -> None:
    truth = observed(3, 20)
    lies = [Observation({**each.settings, "A": "1"}, 9.0, doubt=2.0) for each in truth[:8]]
    firm = [Observation(each.settings, each.cost) for each in lies]
    assert gains([*truth, *firm])["A"] < gains([*truth, *lies])["A"] < gains(truth)["A"]


def test_the_same_experiments_and_seed_give_the_same_draw() -> None:
    assert Worths(observed(4, 9), VALUES).drawn(7) == Worths(observed(4, 9), VALUES).drawn(7)

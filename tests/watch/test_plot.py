"""The progress picture: what makes a step, what is shown, and that no title can break it."""

from dataclasses import replace

import pytest

from swarm.findings import State
from swarm.records import Pair
from swarm.task import Metric
from tests.hostile_text import LINES
from tests.swarm.record_samples import WIN
from watch.plot import OTHER_COLOUR, Picture, colour, picture
from watch.plot_png import png
from watch.plot_terminal import drawn
from watch.tried import Tried, in_order, of_win

LOWER = Metric("val_bpb", "minimize", "bits per byte", 2.0)
HIGHER = Metric("accuracy", "maximize", "%", None)


def tried(number: int, value: float | None, outcome: str = "win", title: str = "idea") -> Tried:
    """An experiment on the baseline, whose value is 3."""
    pairs = () if value is None else (Pair(1, 3_000_000_000, round(value * 1e9)),)
    record = replace(WIN, created_at_ms=number, title=title, pairs=pairs, tree=f"{number:064x}")
    return replace(of_win(f"win {number}", record), outcome=outcome)


def drawing(
    values: list[float | None], states: list[State | None], metric: Metric = LOWER
) -> Picture:
    """A picture of experiments in this order; a state makes one a win."""
    rows = [
        tried(number, value, "win" if state else "no_gain")
        for number, (value, state) in enumerate(zip(values, states, strict=True))
    ]
    return picture(rows, {f"win {i}": state for i, state in enumerate(states) if state}, metric)


def test_only_believed_wins_that_are_better_than_all_before_make_steps() -> None:
    shown = drawing(
        [2.9, 2.5, 2.0, 2.95, 2.8, 2.6],
        ["claimed", None, "refuted", "replicated", "replicated", "incomplete"],
    )
    assert [step.value for step in shown.steps] == [2.9, 2.8]
    assert shown.baseline == 3.0 and shown.experiments == 6
    assert shown.line() == ([0, 1, 1, 5, 5, 6.5], [3.0, 3.0, 2.9, 2.9, 2.8, 2.8])


def test_where_more_is_better_the_stairs_lead_up() -> None:
    shown = drawing([3.1, 3.05, 3.5], ["claimed"] * 3, HIGHER)
    assert [step.value for step in shown.steps] == [3.1, 3.5]
    assert shown.bottom < 3.0 < 3.5 < shown.top


def test_one_value_far_off_does_not_flatten_the_rest() -> None:
    shown = drawing([2.9, 900.0, None, 2.8], ["claimed", None, None, "claimed"])
    assert shown.top < 3.2 and shown.failed == (3,)


def test_an_experiment_told_twice_is_one() -> None:
    once = tried(1, 2.0)
    assert in_order([once, replace(once, record=None), tried(0, 2.5)]) == [tried(0, 2.5), once]


def test_the_settings_that_a_diff_sets_are_its_knobs() -> None:
    diff = "--- a/t\n+++ b/t\n@@ -1,2 +1,2 @@\n-A = 1\n+A = 2  # much\n+B = 'x y'\n+    c = 3\n"
    assert of_win("id", replace(WIN, diff=diff)).knobs == (("A", "2"), ("B", "'x y'"))


@pytest.mark.parametrize("metric", [LOWER, HIGHER])
def test_every_title_can_be_drawn(metric: Metric) -> None:
    rows = [tried(n, 2.9 - n / 100, title=title) for n, title in enumerate(LINES)]
    rows = [replace(row, family=row.title[:32]) for row in rows]
    states: dict[str, State] = {row.record or "": "claimed" for row in rows}
    shown = picture(rows, states, metric)
    assert png(shown, LINES[5]).startswith(b"\x89PNG")
    assert {colour(row.family) for row in rows} == {OTHER_COLOUR}


def test_nothing_tried_can_be_drawn_too() -> None:
    assert png(drawing([], []), "quick").startswith(b"\x89PNG")
    assert drawn(drawing([None], [None]), 80, 20, coloured=False) == "nothing was measured yet"


@pytest.mark.parametrize(("columns", "lines"), [(40, 12), (80, 24), (140, 40)])
def test_a_drawing_in_letters_keeps_to_the_room_it_is_given(columns: int, lines: int) -> None:
    shown = drawing([2.9, 2.95, 2.5, None], ["claimed", None, "replicated", None])
    rows = drawn(shown, columns, lines, coloured=False).splitlines()
    assert max(map(len, rows)) <= columns and len(rows) <= lines
    assert "\x1b" not in "".join(rows)
    assert "\x1b[" in drawn(shown, columns, lines, coloured=True)

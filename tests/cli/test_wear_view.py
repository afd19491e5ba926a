"""What people are told of wear."""

from dataclasses import replace

from cli.wear_view import wear_lines
from swarm.statistics import Effect
from swarm.wear import Wear

NOTHING = Wear(None, None, 0, 0, (), worn=False, holdout_worn=False)
FINE = replace(NOTHING, validation=Effect(0.0012, -0.0018, 0.0042, 12), queries=31, checks=12)


def said(wear: Wear) -> list[str]:
    return [line.plain for line in wear_lines(wear, "bits per byte")]


def test_nothing_is_said_before_anyone_replicated() -> None:
    assert said(NOTHING) == []


def test_few_checks_are_counted_only() -> None:
    assert said(replace(NOTHING, checks=1, queries=2)) == [
        "1 win checked on fresh text; 2 looks at the holdout so far"
    ]


def test_gaps_come_with_their_interval_and_the_looks() -> None:
    (line,) = said(replace(FINE, holdout=Effect(-0.002, -0.004, 0.0, 5)))
    assert "+0.0012 ±0.0030 on validation, -0.0020 ±0.0020 on the holdout bits per byte" in line
    assert "the latest 12 wins checked" in line
    assert "31 looks at the holdout" in line


def test_a_worn_text_is_a_warning_first() -> None:
    lines = said(replace(FINE, worn=True, holdout_worn=True))
    assert lines[0].startswith("the validation set is wearing out")
    assert lines[1].startswith("the holdout is wearing out")
    assert len(lines) == 3

"""Which wins the literature knows: choices from the menu, and code that nobody listed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarm.knob import Knob
from swarm.milestones import Idea, milestones, read_source
from swarm.records import Win
from swarm.settings_block import Scalar
from tests.swarm.win_samples import BASELINE, turned, win_of

KNOBS = (
    Knob(
        "NORM",
        "choice",
        "norm",
        ("post", "pre"),
        sources={"pre": "Pre-norm, Xiong et al. 2020, https://arxiv.org/abs/2002.04745"},
    ),
    Knob("LAYERS", "int", "width_depth", low=1, high=8),
    Knob(
        "WIDTH",
        "int",
        "width_depth",
        low=1,
        high=512,
        sources={"*": "Scaling laws, Kaplan et al. 2020"},
    ),
)


def win(number: int, **settings: Scalar) -> tuple[str, Win]:
    """A win that turns these settings, the how-manieth to be claimed."""
    after = turned(BASELINE, **settings)
    return win_of(None, BASELINE, after, created_at_ms=1_790_000_000_000 + number)


def coded(*lines: str) -> tuple[str, Win]:
    """A win that adds lines of code."""
    added = BASELINE["train.py"] + "".join(f"{line}\n" for line in lines).encode()
    return win_of(None, BASELINE, {"train.py": added})


def test_a_choice_with_a_source_is_confirmed() -> None:
    record, made = win(0, NORM="pre")
    [milestone] = milestones([(record, made)], KNOBS)
    assert milestone.text == "confirmed: Pre-norm, 2020"
    assert milestone.record == record
    assert milestone.idea.url == "https://arxiv.org/abs/2002.04745"
    assert milestone.idea.source == "Pre-norm, Xiong et al. 2020"


def test_each_source_is_met_once_by_the_first() -> None:
    """Whoever says it again, and in whatever order they are heard."""
    later, first = win(2, WIDTH=128), win(1, WIDTH=32)
    [milestone] = milestones([later, first], KNOBS)
    assert milestone.record == first[0]


@pytest.mark.parametrize(
    "settings",
    [
        {"LAYERS": 4},
        {"NORM": "pre", "WIDTH": 32},
        {"LR": 0.2},
        {"NORM": "sideways"},
        {"WIDTH": 1024},
    ],
    ids=["no source", "two at once", "no knob", "not on the menu", "out of range"],
)
def test_what_proves_no_source_is_no_milestone(settings: dict[str, Scalar]) -> None:
    assert milestones([win(0, **settings)], KNOBS) == []


def test_known_code_that_nobody_listed_is_rediscovered() -> None:
    made = coded("    loss = loss + 1e-4 * z_loss(logits)")
    [milestone] = milestones([made], KNOBS)
    assert milestone.text == "rediscovered: z-loss, 2022"


def test_code_on_the_menu_is_not_rediscovered() -> None:
    """Its source stands in the task, under whatever name."""
    knob = replace(KNOBS[1], sources={"*": "x 2022, https://arxiv.org/abs/2204.02311"})
    assert milestones([coded("z_loss = 0.1")], (knob,)) == []


def test_unknown_code_is_no_milestone() -> None:
    assert milestones([coded("print('hello')")], KNOBS) == []


def test_a_setting_turned_beside_code_confirms_nothing() -> None:
    """What gained cannot be told."""
    after = {"train.py": turned(BASELINE, NORM="pre")["train.py"] + b"x = 1\n"}
    assert milestones([win_of(None, BASELINE, after)], KNOBS) == []


@pytest.mark.parametrize(
    ("text", "idea"),
    [
        (
            "Kaiming init, He et al. 2015, https://arxiv.org/abs/1502.01852",
            Idea(
                "Kaiming init", 2015, "Kaiming init, He et al. 2015",
                "https://arxiv.org/abs/1502.01852",
            ),
        ),
        ("Adam, Kingma & Ba 2015", Idea("Adam", 2015, "Adam, Kingma & Ba 2015", None)),
        ("No dropout: a model seen once per byte does not overfit", None),
        ("", None),
    ],
)  # fmt: skip
def test_sources_are_read_as_tasks_write_them(text: str, idea: Idea | None) -> None:
    assert read_source(text) == idea


def test_hostile_diffs_are_read_in_little_time() -> None:
    """A pattern that backtracks would stop whoever looks."""
    record, made = win(0, NORM="pre")
    lines = "\n".join("+" + "logsumexp(" * 3000 + "shadow " * 3000 for _ in range(2))
    assert milestones([(record, replace(made, diff=lines))], KNOBS) == []

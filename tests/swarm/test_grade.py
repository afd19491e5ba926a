"""Grades: nothing that could run is ever called a knob diff."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.grade import grade
from swarm.settings_block import END, START, write_settings
from swarm.task import Budget, Knob, Metric, Task
from swarm.tree import Tree

SOURCE = f"""\
import torch

{START}
LEARNING_RATE = 3e-4  # Adam's default is 1e-3
LAYERS = 2
NORM = "post"
LABEL = "naive"
{END}

print(LEARNING_RATE)
"""
BASELINE: Tree = {"train.py": SOURCE.encode(), "notes.py": b"# nothing\n"}
TASK = Task(
    id="b" * 60,
    name="test",
    title="A task",
    harness="stream",
    editable=("notes.py", "train.py"),
    frozen=(),
    knobs=(
        Knob("LEARNING_RATE", "float", "learning_rate", low=1e-5, high=1.0, log=True),
        Knob("LAYERS", "int", "width_depth", low=1, high=8),
        Knob("NORM", "choice", "norm", choices=("post", "pre")),
    ),
    steps=(),
    metric=Metric("val_bpb", "minimize", "bits per byte", None),
    budget=Budget(1024, 3.0, None),
    context=128,
    eval_bytes=1024,
    seeds=1000,
    min_effect=0.005,
    sigma=0.002,
    alpha=0.01,
    baseline=BASELINE,
    corpus={},
)


def graded(old: str, new: str) -> str:
    assert SOURCE.count(old) == 1
    tree = {**BASELINE, "train.py": SOURCE.replace(old, new).encode()}
    return grade(BASELINE, tree, TASK)


def test_the_baseline_itself_is_a_knob_diff() -> None:
    assert grade(BASELINE, dict(BASELINE), TASK) == "knob"


@given(st.floats(1e-5, 1.0), st.integers(1, 8), st.sampled_from(["post", "pre"]))
def test_admitted_values_are_a_knob_diff(rate: float, layers: int, norm: str) -> None:
    values = {"LEARNING_RATE": rate, "LAYERS": layers, "NORM": norm}
    tree = {**BASELINE, "train.py": write_settings(SOURCE.encode(), values)}
    assert grade(BASELINE, tree, TASK) == "knob"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("3e-4", "3.0"),
        ("LAYERS = 2", "LAYERS = 2.0"),
        ("LAYERS = 2", "LAYERS = True"),
        ("LAYERS = 2", "LAYERS = 9"),
        ('"post"', '"none"'),
        ('"naive"', '"other"'),
        ("LAYERS = 2\n", ""),
        ("LAYERS = 2\n", "LAYERS = 2\nEXTRA = 1\n"),
        ("LAYERS = 2\n", "LAYERS = 2  # a word\n"),
        ("LAYERS = 2\nNORM", "NORM"),
        ("LAYERS = 2", "LAYERS = __import__('os').getpid()"),
        ("LAYERS = 2", "LAYERS = 2; import os"),
        ("# Adam's default is 1e-3", "# Adam's\rimport os"),
        ("print(LEARNING_RATE)", "print(1)"),
        ("import torch", "import os"),
        (END, ""),
    ],
)
def test_anything_else_is_a_code_diff(old: str, new: str) -> None:
    assert graded(old, new) == "code"


def test_another_file_that_changed_is_a_code_diff() -> None:
    assert grade(BASELINE, {**BASELINE, "notes.py": b"import os\n"}, TASK) == "code"
    assert grade(BASELINE, {"train.py": SOURCE.encode()}, TASK) == "code"
    assert grade(BASELINE, {**BASELINE, "new.py": b""}, TASK) == "code"


def test_a_setting_without_a_knob_may_not_change() -> None:
    task = replace(TASK, knobs=TASK.knobs[1:])
    tree = {**BASELINE, "train.py": SOURCE.replace("3e-4", "1e-3").encode()}
    assert grade(BASELINE, tree, TASK) == "knob"
    assert grade(BASELINE, tree, task) == "code"


@given(st.integers(0, len(SOURCE) - 1), st.characters(codec="ascii"))
def test_one_changed_character_is_a_knob_diff_only_inside_a_literal(at: int, char: str) -> None:
    changed = SOURCE[:at] + char + SOURCE[at + 1 :]
    tree = {**BASELINE, "train.py": changed.encode()}
    if grade(BASELINE, tree, TASK) == "knob" and changed != SOURCE:
        line = SOURCE[:at].rsplit("\n", 1)[-1]
        assert line.startswith(("LEARNING_RATE = ", "LAYERS = ", "NORM = ")) and "#" not in line

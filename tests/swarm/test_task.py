"""A task is complete and checked, or an error that names the key."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.knob import Knob
from swarm.task import Task, TaskError, declared_files, parse_task

TRAIN = b"""
# --- settings: one NAME = value per line ---
RATE = 0.1  # of learning
SHAPE = "round"
TIED = False
DEPTH = 2
# --- end of settings ---
"""
FILES = {"train.py": TRAIN, "data.py": b"DATA = 1\n"}
STREAM = """
name = "tiny"
title = "A tiny task"
editable = ["train.py"]
frozen = ["data.py"]
context = 16
eval_bytes = 1024
min_effect = 0.05
sigma = 0.04

[metric]
name = "val_bpb"
direction = "minimize"
unit = "bits per byte"

[budget]
tokens = 4096

[corpus]
train = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

[knobs.RATE]
family = "learning_rate"
type = "float"
low = 0.001
high = 1.0
log = true

[knobs.SHAPE]
family = "activation"
choices = ["round", "square"]
sources = { square = "Squares, Euclid 300 BC" }

[knobs.DEPTH]
family = "width_depth"
type = "int"
low = 1
high = 4
"""
COMMAND = """
name = "speed"
title = "Any command that prints a number"
harness = "command"
editable = ["train.py"]
steps = ["python train.py"]
min_effect = 1
sigma = 1.5

[metric]
name = "items_per_second"
direction = "maximize"
unit = "items/s"
goal = 100

[budget]
seconds = 60
"""


def parse(text: str, files: dict[str, bytes] = FILES) -> Task:
    return parse_task(text.encode(), files)


def test_a_stream_task_says_all_it_holds() -> None:
    task = parse(STREAM)
    assert (task.harness, task.editable, task.frozen) == ("stream", ("train.py",), ("data.py",))
    assert (task.budget.tokens, task.budget.compute_cap, task.budget.seconds) == (4096, 3.0, None)
    assert task.baseline == {"train.py": TRAIN}
    assert [knob.name for knob in task.knobs] == ["RATE", "SHAPE", "DEPTH"]
    assert task.topic == f"/research-swarm/1/{task.id}"


def test_a_command_task_needs_neither_tokens_nor_corpus() -> None:
    task = parse(COMMAND)
    assert (task.steps, task.budget.seconds, task.budget.tokens) == (("python train.py",), 60, None)
    assert (task.metric.direction, task.metric.goal) == ("maximize", 100.0)


def test_declared_files_come_sorted_and_with_their_root() -> None:
    files = declared_files(b'root = ".."\neditable = ["b.py", "a.py"]\nfrozen = ["c/d.py"]')
    assert (files.root, files.editable, files.frozen) == ("..", ("a.py", "b.py"), ("c/d.py",))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("context = 16", "context = 32"),
        ("tokens = 4096", "tokens = 8192"),
        ("min_effect = 0.05", "min_effect = 0.06"),
        ("high = 1.0", "high = 2.0"),
        ('"square"]', '"square", "flat"]'),
        ('train = "aa', 'train = "bb'),
        ('direction = "minimize"', 'direction = "maximize"'),
    ],
)
def test_whatever_makes_results_comparable_changes_the_id(old: str, new: str) -> None:
    assert parse(STREAM).id != parse(STREAM.replace(old, new)).id


@pytest.mark.parametrize("path", ["train.py", "data.py"])
def test_the_content_of_files_changes_the_id(path: str) -> None:
    changed = {**FILES, path: FILES[path] + b"# more\n"}
    assert parse(STREAM).id != parse(STREAM, changed).id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A tiny task", "Another title"),
        ("Squares, Euclid 300 BC", "Squares, somebody else"),
        ('family = "activation"', 'family = "norm"'),
        ('title = "A tiny task"\n', 'title = "A tiny task"\nroot = "."\n'),
        ('unit = "bits per byte"', 'unit = "bits per byte"\ngoal = 2.0'),
    ],
)
def test_what_only_explains_does_not(old: str, new: str) -> None:
    assert parse(STREAM).id == parse(STREAM.replace(old, new)).id


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("context = 16", "context = 0", "context"),
        ("context = 16", "context = true", "context"),
        ("sigma = 0.04", "sigma = nan", "sigma"),
        ("sigma = 0.04", "sigma = 0.04\nsgima = 1", "sgima"),
        ("sigma = 0.04", "", "sigma"),
        ('name = "tiny"', 'name = "Tiny task"', "name"),
        ('"minimize"', '"down"', "metric.direction"),
        ("tokens = 4096", "", "budget.tokens"),
        ("tokens = 4096", "tokens = 4096\ncompute_cap = 0.5", "budget.compute_cap"),
        ('train = "aa', 'train = "zz', "corpus.train"),
        ('["data.py"]', '["data.py", "gone.py"]', "frozen"),
        ('["data.py"]', '["train.py"]', "frozen"),
        ('["data.py"]', '["../data.py"]', "frozen"),
        ('["data.py"]', '["/data.py"]', "frozen"),
        ('["data.py"]', '["a/../data.py"]', "frozen"),
        ('["data.py"]', '["C:\\\\data.py"]', "frozen"),
        ('["train.py"]', "[]", "editable"),
        ("low = 0.001", "low = 0.2", "knobs.RATE"),
        ("low = 0.001", "low = -1.0", "knobs.RATE.low"),
        ("low = 0.001", "low = 2.0", "knobs.RATE.low"),
        ("low = 1\n", "low = 1.5\n", "knobs.DEPTH.low"),
        ('"round", "square"', '"square", "flat"', "knobs.SHAPE"),
        ('"round", "square"', '"round", "round", "square"', "knobs.SHAPE.choices"),
        ('"round", "square"', '"round", ["square"]', "knobs.SHAPE.choices"),
        ("{ square =", "{ cube =", "knobs.SHAPE.sources.cube"),
        ("[knobs.SHAPE]", "[knobs.FORM]", "knobs.FORM"),
        ("[knobs.SHAPE]", "[knobs.shape]", "knobs.shape"),
        ('"activation"', '"magic"', "knobs.SHAPE.family"),
    ],
)
def test_an_error_names_its_key(old: str, new: str, key: str) -> None:
    assert old in STREAM
    with pytest.raises(TaskError) as caught:
        parse(STREAM.replace(old, new))
    assert caught.value.key == key
    assert str(caught.value).startswith(key)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(TaskError, match=re.escape("editable: the file train.py is missing")):
        parse(STREAM, {"data.py": b""})


def test_a_command_task_without_commands_is_refused() -> None:
    with pytest.raises(TaskError, match="steps"):
        parse(COMMAND.replace('["python train.py"]', "[]"))


def test_an_editable_tree_above_64_kib_is_refused() -> None:
    with pytest.raises(TaskError, match="editable"):
        parse(STREAM, {**FILES, "train.py": TRAIN + b"#" * 65_536})


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_task_or_a_task_error(text: bytes) -> None:
    with pytest.raises(TaskError):
        parse_task(text, FILES)


@given(st.data())
@settings(max_examples=60)
def test_any_one_line_lost_gives_a_task_or_a_task_error(data: st.DataObject) -> None:
    lines = STREAM.splitlines()
    del lines[data.draw(st.integers(0, len(lines) - 1))]
    try:
        parse("\n".join(lines))
    except TaskError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("knob", "admitted", "refused"),
    [
        (
            Knob("A", "choice", "norm", (1, 2.5, "x")),
            [1, 1.0, 2.5, "x"],
            [True, 2, "1", None],
        ),
        (Knob("A", "choice", "norm", (True, False)), [True, False], [1, 0, "True"]),
        (Knob("A", "int", "batch", low=1, high=4), [1, 4], [0, 5, 2.0, True, "2"]),
        (
            Knob("A", "float", "batch", low=0.5, high=4),
            [0.5, 1, 4],
            [0.4, float("nan"), float("inf"), True, "1"],
        ),
    ],
)
def test_knobs_admit_values_of_their_kind_only(
    knob: Knob, admitted: list[object], refused: list[object]
) -> None:
    assert all(knob.admits(value) for value in admitted)
    assert not any(knob.admits(value) for value in refused)


def test_the_source_of_a_choice_or_of_the_knob() -> None:
    knob = Knob("A", "choice", "init", ("x", "y"), sources={"x": "Somebody 1999", "*": "Others"})
    assert (knob.source_of("x"), knob.source_of("y")) == ("Somebody 1999", "Others")


def test_a_task_may_begin_from_other_settings_than_its_files_have() -> None:
    """They are part of the baseline, and so of the id; the files stay what they are."""
    changed = STREAM + "\n[settings]\nDEPTH = 3\nTIED = true\n"
    task = parse_task(changed.encode(), FILES)
    assert b"DEPTH = 3\n" in task.baseline["train.py"]
    assert b"TIED = True\n" in task.baseline["train.py"]
    assert FILES["train.py"] == TRAIN
    plain = parse_task(STREAM.encode(), FILES)
    assert task.id != plain.id
    same = parse_task((STREAM + "\n[settings]\nDEPTH = 2\n").encode(), FILES)
    assert (same.id, same.baseline) == (plain.id, plain.baseline)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("MISSING = 1", "settings.MISSING"),
        ("DEPTH = [1]", "settings.DEPTH"),
        ("SHAPE = 'a\\b'", "settings.SHAPE"),
        ("RATE = nan", "settings.RATE"),
        ("DEPTH = 9", "knobs.DEPTH"),
    ],
)
def test_a_setting_that_cannot_be_is_named(line: str, key: str) -> None:
    with pytest.raises(TaskError, match=re.escape(key)):
        parse_task(f"{STREAM}\n[settings]\n{line}\n".encode(), FILES)


def test_what_a_task_needs_of_a_machine_says_nothing_of_results() -> None:
    needy = parse_task(b"accelerator = true\n" + STREAM.encode(), FILES)
    plain = parse_task(STREAM.encode(), FILES)
    assert needy.accelerator and not plain.accelerator
    assert needy.id == plain.id

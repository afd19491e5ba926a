"""Tasks are found by name or folder; a broken folder names what is wrong."""

from __future__ import annotations

import ast
import math
import types
from pathlib import Path

import pytest
import torch

from baseline_train import prepare
from experiments.limits import Limits
from experiments.task_folder import built_in_tasks, load_task
from swarm.settings_block import read_settings, write_settings
from swarm.task import TaskError

COMMAND = """
name = "sum"
title = "Print a number"
harness = "command"
editable = ["main.py"]
frozen = ["data/numbers.txt"]
steps = ["python main.py"]
min_effect = 1
sigma = 1

[metric]
name = "total"
direction = "maximize"
unit = "points"

[budget]
seconds = 5
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "numbers.txt").write_text("1 2 3")
    (tmp_path / "main.py").write_text("print('total: 6')\n")
    (tmp_path / "task.toml").write_text(COMMAND)
    return tmp_path


def test_the_built_in_tasks_share_their_code_and_differ_in_budget() -> None:
    assert built_in_tasks() == ("quick", "tinypy", "tinypy-gpu")
    quick, tinypy = load_task("quick"), load_task("tinypy")
    assert quick.task.id != tinypy.task.id
    assert quick.task.baseline == tinypy.task.baseline
    assert quick.task.knobs == tinypy.task.knobs
    assert (quick.task.budget.tokens, tinypy.task.budget.tokens) == (131_072, 1_048_576)
    assert tinypy.program.startswith("# What to work on")


@pytest.mark.parametrize("name", built_in_tasks())
def test_a_built_in_task_names_the_corpus_that_prepare_checks(name: str) -> None:
    assert load_task(name).task.corpus == prepare.SPLIT_SHA256


def test_the_task_for_gpus_is_the_same_code_with_a_larger_model() -> None:
    """It differs from the default one in settings alone, so that code changes apply to both."""
    large, small = load_task("tinypy-gpu").task, load_task("tinypy").task
    assert large.accelerator and not small.accelerator
    assert large.corpus == small.corpus and large.frozen == small.frozen
    before, after = (read_settings(task.baseline["train.py"]) for task in (small, large))
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"DEPTH", "WIDTH", "HEADS", "BATCH", "NORM_PLACE"}
    alike = write_settings(large.baseline["train.py"], {name: before[name] for name in changed})
    assert alike == small.baseline["train.py"]


def test_every_model_of_the_task_for_gpus_can_be_built_and_handed_over() -> None:
    """Heads divide the width, also where positions turn pairs; weights fit the harness's pipe."""
    knobs = {knob.name: knob for knob in load_task("tinypy-gpu").task.knobs}
    widths = [int(width) for width in knobs["WIDTH"].choices]
    assert not [w for w in widths for h in knobs["HEADS"].choices if w % (2 * int(h))]
    width, depth = max(widths), max(map(int, knobs["DEPTH"].choices))
    ratio = max(map(float, knobs["MLP_RATIO"].choices))
    assert 4 * depth * width * width * (5 + 2 * ratio) < Limits(1, 1).result_bytes


def test_the_task_for_gpus_trains_on_a_processor_too() -> None:
    """A few steps, with a budget of moments."""
    small_steps = write_settings(load_task("tinypy-gpu").task.baseline["train.py"], {"BATCH": 1})
    module = types.ModuleType("train")
    exec(compile(small_steps, "train.py", "exec"), module.__dict__)
    text, losses = b"for each in range(3):\n    print(each)\n" * 4, list[float]()

    def read(count: int) -> bytes:
        return text[:count]

    def report(tokens: int, loss: float) -> None:
        losses.append(loss)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        module.train(read, 3 * 128, 0, report)
    finally:
        torch.set_num_threads(threads)
    assert len(losses) == 3
    assert losses[0] == pytest.approx(math.log(256), abs=0.7)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", ["tinypy", "tinypy-gpu"])
def test_every_setting_is_a_knob_and_every_family_has_one(name: str) -> None:
    task = load_task(name).task
    settings = read_settings(task.baseline["train.py"])
    assert {knob.name for knob in task.knobs} == set(settings)
    families = "learning_rate schedule batch optimizer init norm activation position attention"
    assert {knob.family for knob in task.knobs} >= {*families.split(), "width_depth", "simplify"}


def test_every_source_names_a_work_one_can_open() -> None:
    for knob in load_task("tinypy").task.knobs:
        for choice, source in knob.sources.items():
            assert "https://" in source or source.startswith(("No ", "The last")), (knob, choice)


def test_train_py_imports_torch_and_the_standard_library_only() -> None:
    source = load_task("tinypy").task.baseline["train.py"]
    lines = source.decode().splitlines()
    assert len(lines) <= 500
    program = ast.parse(source)
    library = [node for node in program.body if not isinstance(node, ast.If)]
    imports = {
        name.split(".")[0]
        for node in library
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imports == {"__future__", "math", "collections", "typing", "torch"}


def test_a_folder_or_its_toml_give_the_same_task(folder: Path) -> None:
    by_folder, by_file = load_task(folder), load_task(folder / "task.toml")
    assert by_folder.task == by_file.task
    assert by_folder.folder == folder.resolve()
    assert [path.read_text() for path in by_folder.frozen_paths] == ["1 2 3"]
    assert by_folder.program == ""


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(TaskError, match="quick, tinypy"):
        load_task("nowhere")


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "main.py").unlink()
    with pytest.raises(TaskError, match=r"main\.py: cannot be read"):
        load_task(folder)


def test_a_large_file_is_named(folder: Path) -> None:
    (folder / "main.py").write_bytes(b"#" * 70_000)
    with pytest.raises(TaskError, match=r"main\.py: more than 65536 bytes"):
        load_task(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    (folder / "main.py").unlink()
    (folder / "main.py").symlink_to("/etc/hostname")
    with pytest.raises(TaskError, match="leads out"):
        load_task(folder)


def test_a_broken_toml_names_its_file_and_line(folder: Path) -> None:
    (folder / "task.toml").write_text("name = \n")
    with pytest.raises(TaskError, match=r"task\.toml: not valid TOML.*line 1"):
        load_task(folder)

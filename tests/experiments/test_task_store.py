"""A task of a peer lies in a folder of its own, whole, and can be loaded from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.task_folder import load_task, package_task
from experiments.task_store import store_task
from swarm.task import TaskError
from swarm.task_package import read_package

TASK = load_task("quick").task


def test_what_is_stored_is_the_task(tmp_path: Path) -> None:
    package = read_package(package_task("quick", TASK.id), TASK.id)
    folder = store_task(package, tmp_path)
    assert folder == tmp_path / TASK.id
    assert load_task(folder).task == TASK
    named = {"task.toml", *TASK.editable, *TASK.frozen}
    assert {path.name for path in folder.iterdir()} == named
    (folder / "prepare.py").write_text("changed")
    assert load_task(store_task(package, tmp_path)).task == TASK
    assert list(tmp_path.iterdir()) == [folder]


def test_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    package = read_package(package_task("quick", TASK.id), TASK.id)
    (tmp_path / "file").write_text("")
    with pytest.raises(TaskError, match="cannot be written"):
        store_task(package, tmp_path / "file")

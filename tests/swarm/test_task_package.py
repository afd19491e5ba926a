"""A package is the task it promises, beside its own task.toml, or it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.task_folder import BUILT_IN, built_in_tasks, load_task, package_task
from swarm.canonical import pack
from swarm.cid import cid_of
from swarm.task import parse_task
from swarm.task_package import PackageError, pack_task, read_package

TOML = b"""
name = "tiny"
title = "Bring x to zero"
root = "../elsewhere"
harness = "command"
editable = ["src/train.py"]
frozen = ["data.csv"]
steps = ["python src/train.py"]
min_effect = 0.1
sigma = 0.1
[metric]
name = "loss"
direction = "minimize"
unit = "points"
[budget]
seconds = 5
"""
FILES = {"src/train.py": b"print('loss: 1')\n", "data.csv": b"1,2\n"}
TASK = parse_task(TOML, FILES)
BESIDE = TOML.replace(b'root = "../elsewhere"\n', b"")


def test_a_task_arrives_as_it_was_wherever_its_files_were() -> None:
    package = read_package(pack_task(TOML, FILES, TASK.id), TASK.id)
    assert package.task == TASK
    assert package.files == FILES
    assert b"elsewhere" not in package.toml


@pytest.mark.parametrize("name", built_in_tasks())
def test_the_tasks_that_ship_can_be_sent(name: str) -> None:
    task = load_task(name).task
    package = read_package(package_task(name, task.id), task.id)
    assert package.task == task
    assert package.files["prepare.py"] == (BUILT_IN.parent / "prepare.py").read_bytes()


WRONG: list[tuple[bytes, str]] = [
    (pack({"toml": BESIDE, "files": FILES | {"data.csv": b"3,4\n"}}), "another task"),
    (pack({"toml": TOML, "files": FILES}), "elsewhere than beside"),
    (pack({"toml": BESIDE, "files": FILES | {"more.py": b""}}), "elsewhere than beside"),
    (pack({"toml": BESIDE, "files": {"data.csv": b""}}), "train.py is missing"),
    (pack({"toml": BESIDE, "files": FILES, "more": 1}), "no task.toml"),
    (pack({"toml": "text", "files": FILES}), "no task.toml"),
    (pack({"toml": BESIDE, "files": None}), "no files"),
    (pack({"toml": BESIDE, "files": {"data.csv": "text"}}), "not bytes"),
    (pack({"toml": b"name =", "files": FILES}), "not valid TOML"),
    (pack([]), "no task.toml"),
    (b"", "is no task"),
    (b"\xc1", "is no task"),
    (bytes(10 << 20), "is no task"),
    (pack({"toml": BESIDE.replace(b"data.csv", b"../x.csv"), "files": FILES}), "inside the task"),
]


@pytest.mark.parametrize(("data", "said"), WRONG)
def test_what_is_no_such_task_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(PackageError, match=said):
        read_package(data, TASK.id)


def test_a_file_cannot_take_the_place_of_the_task_toml() -> None:
    toml = BESIDE.replace(b'"data.csv"', b'"task.toml"')
    files = {"src/train.py": b"x", "task.toml": b"other"}
    with pytest.raises(PackageError, match="elsewhere than beside"):
        read_package(pack({"toml": toml, "files": files}), parse_task(toml, files).id)


def test_a_task_that_changed_is_not_sent() -> None:
    with pytest.raises(PackageError, match="another task"):
        pack_task(TOML, FILES, cid_of(b"as it was"))


@given(st.binary(max_size=400))
def test_any_bytes_are_refused_in_a_sentence(data: bytes) -> None:
    with pytest.raises(PackageError):
        read_package(data, TASK.id)

"""
A whole task as one byte string: its task.toml and every file that it names.

Law: who reads a package knows the task's id beforehand and accepts nothing else.
The id covers all that is run or measured; what it does not cover (titles, sources)
only explains. Files lie beside the task.toml, whatever `root` said where they come
from, so that a package can name no place outside its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from swarm.canonical import CanonicalError, pack, unpack
from swarm.records import TaskId
from swarm.task import (
    MAX_EDITABLE_BYTES,
    MAX_FROZEN_BYTES,
    Task,
    TaskError,
    declared_files,
    parse_task,
)

MAX_TOML_BYTES = 256 << 10
MAX_PACKAGE_BYTES = MAX_FROZEN_BYTES + MAX_EDITABLE_BYTES + MAX_TOML_BYTES + (64 << 10)
_ROOT = re.compile(rb"^root[ \t]*=[^\n]*\n?", re.MULTILINE)
_MANIFEST = "task.toml"


class PackageError(ValueError):
    """A package cannot be made or used; the message says why."""


@dataclass(frozen=True, slots=True)
class TaskPackage:
    """A task with the bytes it was read from; `files` are relative to `toml`'s folder."""

    task: Task
    toml: bytes
    files: Mapping[str, bytes]


def pack_task(toml: bytes, files: Mapping[str, bytes], task_id: TaskId) -> bytes:
    """
    The package of a task.

    Args:
        toml: Its task.toml.
        files: Content of every file it names.
        task_id: The id that these must give.

    Raises:
        PackageError: They give another, or the task.toml cannot stand beside its files.
    """
    package = pack({"toml": _ROOT.sub(b"", toml, count=1), "files": files})
    read_package(package, task_id)
    return package


def read_package(data: bytes, task_id: TaskId) -> TaskPackage:
    """
    The task in a package.

    Args:
        data: Untrusted bytes.
        task_id: The id of the task it must hold.

    Raises:
        PackageError: It holds no task, or another.
    """
    try:
        found = unpack(data, max_bytes=MAX_PACKAGE_BYTES)
    except CanonicalError as error:
        raise PackageError(f"what was sent is no task: {error}") from error
    said = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    toml, files = said.get("toml"), said.get("files")
    if said.keys() != {"toml", "files"} or not isinstance(toml, bytes):
        raise PackageError("what was sent is no task: it has no task.toml")
    contents = _contents(files)
    try:
        declared = declared_files(toml)
        task = parse_task(toml, contents)
    except TaskError as error:
        raise PackageError(f"what was sent is no task: {error}") from error
    named = {*declared.editable, *declared.frozen}
    if declared.root != "." or contents.keys() != named or _MANIFEST in named:
        raise PackageError("what was sent has files elsewhere than beside its task.toml")
    if task.id != task_id:
        raise PackageError(f"what was sent is another task, {task.id}, and not {task_id}")
    return TaskPackage(task, toml, contents)


def _contents(files: object) -> dict[str, bytes]:
    if not isinstance(files, dict):
        raise PackageError("what was sent is no task: it has no files")
    contents = cast("dict[str, object]", files)
    if not all(isinstance(content, bytes) for content in contents.values()):
        raise PackageError("what was sent is no task: a file is not bytes")
    return cast("dict[str, bytes]", contents)

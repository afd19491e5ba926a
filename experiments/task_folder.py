"""
Tasks on disk: the built-in ones by name, anyone's by folder.

Law: reads, never writes. A file that is missing, unreadable, too large or
outside the task's folder is a `TaskError` that names it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from swarm.records import TaskId
from swarm.task import (
    MAX_EDITABLE_BYTES,
    MAX_FROZEN_BYTES,
    Task,
    TaskError,
    declared_files,
    parse_task,
)
from swarm.task_package import MAX_TOML_BYTES, PackageError, pack_task

BUILT_IN = Path(__file__).parent.parent / "baseline_train" / "tasks"


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """
    A task and where its files are.

    Attributes:
        task: The checked task.
        folder: What editable and frozen paths are relative to.
        source: The name or path it was loaded by.
    """

    task: Task
    folder: Path
    source: str

    @property
    def frozen_paths(self) -> tuple[Path, ...]:
        """Where the frozen files are."""
        return tuple(self.folder / path for path in self.task.frozen)

    @property
    def program(self) -> str:
        """The human's words to proposers, from `program.md`; "" if there is none."""
        path = self.folder / "program.md"
        return _read(path, MAX_EDITABLE_BYTES).decode(errors="replace") if path.exists() else ""


def built_in_tasks() -> tuple[str, ...]:
    """Names that `load_task` knows."""
    return tuple(sorted(path.stem for path in BUILT_IN.glob("*.toml")))


def lasting_source(path_or_name: str) -> str:
    """The same task, said so that it is found from any folder; the task need not exist."""
    if path_or_name in built_in_tasks():
        return path_or_name
    return str(Path(path_or_name).expanduser().resolve())


def load_task(path_or_name: str | Path) -> LoadedTask:
    """
    A task by built-in name, by folder with a `task.toml`, or by a `.toml` file.

    A name wins over a folder of the same name; write `./name` for the folder.

    Raises:
        TaskError: Nothing is there, or what is there is not a task; names the
            file or key at fault.
    """
    manifest = _manifest(path_or_name)
    text = _read(manifest, MAX_TOML_BYTES)
    try:
        folder, files = _files(manifest, text)
        return LoadedTask(parse_task(text, files), folder, str(path_or_name))
    except TaskError as error:
        raise TaskError(str(manifest), str(error)) from error


def package_task(path_or_name: str | Path, task_id: TaskId) -> bytes:
    """
    A task of this machine as one byte string, for a peer who lacks it.

    Raises:
        TaskError: As `load_task`, or it is not the task of this id any more.
    """
    manifest = _manifest(path_or_name)
    text = _read(manifest, MAX_TOML_BYTES)
    try:
        return pack_task(text, _files(manifest, text)[1], task_id)
    except PackageError as error:
        raise TaskError(str(manifest), str(error)) from error


def _files(manifest: Path, text: bytes) -> tuple[Path, dict[str, bytes]]:
    """What the paths in a task.toml are relative to, and the content of each."""
    declared = declared_files(text)
    folder = (manifest.parent / declared.root).resolve()
    limits = dict.fromkeys(declared.frozen, MAX_FROZEN_BYTES)
    limits |= dict.fromkeys(declared.editable, MAX_EDITABLE_BYTES)
    return folder, {path: _read(_inside(folder, path), most) for path, most in limits.items()}


def _manifest(path_or_name: str | Path) -> Path:
    if str(path_or_name) in built_in_tasks():
        return BUILT_IN / f"{path_or_name}.toml"
    path = Path(path_or_name).expanduser()
    manifest = path / "task.toml" if path.is_dir() else path
    if not manifest.is_file():
        names = ", ".join(built_in_tasks())
        raise TaskError(str(path_or_name), f"no task here; give {names} or a folder with task.toml")
    return manifest


def _inside(folder: Path, path: str) -> Path:
    """The file, if following links does not lead out of the folder."""
    file = (folder / path).resolve()
    if not file.is_relative_to(folder):
        raise TaskError(path, "is a link that leads out of the task's folder")
    return file


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise TaskError(str(path), f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise TaskError(str(path), f"more than {most} bytes")
    return content

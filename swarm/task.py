"""
What a swarm works on: the files that may change, the metric, the budget.

Law: everything that makes two results comparable is in the task's id (settings,
frozen files, baseline, corpus hashes); titles, families and literature sources,
which only explain, are not. Two peers with the same id measure the same thing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal, cast

from swarm.canonical import pack
from swarm.cid import cid_of
from swarm.knob import Knob, read_knobs
from swarm.settings_block import Scalar, SettingsBlockError, read_settings, write_settings
from swarm.toml_table import Table, TableError
from swarm.tree import Tree

MANIFEST_VERSION = 1
MAX_EDITABLE_BYTES = 64 << 10
MAX_FROZEN_BYTES = 4 << 20
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_METRIC = re.compile(r"[A-Za-z][A-Za-z0-9_./-]{0,39}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TaskError(ValueError):
    """
    A task that cannot be used.

    Attributes:
        key: The key of task.toml, or the file, at fault.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured. `goal` is where people would like it, in `unit`; it changes nothing."""

    name: str
    direction: Literal["minimize", "maximize"]
    unit: str
    goal: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """
    What one run may spend.

    Attributes:
        tokens: Training tokens streamed to a run; None for a command task.
        compute_cap: CPU seconds allowed, as a multiple of the baseline's on this node.
        seconds: Wall seconds allowed to a command; None where tokens bound the run.
    """

    tokens: int | None
    compute_cap: float
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """
    A research task, complete and checked.

    Attributes:
        id: CIDv1 of the canonical manifest.
        harness: "stream" feeds `train.py` tokens and evaluates it in another
            process; "command" runs `steps` and reads the printed metric.
        editable, frozen: Relative posix paths, sorted.
        steps: Commands, in order; empty for "stream".
        context: Bytes a model sees before the one it predicts; 0 for "command".
        eval_bytes: Validation bytes scored per run; 0 for "command".
        seeds: Runs use seeds 0 … seeds − 1.
        min_effect, sigma: In the metric's unit: the smallest difference worth
            keeping, and the standard deviation of paired differences.
        alpha: Chance that a change without effect is kept.
        baseline: Content of the editable files before anyone changed them.
        corpus: sha256 of each data split, by name.
        accelerator: Whether a run is too long for a processor; says nothing of results.
    """

    id: str
    name: str
    title: str
    harness: Literal["stream", "command"]
    editable: tuple[str, ...]
    frozen: tuple[str, ...]
    knobs: tuple[Knob, ...]
    steps: tuple[str, ...]
    metric: Metric
    budget: Budget
    context: int
    eval_bytes: int
    seeds: int
    min_effect: float
    sigma: float
    alpha: float
    baseline: Tree
    corpus: Mapping[str, str]
    accelerator: bool = False

    @property
    def topic(self) -> str:
        """The public topic on which peers talk about this task."""
        return f"/research-swarm/1/{self.id}"


@dataclass(frozen=True, slots=True)
class DeclaredFiles:
    """The files a task.toml names: `editable` and `frozen`, relative to `root`."""

    root: str
    editable: tuple[str, ...]
    frozen: tuple[str, ...]


def declared_files(text: bytes) -> DeclaredFiles:
    """Which files to read before `parse_task`; raises TaskError naming the key."""
    try:
        return _declared(Table.parse(text))
    except TableError as error:
        raise TaskError(error.key, error.problem) from error


def parse_task(text: bytes, files: Mapping[str, bytes]) -> Task:
    """
    A task from its task.toml and the files it names.

    Args:
        text: The content of task.toml.
        files: Content of every editable and frozen file, by its relative path.

    Raises:
        TaskError: Naming the key or the file at fault and what is expected.
    """
    try:
        return _task(Table.parse(text), files)
    except TableError as error:
        raise TaskError(error.key, error.problem) from error


def _task(table: Table, files: Mapping[str, bytes]) -> Task:
    declared = _declared(table)
    baseline = _contents(files, declared.editable, "editable", MAX_EDITABLE_BYTES)
    baseline = _with_settings(baseline, table.table("settings"))
    frozen = _contents(files, declared.frozen, "frozen", MAX_FROZEN_BYTES)
    harness = cast(
        'Literal["stream", "command"]', table.choice("harness", ("stream", "command"), "stream")
    )
    stream = harness == "stream"
    task = Task(
        id="",
        name=_matching(table, "name", _NAME, "a short lower-case name"),
        title=table.text("title", most=120),
        harness=harness,
        editable=declared.editable,
        frozen=declared.frozen,
        knobs=read_knobs(table.table("knobs"), baseline),
        steps=() if stream else table.texts("steps"),
        metric=_metric(table.table("metric")),
        budget=_budget(table.table("budget"), stream),
        context=table.integer("context", 1, 1 << 16) if stream else 0,
        eval_bytes=table.integer("eval_bytes", 1, 1 << 30) if stream else 0,
        seeds=table.integer("seeds", 64, (1 << 31) - 1, 1_000_000),
        min_effect=table.number("min_effect", 1e-9, 1e9),
        sigma=table.number("sigma", 1e-9, 1e9),
        alpha=table.number("alpha", 1e-6, 0.2, 0.01),
        baseline=baseline,
        corpus=_corpus(table.table("corpus")),
        accelerator=table.flag("accelerator", False),
    )
    table.done()
    if not stream and not task.steps:
        raise TaskError("steps", "a command task needs at least one command")
    return _with_id(task, frozen)


def _declared(table: Table) -> DeclaredFiles:
    files = DeclaredFiles(
        root=table.text("root", "."),
        editable=_paths(table, "editable"),
        frozen=_paths(table, "frozen", []),
    )
    if not files.editable:
        raise TaskError("editable", "expected at least one file")
    if twice := set(files.editable) & set(files.frozen):
        raise TaskError("frozen", f"{min(twice)} is editable too")
    return files


def _paths(table: Table, name: str, default: list[object] | None = None) -> tuple[str, ...]:
    paths = table.texts(name, default)
    for path in paths:
        parts = PurePosixPath(path)
        plain = path.isascii() and path.isprintable() and "\\" not in path and len(path) <= 200
        if not plain or parts.is_absolute() or ".." in parts.parts or str(parts) != path:
            raise TaskError(name, f"{path!r} is not a plain relative path inside the task")
    return tuple(sorted(paths))


def _contents(
    files: Mapping[str, bytes], paths: tuple[str, ...], key: str, most: int
) -> dict[str, bytes]:
    missing = [path for path in paths if path not in files]
    if missing:
        raise TaskError(key, f"the file {missing[0]} is missing")
    contents = {path: files[path] for path in paths}
    if (size := sum(map(len, contents.values()))) > most:
        raise TaskError(key, f"{size} bytes in all, at most {most} are allowed")
    return contents


def _with_settings(files: dict[str, bytes], table: Table) -> dict[str, bytes]:
    """The editable files with the settings of the table `[settings]` in place of their own."""
    for name in table.names():
        value = table.scalar(name)
        holders = [path for path in files if name in _settings_of(files[path])]
        if len(holders) != 1:
            raise TaskError(table.key(name), "expected a setting of one editable file")
        try:
            files[holders[0]] = write_settings(files[holders[0]], {name: value})
        except SettingsBlockError as error:
            raise TaskError(table.key(name), str(error)) from error
    return files


def _settings_of(source: bytes) -> Mapping[str, Scalar]:
    try:
        return read_settings(source)
    except SettingsBlockError:
        return {}


def _matching(table: Table, name: str, pattern: re.Pattern[str], wanted: str) -> str:
    value = table.text(name)
    if not pattern.fullmatch(value):
        raise TaskError(table.key(name), f"is {value!r}, expected {wanted}")
    return value


def _metric(table: Table) -> Metric:
    metric = Metric(
        name=_matching(table, "name", _METRIC, "a name such as val_bpb"),
        direction=cast(
            'Literal["minimize", "maximize"]', table.choice("direction", ("minimize", "maximize"))
        ),
        unit=table.text("unit", most=40),
        goal=table.number("goal", -1e12, 1e12) if "goal" in table else None,
    )
    table.done()
    return metric


def _budget(table: Table, stream: bool) -> Budget:
    budget = Budget(
        tokens=table.integer("tokens", 1, 1 << 44) if stream else None,
        compute_cap=table.number("compute_cap", 1.1, 100.0, 3.0),
        seconds=None if stream else table.integer("seconds", 1, 7 * 86_400),
    )
    table.done()
    return budget


def _corpus(table: Table) -> dict[str, str]:
    names = table.names()
    return {name: _matching(table, name, _SHA256, "a sha256 in hex") for name in names}


def _with_id(task: Task, frozen: Mapping[str, bytes]) -> Task:
    return replace(task, id=cid_of(pack(_manifest(task, frozen))))


def _manifest(task: Task, frozen: Mapping[str, bytes]) -> dict[str, object]:
    """Everything that makes two results comparable, ready to pack."""
    explained = {"id", "title", "editable", "knobs", "metric", "budget", "baseline", "accelerator"}
    manifest: dict[str, object] = {
        name: getattr(task, name) for name in Task.__slots__ if name not in explained
    }
    manifest |= {
        "version": MANIFEST_VERSION,
        "frozen": _digests(frozen),
        "baseline": _digests(task.baseline),
        "knobs": [[k.name, k.kind, k.choices, k.low, k.high, k.log] for k in task.knobs],
        "metric": [task.metric.name, task.metric.direction, task.metric.unit],
        "budget": [task.budget.tokens, task.budget.compute_cap, task.budget.seconds],
    }
    return manifest


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}

"""
Results of runs, so that none is ever run twice on one machine.

A base run serves every experiment on that base, and an experiment that was
interrupted takes up where it was. A result is known by tree, seed, task,
environment and exams, and serves whoever asks for no more splice probes than it
had; only those runs that would end the same way again are kept, and of them the
last 20,000.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments.orders import answer_from_line, answer_line
from experiments.run import PROBE_SHARE, VALIDATION, Exam, RunResult, RunStatus

KEPT_RUNS = 20_000
_VERSION = 2
_SCHEMA = """
CREATE TABLE runs (
    tree TEXT NOT NULL, seed INTEGER NOT NULL, task TEXT NOT NULL, environment TEXT NOT NULL,
    exams TEXT NOT NULL, probe REAL NOT NULL, result BLOB NOT NULL,
    UNIQUE (tree, seed, task, environment, exams)
) STRICT
"""
_REPEATABLE = (RunStatus.COMPLETED, RunStatus.CRASHED, RunStatus.DIVERGED)


@dataclass(frozen=True, slots=True)
class RunKey:
    """
    What makes two runs the same.

    Attributes:
        tree: Hash of the editable files.
        seed: The run's seed.
        task: Id of the task.
        environment: Whatever else changes a result: torch's version, the processor, the sandbox.
        exams: What its weights were scored on.
        probe: Share of the windows that were asked again, or are to be at least.
    """

    tree: str
    seed: int
    task: str
    environment: str
    exams: tuple[Exam, ...] = (VALIDATION,)
    probe: float = PROBE_SHARE

    @property
    def columns(self) -> tuple[str, int, str, str, str]:
        """What must be equal, as the table's columns hold it."""
        return (self.tree, self.seed, self.task, self.environment, _exams_text(self.exams))


class RunCacheError(Exception):
    """The cache cannot be used; says which file and what to do."""


class RunCache:
    """
    A table of results in a SQLite file.

    Args:
        path: The file, made if it is not there.

    Raises:
        RunCacheError: It is damaged, not writable or from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._migrate()
        except sqlite3.Error as error:
            raise RunCacheError(f"{path}: {error}; remove the file to start afresh") from error

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise RunCacheError(f"{self._path}: written by a newer version; upgrade or remove it")
        if version < _VERSION:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DROP TABLE IF EXISTS runs")
            self._db.execute(_SCHEMA)
            self._db.execute(f"PRAGMA user_version = {_VERSION}")
            self._db.execute("COMMIT")

    def get(self, key: RunKey) -> RunResult | None:
        """The result of this run, if it has been run here."""
        row = self._db.execute(
            "SELECT result FROM runs WHERE tree = ? AND seed = ? AND task = ? AND environment = ?"
            " AND exams = ? AND probe >= ?",
            (*key.columns, key.probe),
        ).fetchone()
        answer = answer_from_line(row[0]) if row is not None else None
        return answer if isinstance(answer, RunResult) else None

    def put(self, key: RunKey, result: RunResult) -> None:
        """
        Remember a result that would come out the same again; others are passed over.

        Raises:
            RunCacheError: The disk is full or not writable.
        """
        if result.status not in _REPEATABLE:
            return
        try:
            self._db.execute(
                "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*key.columns, key.probe, answer_line(result)),
            )
            self._db.execute(
                "DELETE FROM runs WHERE rowid <= (SELECT max(rowid) FROM runs) - ?", (KEPT_RUNS,)
            )
        except sqlite3.Error as error:
            raise RunCacheError(f"{self._path}: {error}; free some disk space") from error

    def typical_cpu_seconds(self, tree: str, task: str, environment: str) -> float | None:
        """Median processor time of a tree's completed everyday runs here; None without any."""
        rows = self._db.execute(
            "SELECT seed, result FROM runs"
            " WHERE tree = ? AND task = ? AND environment = ? AND exams = ?",
            (tree, task, environment, _exams_text((VALIDATION,))),
        ).fetchall()
        times = sorted(run.cpu_milliseconds for _, run in _completed(rows))
        return times[len(times) // 2] / 1000 if times else None

    def seed_with_same_weights(self, key: RunKey, result: RunResult) -> int | None:
        """The seed of another run of this tree with these very weights or answers, if any is."""
        rows = self._db.execute(
            "SELECT seed, result FROM runs"
            " WHERE tree = ? AND seed != ? AND task = ? AND environment = ?",
            key.columns[:4],
        ).fetchall()
        for seed, run in _completed(rows):
            if run.weights_hash and (
                run.weights_hash == result.weights_hash or set(run.scores) & set(result.scores)
            ):
                return seed
        return None

    def close(self) -> None:
        """Close the file."""
        self._db.close()


def _exams_text(exams: tuple[Exam, ...]) -> str:
    return " ".join(f"{exam.split}:{exam.slice_seed}" for exam in exams)


def _completed(rows: list[tuple[int, bytes]]) -> Iterator[tuple[int, RunResult]]:
    """Seeds and results of the rows that hold a completed run."""
    for seed, line in rows:
        answer = answer_from_line(line)
        if isinstance(answer, RunResult) and answer.status is RunStatus.COMPLETED:
            yield seed, answer

"""
Results of runs, so that none is ever run twice on one machine.

A base run serves every experiment on that base, and an experiment that was
interrupted takes up where it was. A result is known by tree, seed, task,
environment and exams, and serves whoever asks for no more splice probes than it
had; only those runs that would end the same way again are kept, and of them the
last 20,000.

Law: the cache may be lost at any time and costs only time. A file that is damaged
is moved aside and a new one begun; a row that cannot be read is a run not made.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        RunCacheError: It is not writable or from a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise RunCacheError(f"{path}: {error}; remove the file to start afresh") from error
            self._start_afresh()

    def _open(self) -> None:
        self._db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._migrate()

    def _start_afresh(self) -> None:
        """Move the file aside, over one that was moved before, and begin a new one."""
        self._db.close()
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.replace(self._path.with_name(f"{self._path.name}.damaged{suffix}"))
        self._open()

    def _rows(self, query: str, values: tuple[object, ...]) -> list[Any]:
        """What a query finds; nothing where the file turns out to be damaged."""
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.DatabaseError as error:
            if not _damaged(error):
                raise RunCacheError(f"{self._path}: {error}; free some disk space") from error
            self._start_afresh()
            return []

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
        rows = self._rows(
            "SELECT result FROM runs WHERE tree = ? AND seed = ? AND task = ? AND environment = ?"
            " AND exams = ? AND probe >= ?",
            (*key.columns, key.probe),
        )
        return _result(rows[0][0]) if rows else None

    def put(self, key: RunKey, result: RunResult) -> None:
        """
        Remember a result that would come out the same again; others are passed over.

        Raises:
            RunCacheError: The disk is full or not writable.
        """
        if result.status not in _REPEATABLE:
            return
        self._rows(
            "INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key.columns, key.probe, answer_line(result)),
        )
        self._rows(
            "DELETE FROM runs WHERE rowid <= (SELECT max(rowid) FROM runs) - ?", (KEPT_RUNS,)
        )

    def typical_cpu_seconds(self, tree: str, task: str, environment: str) -> float | None:
        """Median processor time of a tree's completed everyday runs here; None without any."""
        rows = self._rows(
            "SELECT seed, result FROM runs"
            " WHERE tree = ? AND task = ? AND environment = ? AND exams = ?",
            (tree, task, environment, _exams_text((VALIDATION,))),
        )
        times = sorted(run.cpu_milliseconds for _, run in _completed(rows))
        return times[len(times) // 2] / 1000 if times else None

    def seed_with_same_weights(self, key: RunKey, result: RunResult) -> int | None:
        """The seed of another run of this tree with these very weights or answers, if any is."""
        rows = self._rows(
            "SELECT seed, result FROM runs"
            " WHERE tree = ? AND seed != ? AND task = ? AND environment = ?",
            key.columns[:4],
        )
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
        result = _result(line)
        if result is not None and result.status is RunStatus.COMPLETED:
            yield seed, result


def _result(line: bytes) -> RunResult | None:
    """The result a row holds, or None where it cannot be read."""
    try:
        answer = answer_from_line(line)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return answer if isinstance(answer, RunResult) else None


def _damaged(error: sqlite3.DatabaseError) -> bool:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

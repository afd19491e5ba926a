"""
What this node has tried, kept for as long as the node lives.

Law: an experiment that was decided is never decided twice. Only this node's own
trials are here; what peers say they tried is in the journal. The file is read
once, at the start; a row that cannot be read costs that one experiment, which
may then be tried again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, cast

from swarm.canonical import CanonicalError, pack, unpack
from swarm.records import PROMISING, Pair, Trial

_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    number INTEGER PRIMARY KEY,
    task TEXT NOT NULL,
    base_tree TEXT NOT NULL,
    tree TEXT NOT NULL,
    trial BLOB NOT NULL,
    published INTEGER NOT NULL DEFAULT 0,
    UNIQUE (task, base_tree, tree)
) STRICT;
"""
_MAX_TRIAL_BYTES = 1 << 20
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


class HistoryError(Exception):
    """The history cannot be used; the message names the file and the fix."""


class Past(Protocol):
    """A node's finished experiments, to be looked at."""

    def all(self) -> list[Trial]:
        """Every trial, oldest first."""
        ...


class History:
    """
    The finished experiments of this node on one task, in memory and in a file.

    Used from one thread. A write is one transaction of microseconds to a few
    milliseconds.

    Raises:
        HistoryError: The file is damaged, not writable, or from a newer version.
    """

    def __init__(self, path: Path, task: str) -> None:
        self._path = path
        self._task = task
        self._trials: dict[tuple[str, str], Trial] = {}
        self._unpublished: dict[tuple[str, str], Trial] = {}
        with self._explained():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._migrate()
            self._load()

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def add(self, trial: Trial) -> None:
        """
        Remember a finished experiment; the same base and tree is kept once, as it ended.

        What was promising may be proven later and is then replaced.

        Raises:
            HistoryError: The disk is full or not writable.
        """
        known = self._trials.get(_key(trial))
        if known is not None and known.outcome != PROMISING:
            return
        with self._explained():
            self._db.execute(
                "INSERT OR REPLACE INTO trials (task, base_tree, tree, trial) VALUES (?, ?, ?, ?)",
                (self._task, trial.base_tree, trial.tree, _to_bytes(trial)),
            )
        self._trials[_key(trial)] = self._unpublished[_key(trial)] = trial

    def count(self) -> int:
        """How many experiments this node has finished."""
        return len(self._trials)

    def all(self) -> list[Trial]:
        """Every trial, oldest first."""
        return list(self._trials.values())

    def unpublished(self, limit: int) -> list[Trial]:
        """The oldest trials that peers have not been told of, at most `limit`."""
        return list(islice(self._unpublished.values(), limit))

    def mark_published(self, trials: Iterable[Trial]) -> None:
        """
        Remember that peers have been told of these trials: of all, or of none.

        Raises:
            HistoryError: The disk is full or not writable.
        """
        keys = [_key(trial) for trial in trials]
        with self._explained(), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "UPDATE trials SET published = 1 WHERE task = ? AND base_tree = ? AND tree = ?",
                [(self._task, *key) for key in keys],
            )
        for key in keys:
            self._unpublished.pop(key, None)

    def _migrate(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise HistoryError(
                f"{self._path} has version {version}, this program reads up to {_VERSION}: "
                "update it with `pip install --upgrade research-swarm`"
            )
        self._db.execute(_SCHEMA)
        self._db.execute(f"PRAGMA user_version = {_VERSION}")

    def _load(self) -> None:
        rows = self._db.execute(
            "SELECT trial, published FROM trials WHERE task = ? ORDER BY number", (self._task,)
        )
        for data, published in rows:
            try:
                trial = _from_bytes(data)
            except (CanonicalError, TypeError, KeyError):
                continue
            self._trials[_key(trial)] = trial
            if not published:
                self._unpublished[_key(trial)] = trial

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            fix = (
                "free some disk space and start again"
                if code in _FULL
                else f"move it and {self._path.name}-wal away to go on without them"
            )
            raise HistoryError(
                f"the history of experiments {self._path} cannot be used ({error}): {fix}"
            ) from error


def read_trials(path: Path, task: str) -> list[Trial]:
    """
    Every trial of a history, oldest first, also while its node runs; none where there is no file.

    Raises:
        HistoryError: The file cannot be read.
    """
    if not path.exists():
        return []
    query = "SELECT trial FROM trials WHERE task = ? ORDER BY number"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(query, (task,)).fetchall()
    except sqlite3.Error as error:
        raise HistoryError(
            f"the history of experiments {path} cannot be read ({error}): "
            f"move it and {path.name}-wal away to go on without them"
        ) from error
    found: list[Trial] = []
    for (data,) in rows:
        with suppress(CanonicalError, TypeError, KeyError):
            found.append(_from_bytes(data))
    return found


def _key(trial: Trial) -> tuple[str, str]:
    return trial.base_tree, trial.tree


def _to_bytes(trial: Trial) -> bytes:
    fields = {name: getattr(trial, name) for name in Trial.__slots__}
    return pack(fields)


def _from_bytes(data: bytes) -> Trial:
    fields = cast("dict[str, Any]", unpack(data, max_bytes=_MAX_TRIAL_BYTES))
    fields["pairs"] = tuple(Pair(*row) for row in fields["pairs"])
    return Trial(**fields)

"""
What this node has tried, kept for as long as the node lives.

Law: an experiment that was decided is never decided twice. Only this node's own
trials are here; what peers say they tried is in the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from swarm.canonical import pack, unpack
from swarm.records import Pair, Trial

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


class History:
    """
    The finished experiments of this node on one task.

    Used from one thread. Each call is one transaction of microseconds to a few
    milliseconds.
    """

    def __init__(self, path: Path, task: str) -> None:
        self._task = task
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(_SCHEMA)

    def close(self) -> None:
        self._db.close()

    def add(self, trial: Trial) -> None:
        """Remember a finished experiment; the same base and tree is kept once."""
        self._db.execute(
            "INSERT OR IGNORE INTO trials (task, base_tree, tree, trial) VALUES (?, ?, ?, ?)",
            (self._task, trial.base_tree, trial.tree, _to_bytes(trial)),
        )

    def count(self) -> int:
        """How many experiments this node has finished."""
        return self._db.execute(
            "SELECT count(*) FROM trials WHERE task = ?", (self._task,)
        ).fetchone()[0]

    def all(self) -> list[Trial]:
        """Every trial, oldest first."""
        return _trials(
            self._db.execute(
                "SELECT trial FROM trials WHERE task = ? ORDER BY number", (self._task,)
            )
        )

    def unpublished(self, limit: int) -> list[Trial]:
        """The oldest trials that peers have not been told of, at most `limit`."""
        return _trials(
            self._db.execute(
                "SELECT trial FROM trials WHERE task = ? AND NOT published ORDER BY number LIMIT ?",
                (self._task, limit),
            )
        )

    def mark_published(self, trials: Iterable[Trial]) -> None:
        """Remember that peers have been told of these trials."""
        self._db.executemany(
            "UPDATE trials SET published = 1 WHERE task = ? AND base_tree = ? AND tree = ?",
            [(self._task, trial.base_tree, trial.tree) for trial in trials],
        )


def _trials(rows: Iterable[tuple[bytes]]) -> list[Trial]:
    return [_from_bytes(data) for (data,) in rows]


def _to_bytes(trial: Trial) -> bytes:
    fields = {name: getattr(trial, name) for name in Trial.__slots__}
    return pack(fields)


def _from_bytes(data: bytes) -> Trial:
    fields = cast("dict[str, Any]", unpack(data, max_bytes=_MAX_TRIAL_BYTES))
    fields["pairs"] = tuple(Pair(*row) for row in fields["pairs"])
    return Trial(**fields)

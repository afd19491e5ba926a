"""
Get every readable record out of a damaged journal.

Law: the damaged file is only read, then moved aside, never deleted. A record
that comes out is as untrusted as one from the network: the caller judges it.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gossip.journal import Journal, Stored

_BATCH_ROWS = 500
_SMALLEST_RECORD_BYTES = 256
_SUFFIXES = ("", "-wal", "-shm")
_SELECT = "SELECT id, kind, author, created_at_ms, envelope FROM records WHERE row"


@dataclass(frozen=True, slots=True)
class Rescue:
    """What a rescue saved: records kept and refused, and where the old file went."""

    kept: int
    refused: int
    damaged: Path


def salvage(path: Path) -> Iterator[Stored]:
    """
    Every record that can still be read from the file at `path`, damaged or not.

    Reads in ranges, and row by row where a range is damaged. Ends early, without
    an error, where nothing more can be read.
    """
    with closing(_connect(path)) as connection:
        for first in range(1, _last_row(connection, path) + 1, _BATCH_ROWS):
            yield from _range(connection, first)


def rescue(path: Path, keep: Callable[[Stored], bool]) -> Rescue:
    """
    Replace a damaged journal by one of its readable records that `keep` accepts.

    The node's own small states are carried over where they can be read; views
    are not, since they can be rebuilt. No node may be running on this journal.

    Raises:
        JournalError: The new journal could not be written; the old one is untouched.
    """
    fresh = path.with_name(f"{path.name}.rescued")
    _remove(fresh)
    kept = refused = 0
    with Journal.open(fresh) as journal:
        batch: list[Stored] = []
        for item in salvage(path):
            if not keep(item):
                refused += 1
                continue
            batch.append(item)
            if len(batch) == _BATCH_ROWS:
                kept += sum(journal.append(batch))
                batch.clear()
        kept += sum(journal.append(batch))
        for key, data in _states(path):
            journal.set_state(key, data)
    aside = _free_name(path)
    _move(path, aside)
    _move(fresh, path)
    return Rescue(kept=kept, refused=refused, damaged=aside)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    # Lets SQLite read a file that is shorter than its header says.
    connection.execute("PRAGMA writable_schema = ON")
    return connection


def _last_row(connection: sqlite3.Connection, path: Path) -> int:
    try:
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'")
        return int((row.fetchone() or (0,))[0])
    except sqlite3.Error:
        return path.stat().st_size // _SMALLEST_RECORD_BYTES


def _range(connection: sqlite3.Connection, first: int) -> Iterator[Stored]:
    try:
        rows = connection.execute(
            f"{_SELECT} BETWEEN ? AND ?", (first, first + _BATCH_ROWS - 1)
        ).fetchall()
        yield from (Stored(*row) for row in rows if _whole(row))
    except sqlite3.Error:
        for row in range(first, first + _BATCH_ROWS):
            yield from _single(connection, row)


def _single(connection: sqlite3.Connection, row: int) -> Iterator[Stored]:
    try:
        found = connection.execute(f"{_SELECT} = ?", (row,)).fetchone()
    except sqlite3.Error:
        return
    if found is not None and _whole(found):
        yield Stored(*found)


def _whole(row: tuple[object, ...]) -> bool:
    return tuple(map(type, row)) == (str, str, str, int, bytes)


def _states(path: Path) -> list[tuple[str, bytes]]:
    with closing(_connect(path)) as connection:
        try:
            return connection.execute("SELECT key, data FROM states").fetchall()
        except sqlite3.Error:
            return []


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.damaged-{number}")).exists():
        number += 1
    return aside


def _move(source: Path, target: Path) -> None:
    for suffix in _SUFFIXES:
        part = source.with_name(source.name + suffix)
        if part.exists():
            part.replace(target.with_name(target.name + suffix))


def _remove(path: Path) -> None:
    for suffix in _SUFFIXES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)

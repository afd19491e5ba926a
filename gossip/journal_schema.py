"""
The journal's tables, and how a file gets from one version to the next.

Law: a file carries its version in `user_version`. A version is reached by its
own migration in one transaction, never skipped, and never left half done; a
version above ours is refused.

A new journal is built beside its place and renamed into it, so an empty or
half-made file under the final name always means damage.
"""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gossip.journal_faults import corrupt, missing, newer, older, translated

APPLICATION_ID = 0x5357_524D
"""Marks an SQLite file as one of ours ("SWRM")."""

MIGRATIONS: list[tuple[str, ...]] = [
    (
        # AUTOINCREMENT: a row number is never used twice, so "everything after
        # row n" stays true when records are dropped.
        """
        CREATE TABLE records (
            row INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            author TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            envelope BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX records_by_kind ON records (kind)",
        """
        CREATE TABLE views (
            name TEXT PRIMARY KEY,
            upto_row INTEGER NOT NULL,
            data BLOB NOT NULL
        ) STRICT
        """,
        "CREATE TABLE states (key TEXT PRIMARY KEY, data BLOB NOT NULL) STRICT",
    ),
]

_BUSY_SECONDS = 5.0
_CACHE_KIBIBYTES = 32_000
_WAL_LIMIT_BYTES = 64 * 1024 * 1024


def open_for_writing(path: Path) -> sqlite3.Connection:
    """
    Open the journal at `path`, making or migrating it when needed.

    Every commit is synced to disk (`synchronous = FULL`): a record that was
    acknowledged survives a killed process and a power cut.

    Raises:
        JournalError: As the subclass says; the file is left as it was.
    """
    if not path.exists():
        _create(path)
    check_not_empty(path)
    with translated(path):
        connection = _connect(path, "rw")
        try:
            _configure(connection)
            _check_identity(connection, path)
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """
    Open the journal at `path` beside a running node, or without one.

    Raises:
        JournalError: As the subclass says.
    """
    if not path.exists():
        raise missing(path)
    check_not_empty(path)
    with translated(path):
        try:
            return _open_reader(path, shared=True)
        except sqlite3.OperationalError as error:
            # A disk without room for the 32 KiB index that readers share.
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise
            return _open_reader(path, shared=False)


def check_not_empty(path: Path) -> None:
    """Refuse an empty file, which SQLite would take for a new database."""
    if path.stat().st_size == 0:
        raise corrupt(path, "the file is empty")


def _open_reader(path: Path, *, shared: bool) -> sqlite3.Connection:
    connection = _connect(path, "ro" if shared else "rw")
    try:
        if not shared:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA query_only = ON")
        _check_identity(connection, path)
        version = _version(connection)
        if version < len(MIGRATIONS):
            raise older(path, version, len(MIGRATIONS))
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    scratch = path.with_name(f"{path.name}.new")
    scratch.unlink(missing_ok=True)
    os.close(os.open(scratch, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDWR, 0o600))
    with translated(path):
        connection = _connect(scratch, "rw")
        try:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            _migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
    scratch.replace(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIBIBYTES}")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise corrupt(path, "it is not a journal of this program")
    found = _version(connection)
    if found > len(MIGRATIONS):
        raise newer(path, found, len(MIGRATIONS))
    connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _migrate(connection: sqlite3.Connection) -> None:
    for version in range(_version(connection), len(MIGRATIONS)):
        with transaction(connection):
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Generator[None]:
    """All of a block's writes, or none of them."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

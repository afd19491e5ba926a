"""
What can be wrong with a journal file, and what to do about it.

Law: no bare `sqlite3` error leaves the journal. Each becomes one sentence that
names the file and the fix.

Source of the codes: https://www.sqlite.org/rescode.html
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_PRIMARY_CODE = 0xFF
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_NO_ROOM = (
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_SHMSIZE,
    sqlite3.SQLITE_IOERR_TRUNCATE,
)


class JournalError(Exception):
    """The journal cannot do what was asked; the message names the file and the fix."""


class JournalMissing(JournalError):  # noqa: N818 - names the condition
    """There is no journal at this path yet."""


class JournalNewer(JournalError):  # noqa: N818 - names the condition
    """A newer version of this program wrote the journal."""


class JournalOlder(JournalError):  # noqa: N818 - names the condition
    """An older version wrote the journal, and it was opened for reading only."""


class JournalCorrupt(JournalError):  # noqa: N818 - names the condition
    """The file is truncated, damaged, or not a journal."""


class JournalFull(JournalError):  # noqa: N818 - names the condition
    """The disk has no room. What was written before stays readable."""


def missing(path: Path) -> JournalMissing:
    """The error for a journal that does not exist."""
    return JournalMissing(f"no journal at {path}: start a node with `swarm start`")


def corrupt(path: Path, what: str) -> JournalCorrupt:
    """The error for a damaged file; `what` says how it shows."""
    return JournalCorrupt(
        f"{path} is damaged ({what}): `swarm verify --rescue` keeps every readable record, "
        "and other peers send the rest again"
    )


def newer(path: Path, found: int, known: int) -> JournalNewer:
    """The error for a file with a version above the highest known."""
    return JournalNewer(
        f"{path} has journal version {found}, this program reads up to {known}: "
        "update it with `pip install --upgrade research-swarm`"
    )


def older(path: Path, found: int, known: int) -> JournalOlder:
    """The error for reading a file that only a writer may bring up to date."""
    return JournalOlder(
        f"{path} has journal version {found}, this program uses {known}: "
        "`swarm start` brings it up to date"
    )


def _full(path: Path, what: str) -> JournalFull:
    return JournalFull(
        f"no room to write {path} ({what}): free some disk space and start again; "
        "what was written stays readable"
    )


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Run a block of `sqlite3` calls so that only a `JournalError` can come out."""
    try:
        yield
    except sqlite3.Error as error:
        raise fault_of(path, error) from error


def fault_of(path: Path, error: sqlite3.Error) -> JournalError:
    """The `JournalError` that says what this `sqlite3` error means for `path`."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    primary = code & _PRIMARY_CODE
    if primary in _CORRUPT:
        return corrupt(path, str(error))
    if primary == sqlite3.SQLITE_FULL or code in _NO_ROOM:
        return _full(path, str(error))
    if primary == sqlite3.SQLITE_BUSY:
        return JournalError(f"{path} is in use by another writer: stop it, then try again")
    if primary in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return JournalError(
            f"{path} cannot be opened ({error}): check that its folder exists, "
            "is yours, and may be written"
        )
    return JournalError(f"{path} cannot be used ({error}): `swarm doctor` says more")

"""
What this node has accepted: every record, in the order it came.

Law: the journal is the only durable truth beside the identity key and the
settings. `append` returns after its records are on disk, and all of a call's
records are there or none. A view is a cache over rows 1..n and may be thrown
away at any time; a state is this node's own small memory.

One process writes (the home lock sees to that) and any number read at the same
time. A `Journal` serves one thread at a time: callers share it through
`trio.CapacityLimiter(1)`.
"""

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gossip.journal_faults import corrupt, translated
from gossip.journal_schema import open_for_reading, open_for_writing, transaction
from swarm.envelope import EnvelopeError, open_envelope
from swarm.records import Kind, Record, RecordError, decode

READ_BATCH = 1_000
"""Rows that `replay` holds in memory at once."""

_COLUMNS = "id, kind, author, created_at_ms, envelope"


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as the journal keeps it: the signed bytes, and what to find them by."""

    id: str
    kind: str
    author: str
    created_at_ms: int
    envelope: bytes


class Journal:
    """The records of one task, in one SQLite file. Use `Journal.open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, read_only: bool = False) -> Self:
        """
        Open the journal at `path`; a writer makes it when it is not there.

        Raises:
            JournalMissing: Nothing to read at `path`.
            JournalNewer: A newer program wrote it.
            JournalOlder: Opened for reading, but only a writer can migrate it.
            JournalCorrupt: Damaged, truncated, or something else.
            JournalFull: No room to make or migrate it.
        """
        return cls(path, open_for_reading(path) if read_only else open_for_writing(path))

    def close(self) -> None:
        """Fold the write-ahead log into the file and let go of both."""
        with translated(self.path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, items: Sequence[Stored]) -> list[bool]:
        """
        Write records durably, all or none; one call costs one disk sync.

        Returns:
            For each item, in order, whether it was new here.

        Raises:
            JournalFull: No room; nothing of this call was written.
        """
        with self._writing():
            return [self._insert(item) for item in items]

    def get(self, record_id: str) -> bytes | None:
        """The signed envelope of a record, or None when it is not here."""
        row = self._one("SELECT envelope FROM records WHERE id = ?", record_id)
        return None if row is None else row[0]

    def read(self, envelope: bytes) -> Record:
        """
        The record in an envelope that came out of this journal.

        Raises:
            JournalCorrupt: It is not what was put in, since only valid records are.
        """
        try:
            return decode(open_envelope(envelope)[1])
        except (EnvelopeError, RecordError) as error:
            raise corrupt(self.path, f"a record in it cannot be read: {error}") from error

    def get_many(self, record_ids: Iterable[str]) -> list[bytes]:
        """The envelopes of those records that are here, in the order asked."""
        found = (self.get(record_id) for record_id in record_ids)
        return [envelope for envelope in found if envelope is not None]

    def has(self, record_id: str) -> bool:
        """Whether the record is here."""
        return self._one("SELECT 1 FROM records WHERE id = ?", record_id) is not None

    def ids(self, kind: str) -> list[str]:
        """Ids of all records of a kind, oldest arrival first."""
        query = "SELECT id FROM records WHERE kind = ? ORDER BY row"
        return [row[0] for row in self._all(query, kind)]

    def listed(self, row: int = 0) -> list[tuple[str, Kind, str, int]]:
        """Id, kind, author and creation time (Unix ms) of what arrived after row number `row`."""
        query = "SELECT id, kind, author, created_at_ms FROM records WHERE row > ? ORDER BY row"
        return self._all(query, row)

    def size_bytes(self) -> int:
        """What the records and their index take of the disk."""
        row = self._one("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return 0 if row is None else int(row[0])

    def authors(self) -> set[str]:
        """Who has records here."""
        return {row[0] for row in self._all("SELECT DISTINCT author FROM records")}

    def ids_like(self, part: str, limit: int) -> list[str]:
        """At most `limit` ids that start or end with `part`, in alphabetical order."""
        query = (
            "SELECT id FROM records WHERE substr(id, 1, ?) = ? OR substr(id, ?) = ? "
            "ORDER BY id LIMIT ?"
        )
        length = len(part)
        return [row[0] for row in self._all(query, length, part, -length, part, limit)]

    def count(self, kind: str | None = None) -> int:
        """How many records are here, of one kind or of all."""
        if kind is None:
            row = self._one("SELECT count(*) FROM records")
        else:
            row = self._one("SELECT count(*) FROM records WHERE kind = ?", kind)
        return 0 if row is None else int(row[0])

    def last_row(self) -> int:
        """The row number of the newest record, 0 when there is none."""
        row = self._one("SELECT coalesce(max(row), 0) FROM records")
        return 0 if row is None else int(row[0])

    def newest(self, limit: int) -> list[tuple[int, str]]:
        """Row numbers and ids of the last `limit` records, the newest first."""
        return self._all("SELECT row, id FROM records ORDER BY row DESC LIMIT ?", limit)

    def after(self, row: int, limit: int) -> list[tuple[int, Stored]]:
        """At most `limit` records that arrived after row number `row`, with their own."""
        query = f"SELECT row, {_COLUMNS} FROM records WHERE row > ? ORDER BY row LIMIT ?"
        return [(found[0], Stored(*found[1:])) for found in self._all(query, row, limit)]

    def replay(self, row: int = 0) -> Iterator[tuple[int, Stored]]:
        """Every record that arrived after row number `row`, in bounded memory."""
        while batch := self.after(row, READ_BATCH):
            yield from batch
            row = batch[-1][0]

    def drop(self, record_ids: Iterable[str]) -> None:
        """Forget records, and with them every view, which may have counted them."""
        with self._writing():
            self._connection.executemany(
                "DELETE FROM records WHERE id = ?", ((record_id,) for record_id in record_ids)
            )
            self._connection.execute("DELETE FROM views")

    def view(self, name: str) -> tuple[int, bytes] | None:
        """A stored view and the last row number it covers, or None."""
        row = self._one("SELECT upto_row, data FROM views WHERE name = ?", name)
        return None if row is None else (row[0], row[1])

    def set_view(self, name: str, upto_row: int, data: bytes) -> None:
        """Store a view that covers every record up to row number `upto_row`."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO views VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
                "upto_row = excluded.upto_row, data = excluded.data",
                (name, upto_row, data),
            )

    def state(self, key: str) -> bytes | None:
        """What this node last stored under `key`, or None."""
        row = self._one("SELECT data FROM states WHERE key = ?", key)
        return None if row is None else row[0]

    def set_state(self, key: str, data: bytes) -> None:
        """Remember `data` under `key`, durably."""
        with self._writing():
            self._connection.execute(
                "INSERT INTO states VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET "
                "data = excluded.data",
                (key, data),
            )

    def check(self) -> None:
        """
        Read the whole file and prove its structure; slow on a large journal.

        Raises:
            JournalCorrupt: Naming the first thing found wrong.
        """
        row = self._one("PRAGMA integrity_check(1)")
        if row is None or row[0] != "ok":
            raise corrupt(self.path, "no answer" if row is None else str(row[0]))

    def _insert(self, item: Stored) -> bool:
        cursor = self._connection.execute(
            f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
            (item.id, item.kind, item.author, item.created_at_ms, item.envelope),
        )
        return cursor.rowcount == 1

    @contextmanager
    def _writing(self) -> Generator[None]:
        with translated(self.path), transaction(self._connection):
            yield

    def _one(self, query: str, *values: str | int) -> tuple[Any, ...] | None:
        with translated(self.path):
            return self._connection.execute(query, values).fetchone()

    def _all(self, query: str, *values: str | int) -> list[tuple[Any, ...]]:
        with translated(self.path):
            return self._connection.execute(query, values).fetchall()

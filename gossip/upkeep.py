"""
What this node keeps of its journal, and so what it offers to peers.

Law: the choice is `swarm.retention`'s, the same on every peer that holds the same
records. Peers are offered what is kept and nothing else: a node may hold more
for a while, but never brings back what another has dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import trio

from gossip.journal import Journal
from gossip.ranges import Index
from swarm.board import Board
from swarm.records import Kind, RecordId
from swarm.retention import Entry, Room, keep

LOOK_AGAIN_MS = 60_000


def drop_unkept(journal: Journal, board: Board, now_ms: int) -> set[RecordId]:
    """Forget the records that are not kept any more, and say which."""
    entries = list(_entries(journal, board))
    dropped = {entry.id for entry in entries} - keep(entries, now_ms)
    if dropped:
        journal.drop(dropped)
    return dropped


class KeptStore:
    """
    What sync may say of a journal: a `gossip.sync_answers.Store`.

    Args:
        journal: Used in a thread by whoever holds `disk`.
        disk: One token.
        board: The board of that journal, as it is now.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(
        self,
        journal: Journal,
        disk: trio.CapacityLimiter,
        board: Callable[[], Board],
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._board = board
        self._now_ms = now_ms
        self._kept = _Kept()
        self._kept_of: Board | None = None
        self._look_again_ms = 0

    async def index(self, kind: str) -> Index:
        """The ids of a kind that are kept; brought up to date when the board has changed."""
        board, now_ms = self._board(), self._now_ms()
        if board is not self._kept_of or now_ms >= self._look_again_ms:
            await trio.to_thread.run_sync(self._look, board, now_ms, limiter=self._disk)
            self._kept_of = board
        return self._kept.indexes.get(kind, _EMPTY)

    async def get_many(self, ids: Sequence[RecordId], most_bytes: int) -> Sequence[bytes | None]:
        """The envelope of each id in turn, if held; of one id at least, and then to a size."""
        return await trio.to_thread.run_sync(
            _read, self._journal, ids, most_bytes, limiter=self._disk
        )

    def _look(self, board: Board, now_ms: int) -> None:
        """Add what is new, if everything is kept; look at every record otherwise."""
        if now_ms >= self._look_again_ms or not self._kept.add(self._journal):
            self._kept = _kept(self._journal, board, now_ms)
            self._look_again_ms = now_ms + LOOK_AGAIN_MS


class _Kept:
    """The kept records by kind, up to a row of the journal while that is everything."""

    def __init__(self, *, everything: bool = True) -> None:
        self.indexes: dict[str, Index] = {}
        self._everything = everything
        self._room = Room()
        self._row = 0

    def add(self, journal: Journal) -> bool:
        """Take in the rows that are new; False if not all of them are kept."""
        row = journal.last_row()
        new = journal.listed(self._row)
        fits = [self._room.take(kind, author, at_ms) for _, kind, author, at_ms in new]
        self._everything = self._everything and all(fits)
        if self._everything:
            self.add_ids((record, kind) for record, kind, _, _ in new)
            self._row = row
        return self._everything

    def add_ids(self, ids: Iterable[tuple[RecordId, Kind]]) -> None:
        """Take in some records."""
        by_kind: dict[str, list[RecordId]] = {}
        for record, kind in ids:
            by_kind.setdefault(kind, []).append(record)
        for kind, records in by_kind.items():
            self.indexes[kind] = self.indexes.get(kind, _EMPTY).with_ids(records)


_EMPTY = Index()


def _kept(journal: Journal, board: Board, now_ms: int) -> _Kept:
    """What is kept, by a look at all records."""
    entries = list(_entries(journal, board))
    kept = keep(entries, now_ms)
    found = _Kept()
    if len(kept) == len(entries) and found.add(journal):
        return found
    found = _Kept(everything=False)
    found.add_ids((entry.id, entry.kind) for entry in entries if entry.id in kept)
    return found


def _read(journal: Journal, ids: Sequence[RecordId], most_bytes: int) -> list[bytes | None]:
    found: list[bytes | None] = []
    size = 0
    for record in ids:
        envelope = journal.get(record)
        size += len(envelope or b"")
        if found and size > most_bytes:
            break
        found.append(envelope)
    return found


def _entries(journal: Journal, board: Board) -> Iterator[Entry]:
    """Every record as retention sees it; what it was built on is read off the board."""
    for record_id, kind, author, created_at_ms in journal.listed():
        yield Entry(record_id, kind, author, created_at_ms, _ancestors(board, record_id))


def _ancestors(board: Board, record: RecordId) -> tuple[RecordId, ...]:
    if (claim := board.wins.get(record)) is not None:
        return ((claim.base,) if claim.base else ()) + claim.parents
    evidence = board.replications.get(record)
    return () if evidence is None else (evidence.win,)

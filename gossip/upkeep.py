"""
What this node keeps of its journal, and so what it offers to peers.

Law: the choice is `swarm.retention`'s, the same on every peer that holds the same
records. Peers are offered what is kept and nothing else: a node may hold more
for a while, but never brings back what another has dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import trio

from gossip.journal import Journal
from swarm.board import Board
from swarm.records import RecordId
from swarm.retention import Entry, keep

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
        self._kept: dict[str, list[RecordId]] = {}
        self._kept_of: Board | None = None
        self._kept_at_ms = 0

    async def ids(self, kind: str) -> Sequence[RecordId]:
        """The ids of a kind that are kept; worked out anew when the board has changed."""
        board, now_ms = self._board(), self._now_ms()
        if board is not self._kept_of or now_ms >= self._kept_at_ms + LOOK_AGAIN_MS:
            self._kept = await trio.to_thread.run_sync(
                _kept_ids, self._journal, board, now_ms, limiter=self._disk
            )
            self._kept_of, self._kept_at_ms = board, now_ms
        return self._kept.get(kind, [])

    async def get_many(self, ids: Sequence[RecordId]) -> Sequence[bytes]:
        """The envelopes of those ids that are held."""
        return await trio.to_thread.run_sync(self._journal.get_many, ids, limiter=self._disk)


def _kept_ids(journal: Journal, board: Board, now_ms: int) -> dict[str, list[RecordId]]:
    entries = list(_entries(journal, board))
    kept = keep(entries, now_ms)
    ids: dict[str, list[RecordId]] = {}
    for entry in entries:
        if entry.id in kept:
            ids.setdefault(entry.kind, []).append(entry.id)
    return ids


def _entries(journal: Journal, board: Board) -> Iterator[Entry]:
    """Every record as retention sees it; what it was built on is read off the board."""
    for record_id, kind, author, created_at_ms in journal.listed():
        yield Entry(record_id, kind, author, created_at_ms, _ancestors(board, record_id))


def _ancestors(board: Board, record: RecordId) -> tuple[RecordId, ...]:
    if (claim := board.wins.get(record)) is not None:
        return ((claim.base,) if claim.base else ()) + claim.parents
    evidence = board.replications.get(record)
    return () if evidence is None else (evidence.win,)

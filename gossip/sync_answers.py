"""
The answering side of sync: what we hold, told to whoever asks.

Law: an answer is bounded in bytes and keys, and costs about the same whoever
asks and however often: the ranges of a question do not overlap, and the index of a
kind is asked for at most once a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from gossip.ranges import Index
from gossip.sync_messages import (
    MAX_FETCH_BYTES,
    MAX_KEYS,
    AskKeys,
    AskParts,
    AskRecords,
    AskVisit,
    Records,
    SyncError,
    read_question,
    write_keys,
    write_parts,
    write_records,
)
from gossip.transport import PeerId

INDEX_AGE_S = 1.0
VISIT_S = 8.0


class Store(Protocol):
    """What sync needs of the journal."""

    async def index(self, kind: str) -> Index:
        """All record ids of a kind."""
        ...

    async def get_many(self, ids: Sequence[str], most_bytes: int) -> Sequence[bytes | None]:
        """The envelope of each id in turn, if held; of one id at least, and then to a size."""
        ...


class Answers:
    """Answers one scope's questions; give its `answer` to ``Transport.serve``."""

    def __init__(
        self,
        store: Store,
        scope: str,
        kinds: Sequence[str],
        visit: Callable[[PeerId], Awaitable[None]],
    ) -> None:
        self._store = store
        self._scope = scope
        self._kinds = frozenset(kinds)
        self._visit = visit
        self._indexes: dict[str, tuple[float, Index]] = {}

    async def answer(self, peer: PeerId, request: bytes) -> bytes:
        """
        The answer to one question.

        Raises:
            SyncError: It is malformed, of another scope or of a kind unknown here.
        """
        match read_question(request, self._scope):
            case AskParts(kind, ranges, pieces):
                index = await self._index(kind)
                return write_parts(part for span in ranges for part in index.cut(span, pieces))
            case AskKeys(kind, ranges):
                return write_keys((await self._index(kind)).listed(ranges, MAX_KEYS))
            case AskRecords(kind, keys):
                return write_records(await self._records(kind, keys))
            case AskVisit():
                with trio.move_on_after(VISIT_S):
                    await self._visit(peer)
                return b""

    async def _index(self, kind: str) -> Index:
        if kind not in self._kinds:
            raise SyncError("asked about an unknown kind")
        built_at, index = self._indexes.get(kind, (float("-inf"), None))
        if index is None or trio.current_time() >= built_at + INDEX_AGE_S:
            index = await self._store.index(kind)
            self._indexes[kind] = (trio.current_time(), index)
        return index

    async def _records(self, kind: str, keys: tuple[bytes, ...]) -> Records:
        """As many of the records as fit one answer."""
        index = await self._index(kind)
        found = await self._store.get_many(
            [index.ids.get(key, "") for key in keys], MAX_FETCH_BYTES
        )
        return Records(tuple(envelope for envelope in found if envelope), len(found))

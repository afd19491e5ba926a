"""
The answering side of sync: what we hold, told to whoever asks.

Law: an answer is bounded in bytes and ids, and costs about the same whoever
asks and however often: the index of a kind is built at most once a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio

from gossip.digest import Index, index_of, page
from gossip.sync_messages import (
    MAX_FETCH_BYTES,
    MAX_IDS_PER_PAGE,
    AskDigest,
    AskIds,
    AskRecords,
    AskVisit,
    Records,
    SyncError,
    read_question,
    write_digest,
    write_ids,
    write_records,
)
from gossip.transport import PeerId

INDEX_AGE_S = 1.0
VISIT_S = 8.0


class Store(Protocol):
    """What sync needs of the journal."""

    async def ids(self, kind: str) -> Sequence[str]:
        """All record ids of a kind."""
        ...

    async def get_many(self, ids: Sequence[str]) -> Sequence[bytes]:
        """The envelopes of those ids that are held, in any order."""
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
            case AskDigest(kind):
                return write_digest((await self._index(kind)).digest)
            case AskIds(kind, buckets, after):
                index = await self._index(kind)
                return write_ids(page(index, buckets, after, MAX_IDS_PER_PAGE))
            case AskRecords(kind, ids):
                return write_records(await self._records(ids))
            case AskVisit():
                with trio.move_on_after(VISIT_S):
                    await self._visit(peer)
                return b""

    async def _index(self, kind: str) -> Index:
        if kind not in self._kinds:
            raise SyncError("asked about an unknown kind")
        built_at, index = self._indexes.get(kind, (float("-inf"), None))
        if index is None or trio.current_time() >= built_at + INDEX_AGE_S:
            index = index_of(await self._store.ids(kind))
            self._indexes[kind] = (trio.current_time(), index)
        return index

    async def _records(self, ids: tuple[str, ...]) -> Records:
        """As many of the records as fit one answer; at least one id is considered."""
        envelopes: list[bytes] = []
        size = considered = 0
        for at in range(0, len(ids), _STEP):
            step = ids[at : at + _STEP]
            found = await self._store.get_many(step)
            size += sum(map(len, found))
            if envelopes and size > MAX_FETCH_BYTES:
                break
            envelopes += found
            considered += len(step)
        return Records(tuple(envelopes), considered)


_STEP = 8

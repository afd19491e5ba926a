"""
One turn of sync: fetch from one partner what it has and we lack.

Three things go on at once: the partner reads what was asked for last, what it sent
before is judged here, and what was judged is written. So neither waits for the other's
disk or processor, and a cut costs nothing that came before it.

Law: at most `AHEAD` answers wait to be judged. Nothing is fetched any more once most of
what was judged is of no use.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from gossip.asked import Asked
from gossip.ranges import WHOLE, Index, Part, Range, compare, key_of, rest
from gossip.sync_answers import Store
from gossip.sync_messages import (
    MAX_KEYS,
    MAX_PARTS,
    MAX_RANGES,
    MAX_RECORDS,
    AskKeys,
    AskParts,
    AskRecords,
    Question,
    SyncError,
    read_keys,
    read_parts,
    read_records,
)
from gossip.transport import CallError, PeerId
from swarm.records import RecordId

Accept = Callable[[Sequence[bytes], PeerId], Awaitable[int]]
"""Judges envelopes from a peer and says how many were of use. Must not raise for what
the envelopes hold."""

Ask = Callable[[PeerId, Question], Awaitable[bytes]]
Identify = Callable[[bytes], RecordId | None]

PIECES = (1, 64, 8, 8, 8, 8, 8, 8)
"""In how many parts a range is cut, question after question; mostly all is equal."""
MAX_CUT = 4096
"""Of more ranges than this that differ, all keys are listed."""
MAX_RECORDS_PER_TURN = 20_000
USELESS_AT_MOST = 64
AHEAD = 2


@dataclass(slots=True)
class Turn:
    """
    What one partner gave.

    Attributes:
        asked: Records asked for.
        fetched: Envelopes received.
        judged: Records asked for that are judged by now, or never came.
        useful: Those of them that were new and good.
        more: The turn ended before the partner's records did, and it was of use.
    """

    asked: int = 0
    fetched: int = 0
    judged: int = 0
    useful: int = 0
    more: bool = False

    @property
    def wasted(self) -> bool:
        """Whether much was asked for and most of it never came or was of no use."""
        useless = self.judged - self.useful
        return useless > max(USELESS_AT_MOST, self.useful)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Keys that a partner considered, and the envelopes it gave for them."""

    keys: tuple[bytes, ...]
    envelopes: tuple[bytes, ...]


class Pull:
    """
    A turn with one partner; `run` takes it.

    Args:
        peer: The partner.
        store: What we hold.
        ask: Puts a question to a peer and gives its answer.
        accept: Takes the envelopes that we lacked, batch by batch.
        identify: The id of the record that an envelope says it holds, if it does.
        asked: What was asked for lately.
        turn: Where to count what comes of it.
    """

    def __init__(
        self,
        peer: PeerId,
        store: Store,
        ask: Ask,
        accept: Accept,
        identify: Identify,
        asked: Asked,
        turn: Turn,
    ) -> None:
        self._peer = peer
        self._store = store
        self._ask = ask
        self._accept = accept
        self._identify = identify
        self._asked = asked
        self._turn = turn
        self._trouble: CallError | SyncError | None = None

    async def run(self, kinds: Sequence[str]) -> None:
        """
        Fetch records of these kinds, one kind after another.

        Raises:
            CallError, SyncError: The partner failed, or said what is not sync; raised in
                a group, once all that it gave before is judged.
        """
        batches, judging = trio.open_memory_channel[_Batch](AHEAD)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._judge_all, judging)
            async with batches:
                try:
                    for kind in kinds:
                        await self._pull(kind, batches)
                except (CallError, SyncError) as error:
                    self._trouble = error
        if self._trouble:
            raise ExceptionGroup("sync", [self._trouble])

    async def _pull(self, kind: str, batches: trio.MemorySendChannel[_Batch]) -> None:
        mine = await self._store.index(kind)
        ranges = await self._differing(kind, mine)
        while ranges and not self._turn.more:
            asked, ranges = ranges[:MAX_RANGES], ranges[MAX_RANGES:]
            answer = await self._ask(self._peer, AskKeys(kind, tuple(asked)))
            keys = read_keys(answer, asked)
            ranges = rest(asked, keys, MAX_KEYS) + ranges
            lacked = [key for key in keys if key not in mine.ids]
            wanted = [key for key in lacked if not self._asked.lately(self._peer, key)]
            await self._fetch(kind, wanted, batches)

    async def _differing(self, kind: str, mine: Index) -> list[Range]:
        """The ranges, ascending, in which the peer may hold what we lack."""
        cut, listed = [WHOLE], list[Range]()
        for pieces in PIECES:
            if not cut or len(cut) > MAX_CUT:
                break
            parts: list[Part] = []
            step = min(MAX_RANGES, MAX_PARTS // pieces)
            for at in range(0, len(cut), step):
                asked = tuple(cut[at : at + step])
                answer = await self._ask(self._peer, AskParts(kind, asked, pieces))
                parts += read_parts(answer, asked)
            found = compare(mine, parts)
            cut, listed = found.cut, listed + found.listed
        return sorted(cut + listed, key=lambda span: span.low)

    async def _fetch(
        self, kind: str, wanted: list[bytes], batches: trio.MemorySendChannel[_Batch]
    ) -> None:
        """Fetch records, batch by batch."""
        turn = self._turn
        while wanted:
            if turn.asked >= MAX_RECORDS_PER_TURN:
                turn.more = True
                return
            keys = tuple(wanted[:MAX_RECORDS])
            answer = await self._ask(self._peer, AskRecords(kind, keys))
            records = read_records(answer, len(keys))
            self._check_asked_for(records.envelopes, keys)
            turn.asked += records.considered
            turn.fetched += len(records.envelopes)
            del wanted[: records.considered]
            await batches.send(_Batch(keys[: records.considered], records.envelopes))

    async def _judge_all(self, batches: trio.MemoryReceiveChannel[_Batch]) -> None:
        turn = self._turn
        async for batch in batches:
            of_use = await self._accept(batch.envelopes, self._peer) if batch.envelopes else 0
            turn.useful += of_use
            turn.judged += len(batch.keys)
            self._asked.add(self._peer, batch.keys)
            if turn.wasted:
                raise SyncError(f"of {turn.judged} records listed {turn.useful} were of use")

    def _check_asked_for(self, envelopes: tuple[bytes, ...], asked: tuple[bytes, ...]) -> None:
        open_questions = set(asked)
        for envelope in envelopes:
            record = self._identify(envelope)
            if record is None or key_of(record) not in open_questions:
                raise SyncError("it sent a record that was not asked for")
            open_questions.remove(key_of(record))

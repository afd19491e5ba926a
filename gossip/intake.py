"""
The one door through which a record becomes known, own and foreign alike.

bytes → `validate` (is it a record at all?) → known already? → `admit` (now, or
later?) → journal → whoever keeps the board.

Law: the only writer of records. `offer` waits only while the queue to the disk
is full and never raises for what a peer sent; `commit` returns when the record
is durable. An author's quota is charged for new records alone, and this node's
own are not charged at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import trio

from gossip.journal import Journal, Stored
from swarm.admission import Admit, Defer, Deferred, Quotas, admit, is_expired
from swarm.records import PeerId, RecordId, kind_of
from swarm.validation import Invalid, Scope, Valid, validate

QUEUE_RECORDS = 4096
BATCH_RECORDS = 256
DEFERRED_RECORDS = 1024
NO_ROOM = "the journal has its full size, so authors who are not in it yet are not heard"
DEFERRED_POLL_SECONDS = 1.0


class RecordRefusedError(Exception):
    """An own record did not pass the door; the text says why."""


class RecordExpiredError(RecordRefusedError):
    """An own batch of trials is so old that no peer would keep it."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    valid: Valid
    stored: trio.Event = field(default_factory=trio.Event)


class Intake:
    """
    Judges, stores and announces records.

    Args:
        disk: One token: whoever holds it may use the journal.
        own: This node's peer id.
        known: Whether a record is here already; quick.
        accepted: Called with each batch of records that is new and now durable.
        refused: Called with the reason and the sender of what was refused.
        room: Whether the journal takes more of a foreign author.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(
        self,
        journal: Journal,
        disk: trio.CapacityLimiter,
        scope: Scope,
        *,
        own: PeerId,
        known: Callable[[RecordId], bool],
        accepted: Callable[[Sequence[Valid]], None],
        refused: Callable[[str, str], None],
        now_ms: Callable[[], int],
        room: Callable[[PeerId], bool] = lambda author: True,
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._scope = scope
        self._own = own
        self._known = known
        self._accepted = accepted
        self._refused = refused
        self._now_ms = now_ms
        self._room = room
        self._quotas = Quotas()
        self._deferred: Deferred[Valid] = Deferred(DEFERRED_RECORDS)
        self._queue: list[_Waiting] = []
        self._came = trio.Event()
        self._left = trio.Event()
        self._last: _Waiting | None = None

    async def offer(self, envelope: bytes, sender: str) -> bool:
        """
        Take in what a peer sent; it is judged now and stored soon.

        Returns:
            Whether it was of use: valid, new here, and not to be stored later.
        """
        try:
            valid = validate(envelope, self._scope)
        except Invalid as refusal:
            self._refused(str(refusal), sender)
            return False
        return await self._admit(valid)

    async def offer_many(self, envelopes: Sequence[bytes], sender: str) -> int:
        """
        Take in what a peer sent at once, as `offer` does.

        It is judged in a thread, and the network goes on while that checks signatures;
        a second thread takes no less time, and a fifth more of the processor.

        Returns:
            How many were of use.
        """
        taken: list[Valid] = []
        for verdict in await trio.to_thread.run_sync(_judged, envelopes, self._scope):
            if isinstance(verdict, Invalid):
                self._refused(str(verdict), sender)
            elif self._is_taken(verdict):
                taken.append(verdict)
        await self._put([_Waiting(valid) for valid in taken])
        return len(taken)

    async def commit(self, envelope: bytes) -> RecordId:
        """
        Take in an own record and wait until it is durable.

        Raises:
            RecordExpiredError: It holds trials that are too old to be kept.
            RecordRefusedError: It would be refused by every peer too.
        """
        try:
            waiting = _Waiting(validate(envelope, self._scope))
        except Invalid as refusal:
            raise RecordRefusedError(
                f"this node made a record that nobody would accept: {refusal}"
            ) from None
        if is_expired(waiting.valid.record, self._now_ms()):
            raise RecordExpiredError("trials of over 48 hours ago are kept by nobody")
        await self._put([waiting])
        await waiting.stored.wait()
        return waiting.valid.id

    async def run(self) -> None:
        """Write batches and retry what was deferred, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retry)
            while True:
                await self._came.wait()
                batch, self._queue = self._queue[:BATCH_RECORDS], self._queue[BATCH_RECORDS:]
                self._left.set()
                self._left = trio.Event()
                if not self._queue:
                    self._came = trio.Event()
                await self._store(batch)

    async def _admit(self, valid: Valid) -> bool:
        """Queue a record for the disk, if it is taken."""
        taken = self._is_taken(valid)
        if taken:
            await self._put([_Waiting(valid)])
        return taken

    async def _put(self, waiting: Sequence[_Waiting]) -> None:
        """Queue records for the disk, once there is room."""
        await trio.lowlevel.checkpoint()
        while len(self._queue) >= QUEUE_RECORDS:
            await self._left.wait()
        if waiting:
            self._queue += waiting
            self._last = self._queue[-1]
            self._came.set()

    def _is_taken(self, valid: Valid) -> bool:
        """Whether a foreign record is stored: not if it is known, too old or too early."""
        now_ms = self._now_ms()
        if self._known(valid.id) or is_expired(valid.record, now_ms):
            return False
        if valid.record.author != self._own:
            if not self._room(valid.record.author):
                self._refused(NO_ROOM, valid.record.author)
                return False
            verdict = admit(valid.record, len(valid.envelope), now_ms, self._quotas)
            if isinstance(verdict, Defer):
                self._deferred.add(valid.id, valid, verdict.until_ms)
            return isinstance(verdict, Admit)
        return True

    async def settle(self) -> None:
        """Wait until everything that was of use so far is durable."""
        if self._last is not None:
            await self._last.stored.wait()

    async def _retry(self) -> None:
        while True:
            await trio.sleep(DEFERRED_POLL_SECONDS)
            for _, valid in self._deferred.due(self._now_ms()):
                await self._admit(valid)

    async def _store(self, batch: list[_Waiting]) -> None:
        rows = [_stored(waiting.valid) for waiting in batch]
        new = await trio.to_thread.run_sync(self._journal.append, rows, limiter=self._disk)
        fresh = [waiting.valid for waiting, is_new in zip(batch, new, strict=True) if is_new]
        if fresh:
            self._accepted(fresh)
        for waiting in batch:
            waiting.stored.set()


def _judged(envelopes: Sequence[bytes], scope: Scope) -> list[Valid | Invalid]:
    found: list[Valid | Invalid] = []
    for envelope in envelopes:
        try:
            found.append(validate(envelope, scope))
        except Invalid as refusal:
            found.append(refusal)
    return found


def _stored(valid: Valid) -> Stored:
    record = valid.record
    return Stored(valid.id, kind_of(record), record.author, record.created_at_ms, valid.envelope)

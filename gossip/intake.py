"""
The one door through which a record becomes known, own and foreign alike.

bytes → `validate` (is it a record at all?) → `admit` (now, or later?) →
journal → whoever keeps the board.

Law: the only writer of records. `offer` waits only while the queue to the disk
is full and never raises for what a peer sent; `commit` returns when the record
is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import trio

from gossip.journal import Journal, Stored
from swarm.admission import Admit, Defer, Deferred, Quotas, admit
from swarm.records import RecordId, kind_of
from swarm.validation import Invalid, Scope, Valid, validate

QUEUE_RECORDS = 4096
BATCH_RECORDS = 256
DEFERRED_RECORDS = 1024
DEFERRED_POLL_SECONDS = 1.0


class RecordRefusedError(Exception):
    """An own record did not pass the door; the text says why."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    valid: Valid
    stored: trio.Event


class Intake:
    """
    Judges, stores and announces records.

    Args:
        disk: One token: whoever holds it may use the journal.
        accepted: Called with each batch of records that is new and now durable.
        refused: Called with the reason and the sender of what was refused.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(
        self,
        journal: Journal,
        disk: trio.CapacityLimiter,
        scope: Scope,
        *,
        accepted: Callable[[Sequence[Valid]], None],
        refused: Callable[[str, str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._journal = journal
        self._disk = disk
        self._scope = scope
        self._accepted = accepted
        self._refused = refused
        self._now_ms = now_ms
        self._quotas = Quotas()
        self._deferred: Deferred[_Waiting] = Deferred(DEFERRED_RECORDS)
        self._send, self._receive = trio.open_memory_channel[_Waiting](QUEUE_RECORDS)

    async def offer(self, envelope: bytes, sender: str) -> None:
        """Take in what a peer sent; it is judged now and stored soon."""
        try:
            valid = validate(envelope, self._scope)
        except Invalid as refusal:
            self._refused(str(refusal), sender)
            return
        await self._admit(_Waiting(valid, trio.Event()))

    async def commit(self, envelope: bytes) -> RecordId:
        """
        Take in an own record and wait until it is durable.

        Raises:
            RecordRefusedError: It would be refused by every peer too.
        """
        try:
            waiting = _Waiting(validate(envelope, self._scope), trio.Event())
        except Invalid as refusal:
            raise RecordRefusedError(
                f"this node made a record that nobody would accept: {refusal}"
            ) from None
        await self._admit(waiting)
        await waiting.stored.wait()
        return waiting.valid.id

    async def run(self) -> None:
        """Write batches and retry what was deferred, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._retry)
            async for first in self._receive:
                await self._store([first, *self._queued()])

    async def _admit(self, waiting: _Waiting) -> None:
        valid = waiting.valid
        verdict = admit(valid.record, len(valid.envelope), self._now_ms(), self._quotas)
        if isinstance(verdict, Admit):
            await self._send.send(waiting)
        elif isinstance(verdict, Defer):
            self._deferred.add(valid.id, waiting, verdict.until_ms)

    async def _retry(self) -> None:
        while True:
            await trio.sleep(DEFERRED_POLL_SECONDS)
            for _, waiting in self._deferred.due(self._now_ms()):
                await self._admit(waiting)

    def _queued(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while len(batch) < BATCH_RECORDS - 1:
            try:
                batch.append(self._receive.receive_nowait())
            except trio.WouldBlock:
                break
        return batch

    async def _store(self, batch: list[_Waiting]) -> None:
        rows = [_stored(waiting.valid) for waiting in batch]
        new = await trio.to_thread.run_sync(self._journal.append, rows, limiter=self._disk)
        fresh = [waiting.valid for waiting, is_new in zip(batch, new, strict=True) if is_new]
        if fresh:
            self._accepted(fresh)
        for waiting in batch:
            waiting.stored.set()


def _stored(valid: Valid) -> Stored:
    record = valid.record
    return Stored(valid.id, kind_of(record), record.author, record.created_at_ms, valid.envelope)

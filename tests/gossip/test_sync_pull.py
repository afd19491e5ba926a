"""A turn of sync in virtual time: both sides work at once, and what came before trouble stays."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing

from gossip.asked import Asked
from gossip.ranges import key_of
from gossip.sync_answers import Answers
from gossip.sync_messages import (
    MAX_RECORDS,
    AskKeys,
    AskRecords,
    Question,
    Records,
    SyncError,
    write_question,
    write_records,
)
from gossip.sync_pull import AHEAD, Pull, Turn
from gossip.transport import CallError, PeerId
from tests.gossip.bad_partners import Shelf, identify

Clock = trio.testing.MockClock
Trouble = Callable[[Question], Awaitable[bytes]]
SCOPE = "scope"
BATCHES = 12
BEFORE = 6


class Partner:
    """Holds `BATCHES` batches; each answer takes a second, after so many comes trouble."""

    def __init__(self, trouble: Trouble | None = None) -> None:
        self.shelf = Shelf(b"w%d" % number for number in range(BATCHES * MAX_RECORDS))
        self.answered = 0
        self._answers = Answers(self.shelf, SCOPE, ["win"], self._visit)
        self._trouble = trouble

    async def ask(self, peer: PeerId, question: Question) -> bytes:
        if isinstance(question, AskRecords):
            await trio.sleep(1)
            self.answered += 1
            if self._trouble is not None and self.answered > BEFORE:
                return await self._trouble(question)
        return await self._answers.answer(peer, write_question(SCOPE, question))

    async def _visit(self, peer: PeerId) -> None:
        return


class Slow(Shelf):
    """Takes so many seconds to judge a batch."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    async def accept_many(self, envelopes: Sequence[bytes], sender: PeerId) -> int:
        await trio.sleep(self._seconds)
        return await super().accept_many(envelopes, sender)


def pull(partner: Partner, mine: Shelf, turn: Turn) -> Pull:
    return Pull("partner", mine, partner.ask, mine.accept_many, identify, Asked(), turn)


async def test_one_batch_is_judged_while_the_next_is_on_its_way(autojump_clock: Clock) -> None:
    partner, mine, turn = Partner(), Slow(1), Turn()
    started = trio.current_time()
    await pull(partner, mine, turn).run(["win"])
    assert mine.kept == partner.shelf.kept
    assert turn.useful == turn.asked == BATCHES * MAX_RECORDS
    assert trio.current_time() - started < BATCHES + 2


async def test_a_partner_is_asked_no_faster_than_its_records_are_judged(
    autojump_clock: Clock,
) -> None:
    """What waits stays small, however slow this node is."""
    partner, mine, ahead = Partner(), Slow(60), 0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pull(partner, mine, Turn()).run, ["win"])
        while len(mine.kept) < len(partner.shelf.kept):
            await trio.sleep(7)
            ahead = max(ahead, partner.answered - len(mine.kept) // MAX_RECORDS)
    assert 1 < ahead <= AHEAD + 2


async def cut(question: Question) -> bytes:
    raise CallError("cut off")


async def stall(question: Question) -> bytes:
    await trio.sleep(10)
    raise CallError("did not answer")


async def lie(question: Question) -> bytes:
    return write_records(Records((b"w nobody asked for this",), 1))


async def babble(question: Question) -> bytes:
    return b"\xff" * 100


@pytest.mark.parametrize("trouble", [cut, stall, lie, babble])
@pytest.mark.parametrize("seconds", [0.0, 5.0])
async def test_what_came_before_trouble_is_kept(
    autojump_clock: Clock, trouble: Trouble, seconds: float
) -> None:
    """Though it waited to be judged when the partner was cut off, stalled, lied or babbled."""
    partner, mine, turn = Partner(trouble), Slow(seconds), Turn()
    with pytest.raises(ExceptionGroup) as caught:
        await pull(partner, mine, turn).run(["win"])
    [error] = caught.value.exceptions
    assert isinstance(error, CallError if trouble in (cut, stall) else SyncError)
    assert len(mine.kept) == turn.useful == turn.judged == BEFORE * MAX_RECORDS
    assert partner.answered == BEFORE + 1


async def test_who_sends_what_is_of_no_use_is_not_asked_on(autojump_clock: Clock) -> None:
    """Not even for what it listed already."""

    class Refusing(Slow):
        async def accept_many(self, envelopes: Sequence[bytes], sender: PeerId) -> int:
            await trio.sleep(1)
            self.offered += len(envelopes)
            return 0

    partner, mine, turn = Partner(), Refusing(1), Turn()
    with pytest.raises(ExceptionGroup) as caught:
        await pull(partner, mine, turn).run(["win"])
    assert caught.group_contains(SyncError, match="were of use")
    assert mine.offered == MAX_RECORDS
    assert partner.answered <= AHEAD + 1


async def test_what_is_held_or_was_asked_for_lately_is_not_asked_for(
    autojump_clock: Clock,
) -> None:
    partner, mine, turn = Partner(), Shelf(), Turn()
    held = list(partner.shelf.kept.items())
    mine.kept = dict(held[:1000])
    asked = Asked()
    asked.add("partner", [key_of(record) for record, _ in held[1000:2000]])
    listed = list[Question]()

    async def ask(peer: PeerId, question: Question) -> bytes:
        if isinstance(question, AskKeys):
            listed.append(question)
        return await partner.ask(peer, question)

    await Pull("partner", mine, ask, mine.accept_many, identify, asked, turn).run(["win"])
    assert listed
    assert turn.asked == turn.useful == len(held) - 2000

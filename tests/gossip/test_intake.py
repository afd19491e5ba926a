"""The door: own records always end, duplicates cost nobody, quotas hold for strangers."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio

from gossip import intake
from gossip.intake import Intake, RecordExpiredError
from gossip.journal import Journal
from swarm import admission
from swarm.cid import cid_of
from swarm.records import PeerId, RecordId, Win, encode
from tests.gossip.waiting import holds, until
from tests.swarm.record_samples import ANN, BOB, NOW_MS, SCOPE, TRIALS, WIN, Author

TIGHT = admission.Rate(admission.MAX_ENVELOPE_BYTES + admission.RECORD_COST_BYTES, 1)


@dataclass
class Door:
    """An intake of Ann's node that writes to a real journal, and what it said."""

    journal: Journal
    intake: Intake
    disk: trio.CapacityLimiter
    accepted: list[RecordId] = field(default_factory=list[RecordId])


@asynccontextmanager
async def door(
    path: Path, room: Callable[[PeerId], bool] = lambda author: True
) -> AsyncGenerator[Door]:
    with Journal.open(path / "j") as journal:
        seen, disk = list[RecordId](), trio.CapacityLimiter(1)
        intake = Intake(
            journal,
            disk,
            SCOPE,
            own=ANN.peer_id,
            known=seen.__contains__,
            accepted=lambda batch: seen.extend(valid.id for valid in batch),
            refused=lambda reason, sender: None,
            now_ms=lambda: NOW_MS,
            room=room,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(intake.run)
            yield Door(journal, intake, disk, seen)
            nursery.cancel_scope.cancel()


def win(author: Author, number: int, ahead_ms: int = 0) -> Win:
    return replace(
        WIN, author=author.peer_id, created_at_ms=NOW_MS + ahead_ms, tree=f"{number:064x}"
    )


async def offered(to: Intake, author: Author, *numbers: int) -> list[bool]:
    return [await to.offer(author.seal(win(author, number)), "peer") for number in numbers]


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotas of one record of the largest size."""
    monkeypatch.setitem(admission.DEFAULT_RATES, "win", TIGHT)  # pyright: ignore[reportArgumentType]


def room(author: Author) -> int:
    """How many wins of an author fit the tight quota."""
    size = len(author.seal(win(author, 1))) + admission.RECORD_COST_BYTES
    return TIGHT.burst_bytes // size


async def test_own_trials_that_nobody_keeps_are_refused_at_once(tmp_path: Path) -> None:
    """A node that was off for two days does not wait for ever to tell of old trials."""
    old = replace(
        TRIALS,
        author=ANN.peer_id,
        created_at_ms=NOW_MS - admission.TRIALS_LIFETIME_MS,
    )
    async with door(tmp_path) as here:
        with trio.fail_after(30), pytest.raises(RecordExpiredError, match="48 hours"):
            await here.intake.commit(ANN.seal(old))
        assert here.journal.count() == 0


@pytest.mark.usefixtures("tight")
async def test_own_records_are_never_deferred(tmp_path: Path) -> None:
    """Neither by the quota nor by a clock that was set back."""
    async with door(tmp_path) as here:
        with trio.fail_after(30):
            for number in range(room(ANN) + 2):
                await here.intake.commit(ANN.seal(win(ANN, number)))
            await here.intake.commit(ANN.seal(win(ANN, 9999, ahead_ms=600_000)))
        assert here.journal.count() == room(ANN) + 3
        assert await offered(here.intake, ANN, 7777) == [True]


@pytest.mark.usefixtures("tight")
async def test_a_record_handed_in_again_costs_its_author_nothing(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        assert await offered(here.intake, BOB, 1) == [True]
        await until(lambda: len(here.accepted) == 1)
        assert await offered(here.intake, BOB, *([1] * 2 * room(BOB))) == [False] * 2 * room(BOB)
        assert await offered(here.intake, BOB, 2) == [True]
        await until(lambda: here.journal.count() == 2)


@pytest.mark.usefixtures("tight")
async def test_a_stranger_over_quota_waits(tmp_path: Path) -> None:
    async with door(tmp_path) as here:
        taken = await offered(here.intake, BOB, *range(room(BOB) + 5))
        assert taken == [True] * room(BOB) + [False] * 5
        assert await here.intake.offer(b"garbage", "peer") is False
        assert not await holds(lambda: here.journal.count() > room(BOB), within_s=0.3)
        assert here.accepted[0] == cid_of(encode(win(BOB, 0)))


async def test_a_full_journal_takes_records_of_those_who_are_in_it(tmp_path: Path) -> None:
    """Keys are free: newcomers are refused then, the node itself never is."""
    async with door(tmp_path, room={BOB.peer_id}.__contains__) as here:
        eve = Author(66)
        assert await offered(here.intake, eve, 1, 2) == [False, False]
        assert await offered(here.intake, BOB, 3) == [True]
        with trio.fail_after(30):
            await here.intake.commit(ANN.seal(win(ANN, 4)))
        assert here.journal.authors() == {ANN.peer_id, BOB.peer_id}
        assert here.journal.size_bytes() > 2 * len(ANN.seal(win(ANN, 4)))


async def test_many_at_once_wait_for_a_slow_disk_and_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is bounded: who hands in more waits until some of it is written."""
    monkeypatch.setattr(intake, "QUEUE_RECORDS", 8)
    monkeypatch.setattr(intake, "BATCH_RECORDS", 3)
    taken = list[int]()
    envelopes = [BOB.seal(win(BOB, number)) for number in range(40)]

    async with door(tmp_path) as here, trio.open_nursery() as nursery:

        async def hand_in() -> None:
            for at in range(0, 40, 5):
                taken.append(await here.intake.offer_many(envelopes[at : at + 5], "peer"))

        await here.disk.acquire_on_behalf_of("a slow disk")
        nursery.start_soon(hand_in)
        assert not await holds(lambda: len(taken) > 3, within_s=0.3)
        here.disk.release_on_behalf_of("a slow disk")
        await until(lambda: len(here.accepted) == 40)
        await here.intake.settle()
        assert taken == [5] * 8
        assert here.accepted == [cid_of(encode(win(BOB, number))) for number in range(40)]
        assert await here.intake.offer_many([*envelopes, b"garbage"], "peer") == 0

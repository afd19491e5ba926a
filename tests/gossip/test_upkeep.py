"""Two nodes over an author's bound: both keep the same, and it stays so."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from gossip.board import load_board
from gossip.intake import Intake
from gossip.journal import Journal, Stored
from gossip.memory_transport import MemoryNetwork
from gossip.sync import Sync
from gossip.upkeep import KeptStore, drop_unkept
from swarm.board import Board
from swarm.cid import cid_of
from swarm.records import RecordId, Win, encode
from swarm.retention import KEPT_PER_EPOCH, entry_of, keep
from swarm.validation import Valid
from tests.gossip.waiting import until
from tests.swarm.record_samples import ANN, BOB, NOW_MS, SCOPE, TRIALS, WIN

BOUND = KEPT_PER_EPOCH["win"]


def win(number: int) -> Win:
    return replace(
        WIN, author=BOB.peer_id, base=None, parents=(), created_at_ms=NOW_MS, tree=f"{number:064x}"
    )


def stored(record: Win) -> Stored:
    envelope = BOB.seal(record)
    return Stored(cid_of(encode(record)), "win", record.author, record.created_at_ms, envelope)


def kept(wins: Iterable[Win]) -> set[RecordId]:
    return keep([entry_of(cid_of(encode(each)), each) for each in wins], NOW_MS)


@dataclass
class Peer:
    """A journal, its board, and the sync over what is kept of it."""

    journal: Journal
    board: Board
    disk: trio.CapacityLimiter

    def accepted(self, batch: Sequence[Valid]) -> None:
        self.board = self.board.with_records([(valid.id, valid.record) for valid in batch])

    async def tidy(self) -> None:
        """What a node does every minute."""
        async with self.disk:
            self.board = self.board.without(drop_unkept(self.journal, self.board, NOW_MS))


@asynccontextmanager
async def peer(
    network: MemoryNetwork, name: str, path: Path, wins: Iterable[Win]
) -> AsyncGenerator[tuple[Peer, Sync]]:
    with Journal.open(path / name) as journal:
        journal.append([stored(each) for each in wins])
        here = Peer(journal, load_board(journal), trio.CapacityLimiter(1))
        intake = Intake(
            journal,
            here.disk,
            SCOPE,
            own=ANN.peer_id,
            known=lambda record: record in here.board.wins,
            accepted=here.accepted,
            refused=lambda reason, sender: None,
            now_ms=lambda: NOW_MS,
        )
        store = KeptStore(journal, here.disk, lambda: here.board, lambda: NOW_MS)
        async with network.open(name, SCOPE.topic) as transport, trio.open_nursery() as nursery:
            sync = Sync(
                transport, store, intake.offer_many, scope="s", kinds=("win",), interval_s=1e6
            )
            nursery.start_soon(intake.run)
            nursery.start_soon(sync.run)
            yield here, sync
            nursery.cancel_scope.cancel()


async def test_two_journals_over_the_bound_converge_and_stay(tmp_path: Path) -> None:
    """They tidy up at different times, and what one has dropped the other does not bring back."""
    network = MemoryNetwork(delay_s=0.001)
    wins = [win(number) for number in range(2 * BOUND + 44)]
    wanted = kept(wins)
    async with (
        peer(network, "x", tmp_path, wins[: -BOUND // 2]) as (x, sync_x),
        peer(network, "y", tmp_path, wins[BOUND // 2 :]) as (y, sync_y),
    ):
        network.link("x", "y")
        await trio.sleep(0.1)
        await x.tidy()
        assert x.journal.count() == BOUND
        for _ in range(2):
            await sync_x.pull("y")
            await sync_y.pull("x")
        await until(lambda: wanted <= x.board.wins.keys() & y.board.wins.keys())
        with trio.fail_after(60):
            while not set(x.board.wins) == set(x.journal.ids("win")) == wanted:
                await trio.sleep(0.05)
                await x.tidy()
        for _ in range(3):
            assert (await sync_x.pull("y")).fetched == (await sync_y.pull("x")).fetched == 0
        assert set(x.board.wins) == wanted
        assert y.journal.count() > BOUND
        await y.tidy()
        assert set(y.board.wins) == wanted
        assert set(y.journal.ids("win")) == wanted
        assert (await sync_x.pull("y")).fetched == (await sync_y.pull("x")).fetched == 0


async def offered(store: KeptStore, kind: str) -> set[RecordId]:
    return set((await store.index(kind)).ids.values())


async def test_what_is_offered_grows_with_the_journal_and_shrinks_at_the_bound(
    tmp_path: Path,
) -> None:
    """Below an author's bound records are added; above it the choice is made anew."""
    wins = [win(number) for number in range(BOUND + 2)]
    with Journal.open(tmp_path / "j") as journal:
        store = KeptStore(
            journal, trio.CapacityLimiter(1), lambda: load_board(journal), lambda: NOW_MS
        )
        for start, stop in ((0, 3), (3, BOUND - 1), (BOUND - 1, BOUND), (BOUND, BOUND + 2)):
            journal.append([stored(each) for each in wins[start:stop]])
            assert await offered(store, "win") == kept(wins[:stop])
        for step in (3, BOUND):
            read = await store.get_many([stored(each).id for each in wins[:step]] + ["none"], 10**9)
            assert read == [stored(each).envelope for each in wins[:step]] + [None]
        few = await store.get_many([stored(each).id for each in wins], 3 * len(BOB.seal(wins[0])))
        assert 1 <= len(few) <= 3
        assert len(await store.get_many([stored(wins[0]).id], 1)) == 1


async def test_what_a_kept_win_stands_on_is_offered_and_old_trials_are_not(
    tmp_path: Path,
) -> None:
    wins = sorted((win(number) for number in range(BOUND + 1)), key=lambda w: cid_of(encode(w)))
    over = stored(wins[-1])
    child = stored(replace(win(0), created_at_ms=NOW_MS - 10**9, base=over.id))
    trials = Stored(
        cid_of(encode(TRIALS)), "trials", TRIALS.author, TRIALS.created_at_ms, ANN.seal(TRIALS)
    )
    with Journal.open(tmp_path / "j") as journal:
        journal.append([*map(stored, wins), trials])
        now_ms = NOW_MS
        store = KeptStore(
            journal, trio.CapacityLimiter(1), lambda: load_board(journal), lambda: now_ms
        )
        assert over.id not in await offered(store, "win")
        assert await offered(store, "trials") == {trials.id}
        journal.append([child])
        assert {over.id, child.id} <= await offered(store, "win")
        now_ms += 48 * 60 * 60 * 1000
        assert await offered(store, "trials") == set()
        assert drop_unkept(journal, load_board(journal), now_ms) == {trials.id}

"""The board of a running node: a full disk, and a lineage that comes backwards."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from benchmarks.many_records import many_records
from experiments.task_folder import load_task
from gossip.board import save_board
from gossip.journal import Journal, Stored
from gossip.journal_faults import JournalFull
from gossip.live_board import LiveBoard
from swarm.cid import cid_of
from swarm.records import encode
from swarm.validation import Valid
from tests.gossip.waiting import until
from tests.processes import TOY
from tests.swarm.record_samples import ANN, NOW_MS, TRIALS


async def test_a_full_disk_costs_the_quick_start_and_nothing_else(tmp_path: Path) -> None:
    batches = [replace(TRIALS, created_at_ms=TRIALS.created_at_ms + at) for at in range(300)]
    rows = [
        Stored(cid_of(encode(each)), "trials", each.author, each.created_at_ms, ANN.seal(each))
        for each in batches
    ]
    path = tmp_path / "j"
    with Journal.open(path) as journal, Journal.open(path, read_only=True) as reading:
        journal.append(rows)
        live = LiveBoard(load_task(str(TOY)).task, journal, reading, trio.CapacityLimiter(1))
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]  # pyright: ignore[reportPrivateUsage]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(JournalFull):
            save_board(journal, live.board)
        await live.save()
        assert live.board.records == len(rows)


async def test_a_long_lineage_is_checked_in_whatever_order_it_came(tmp_path: Path) -> None:
    """Each check is one diff further, though every win came before its base."""
    task, rows = load_task(str(TOY)).task, list[Stored]()
    for stored in many_records(task, 1200, NOW_MS):
        if stored.kind == "win":
            rows.append(stored)
    path = tmp_path / "j"
    with Journal.open(path) as journal, Journal.open(path, read_only=True) as reading:
        live = LiveBoard(task, journal, reading, trio.CapacityLimiter(1))
        journal.append(rows)
        last = rows[-1].id
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live.check_for_ever)
            for row in reversed(rows):
                live.add([Valid(row.id, journal.read(row.envelope), row.envelope)])
                await trio.lowlevel.checkpoint()
            await until(lambda: not live.unchecked, timeout_s=60)
            nursery.cancel_scope.cancel()
        assert live.board.invalid == frozenset()
        assert live.tree_of(last) != task.baseline

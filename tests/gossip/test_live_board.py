"""The board of a running node when the disk is full."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from experiments.task_folder import load_task
from gossip.board import save_board
from gossip.journal import Journal, Stored
from gossip.journal_faults import JournalFull
from gossip.live_board import LiveBoard
from swarm.cid import cid_of
from swarm.records import encode
from tests.processes import TOY
from tests.swarm.record_samples import ANN, TRIALS


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

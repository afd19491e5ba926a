"""
`swarm leaderboard`: the changes that helped, best first.

Law: quick. Reads the board's stored view and the few records after it, and
imports nothing that only a node needs.
"""

import gc
import time
from pathlib import Path

from cli.output import console, print_json
from cli.snapshot import Snapshot, take_snapshot
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.board import Board
from swarm.leaderboard import Entry, entries


def leaderboard(root: Path, *, limit: int, as_json: bool) -> None:
    """
    Print the first `limit` entries, for people or as one JSON document.

    Raises:
        JournalError: The journal is there but cannot be read.
    """
    # A process of half a second has no garbage worth looking for among ten thousand rows.
    gc.disable()
    snapshot = take_snapshot(root)
    board = read_board(snapshot)
    shown = entries(board, snapshot.task.yardstick, limit)
    if as_json:
        print_json(document(snapshot, board, shown))
        return
    from cli.leaderboard_view import print_board

    print_board(console(), snapshot, board, shown, now_ms=time.time_ns() // 1_000_000)


def read_board(snapshot: Snapshot) -> Board:
    """The board of the home's task; an empty one where nothing was ever stored."""
    try:
        with Journal.open(snapshot.journal, read_only=True) as journal:
            return load_board(journal)
    except JournalMissing:
        return Board()


def document(snapshot: Snapshot, board: Board, shown: list[Entry]) -> dict[str, object]:
    """The leaderboard as `--json` shows it; what is not known is null."""
    return {
        "task": snapshot.task.document(),
        "experiments": board.experiments,
        "records": board.records,
        "peers": snapshot.peers,
        "entries": [entry.document() for entry in shown],
    }

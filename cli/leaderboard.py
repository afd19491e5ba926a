"""
`swarm leaderboard`: the changes that helped, best first.

Law: quick. Reads the board's stored view and the few records after it, and
imports nothing that only a node needs.
"""

import gc
import time
from pathlib import Path

from cli.failures import CommandError
from cli.output import console, print_json
from cli.snapshot import Snapshot, take_snapshot
from gossip import trust_file
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.board import Board
from swarm.findings import State
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.viewpoint import NEUTRAL, Viewpoint
from swarm.wear import Wear, wear


def leaderboard(
    root: Path, *, limit: int, as_json: bool, state: State | None = None, mine: bool = False
) -> None:
    """
    Print the first `limit` entries, for people or as one JSON document.

    Args:
        state: Only the entries in this state; their ranks stay.
        mine: From this node's own viewpoint; from the neutral one otherwise.

    Raises:
        JournalError: The journal is there but cannot be read.
        HomeError: The list of trusted peers cannot be read.
        CommandError: `mine`, where there is nobody to believe.
    """
    # A process of half a second has no garbage worth looking for among ten thousand rows.
    gc.disable()
    snapshot = take_snapshot(root)
    board = read_board(snapshot)
    viewpoint = own_viewpoint(snapshot) if mine else NEUTRAL
    places = ranked(board, snapshot.task.yardstick, viewpoint)
    wanted = [place for place in places if state is None or place.finding.state == state]
    found, yardstick = [place.finding for place in places], snapshot.task.yardstick
    shown = rows(board, wanted[:limit], published_holdouts(board, found, yardstick))
    gauge = wear(board, found, yardstick)
    if as_json:
        print_json(document(snapshot, board, shown, gauge))
        return
    from cli.leaderboard_view import Scope, print_board

    scope = Scope(len(wanted), state, mine)
    print_board(console(), snapshot, board, shown, scope, gauge, now_ms=time.time_ns() // 1_000_000)


def own_viewpoint(snapshot: Snapshot) -> Viewpoint:
    """
    What this node believes: its own replications, and those of the peers its owner named.

    Raises:
        HomeError: The list of trusted peers cannot be read.
        CommandError: There is no identity here and nobody is named.
    """
    anchors = trust_file.load(snapshot.home.trust)
    if snapshot.peer_id is not None:
        anchors |= {snapshot.peer_id}
    if not anchors:
        raise CommandError(
            "this home has no identity yet, so it believes nobody: `swarm start` makes one"
        )
    return Viewpoint(anchors)


def read_board(snapshot: Snapshot) -> Board:
    """The board of the home's task; an empty one where nothing was ever stored."""
    try:
        with Journal.open(snapshot.journal, read_only=True) as journal:
            return load_board(journal)
    except JournalMissing:
        return Board()


def document(
    snapshot: Snapshot, board: Board, shown: list[Entry], gauge: Wear
) -> dict[str, object]:
    """The leaderboard as `--json` shows it; what is not known is null."""
    return {
        "task": snapshot.task.document(),
        "experiments": board.experiments,
        "records": board.records,
        "peers": snapshot.peers,
        "entries": [entry.document() for entry in shown],
        "wear": gauge.document(),
    }

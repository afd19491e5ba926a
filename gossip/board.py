"""
The board that a journal's records make, quickly: a stored view plus what came after.

Law: a view is a cache. Without one, or with one that this version cannot read,
the same board comes from the records alone, only slower.
"""

from collections.abc import Iterator

from gossip.journal import Journal
from swarm.board import Board, ViewError, from_view, to_view
from swarm.records import Record, RecordId

VIEW = "board"
_LOOK_BACK_ROWS = 10_000


def load_board(journal: Journal) -> Board:
    """The board of every record in the journal."""
    row, board = _stored(journal)
    return board.with_records(_records(journal, row))


def save_board(journal: Journal, board: Board) -> bool:
    """
    Store `board` as a view, up to the newest record that is on it.

    The board may lag behind the journal, as long as records reach both in the
    same order.

    Returns:
        Whether it was stored; not when it lags too far behind, or is empty.
    """
    on_board = (
        row
        for row, record_id in journal.newest(_LOOK_BACK_ROWS)
        if record_id in board.wins or record_id in board.replications or record_id in board.trials
    )
    row = next(on_board, None)
    if row is None:
        return False
    journal.set_view(VIEW, row, to_view(board))
    return True


def _stored(journal: Journal) -> tuple[int, Board]:
    view = journal.view(VIEW)
    if view is None:
        return 0, Board()
    try:
        return view[0], from_view(view[1])
    except ViewError:
        return 0, Board()


def _records(journal: Journal, row: int) -> Iterator[tuple[RecordId, Record]]:
    for _, stored in journal.replay(row):
        yield stored.id, journal.read(stored.envelope)

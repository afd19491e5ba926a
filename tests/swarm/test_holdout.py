"""What the board says of the holdout, finding by finding."""

import pytest

from swarm.board import Board
from swarm.findings import findings
from swarm.holdout import published_holdouts
from tests.swarm.replicated_samples import YARDSTICK, board_of


def published(board: Board) -> list[float | None]:
    said = published_holdouts(board, findings(board, YARDSTICK), YARDSTICK)
    order = sorted(board.wins, key=lambda record: board.wins[record].created_at_ms)
    return [said.get(record) for record in order]


def test_a_lineage_that_gets_better_is_shown_step_by_step() -> None:
    """Each win falls by 0.03 on the holdout, from 3.7; the task's step is 0.005."""
    assert published(board_of([0.0] * 4, [0.0] * 4)) == pytest.approx([3.67, 3.64, 3.61, 3.58])


def test_what_is_no_better_than_the_best_is_not_shown() -> None:
    """The second and the fourth win gain nothing on the holdout."""
    board = board_of([0.0] * 4, [0.0, -0.03, 0.01, -0.029])
    assert published(board) == [pytest.approx(3.67), None, pytest.approx(3.63), None]


def test_what_nobody_replicated_has_no_holdout() -> None:
    board = board_of([0.0] * 3, [0.0] * 3)
    assert published(Board(board.wins, {})) == [None] * 3
    assert published(board_of([0.0] * 3)) == [None] * 3


def test_the_order_of_findings_is_nothing() -> None:
    board = board_of([0.0] * 5, [0.0, -0.03, 0.01, 0.0, -0.04])
    found = findings(board, YARDSTICK)
    assert published_holdouts(board, found[::-1], YARDSTICK) == published_holdouts(
        board, found, YARDSTICK
    )

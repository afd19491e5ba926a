"""The board from a stored view is the board from the records."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from gossip.board import VIEW, load_board, save_board
from gossip.journal import Journal, Stored
from gossip.journal_faults import JournalCorrupt
from gossip.wins import JournalWins
from swarm.board import Board
from swarm.cid import cid_of
from swarm.records import Win, encode
from tests.swarm.record_samples import ANN, WIN


def win(number: int) -> Win:
    return replace(WIN, created_at_ms=WIN.created_at_ms + number, tree=f"{number:064x}")


def stored(record: Win) -> Stored:
    envelope = ANN.seal(record)
    return Stored(cid_of(encode(record)), "win", ANN.peer_id, record.created_at_ms, envelope)


def board_of(*records: Win) -> Board:
    return Board().with_records((cid_of(encode(record)), record) for record in records)


@pytest.fixture
def journal(tmp_path: Path) -> Generator[Journal]:
    with Journal.open(tmp_path / "j") as journal:
        yield journal


def test_without_a_view_every_record_is_read(journal: Journal) -> None:
    journal.append([stored(win(1)), stored(win(2))])
    assert load_board(journal) == board_of(win(1), win(2))


def test_only_records_after_the_view_are_read(journal: Journal) -> None:
    """What the view says of earlier records stands, even where it differs from them."""
    journal.append([stored(win(1)), stored(win(2))])
    marked = board_of(win(1), win(2)).with_invalid([stored(win(1)).id])
    assert save_board(journal, marked)
    journal.append([stored(win(3))])
    board = load_board(journal)
    assert board.wins == board_of(win(1), win(2), win(3)).wins
    assert board.invalid == {stored(win(1)).id}


def test_a_board_that_lags_is_stored_up_to_where_it_is(journal: Journal) -> None:
    journal.append([stored(win(1)), stored(win(2)), stored(win(3))])
    assert save_board(journal, board_of(win(1)))
    view = journal.view(VIEW)
    assert view is not None and view[0] == 1
    assert load_board(journal) == board_of(win(1), win(2), win(3))


def test_an_empty_board_is_not_stored(journal: Journal) -> None:
    assert not save_board(journal, Board())
    journal.append([stored(win(1))])
    assert not save_board(journal, Board())
    assert load_board(journal) == board_of(win(1))


def test_a_damaged_view_is_rebuilt(journal: Journal) -> None:
    journal.append([stored(win(1))])
    journal.set_view(VIEW, 1, b"damaged")
    assert load_board(journal) == board_of(win(1))


def test_dropped_records_leave_the_next_board(journal: Journal) -> None:
    journal.append([stored(win(1)), stored(win(2))])
    save_board(journal, load_board(journal))
    journal.drop([stored(win(1)).id])
    assert load_board(journal) == board_of(win(2))


def test_a_flipped_byte_in_a_record_names_the_file_and_the_rescue(journal: Journal) -> None:
    good = stored(win(1))
    flipped = bytearray(good.envelope)
    flipped[len(flipped) // 2] ^= 1
    journal.append([replace(good, envelope=bytes(flipped))])
    for read in (lambda: load_board(journal), lambda: JournalWins(journal)[good.id]):
        with pytest.raises(JournalCorrupt, match=r"/j is damaged .*swarm verify --rescue"):
            read()

"""Strangers share a tenth of a node's compute until one of their wins was confirmed here."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from swarm.board import Board
from swarm.cid import cid_of
from swarm.findings import findings
from swarm.newcomers import NEWCOMERS_SHARE, Piece, Spending, draw, known_authors
from swarm.records import PeerId, Record
from swarm.viewpoint import Viewpoint
from tests.swarm.record_samples import ANN, BOB, Author
from tests.swarm.replication_samples import YARDSTICK, replication_of
from tests.swarm.win_samples import BASELINE, turned, win_of

ME, EVE, DAN = Author(7), Author(8), Author(9)
ANNS, ANNS_WIN = win_of(None, BASELINE, turned(BASELINE, LR=0.2), author=ANN)


def known(*records: Record) -> set[PeerId]:
    """Whom a node knows that holds these records and its own."""
    named = [(cid_of(repr(record).encode()), record) for record in records]
    board = Board().with_records([(ANNS, ANNS_WIN), *named])
    anchors = frozenset({ME.peer_id})
    found = findings(board, YARDSTICK, Viewpoint(anchors))
    return known_authors(board, found, anchors, YARDSTICK)


def test_a_claim_alone_makes_nobody_known() -> None:
    assert known() == {ME.peer_id}


def test_a_win_that_held_up_here_makes_its_author_known() -> None:
    assert known(replication_of(ANNS, ME, gain=0.3)) == {ME.peer_id, ANN.peer_id}


@pytest.mark.parametrize("gain", [0.0, -0.3, 0.03])
def test_a_check_without_a_clear_gain_does_not(gain: float) -> None:
    """Half of `min_effect` on three seeds is what chance gives one null in three."""
    assert known(replication_of(ANNS, ME, gain=gain)) == {ME.peer_id}


def test_sybils_do_not_make_each_other_known() -> None:
    said = [replication_of(ANNS, sybil, gain=0.5) for sybil in (BOB, EVE, DAN)]
    assert known(*said) == {ME.peer_id}


def test_what_this_node_built_on_makes_its_author_known() -> None:
    _, own = win_of(None, BASELINE, turned(BASELINE, LR=0.2), author=ME, parents=(ANNS,))
    assert known(own) == {ME.peer_id, ANN.peer_id}
    _, eves = win_of(None, BASELINE, turned(BASELINE, LR=0.2), author=EVE, parents=(ANNS,))
    assert known(eves) == {ME.peer_id}, "what others built on says nothing"


def test_a_copy_earns_nothing_by_the_check_of_what_it_copied() -> None:
    """Not even one dated back: the check names the win that was here."""
    copy = replace(ANNS_WIN, author=EVE.peer_id, created_at_ms=1)
    assert known(copy, replication_of(ANNS, ME, gain=0.3)) == {ME.peer_id, ANN.peer_id}


def test_a_lie_takes_away_what_a_true_win_gave() -> None:
    """An author whose claims fail as often as they hold is a newcomer again."""
    _, lie_win = win_of(None, BASELINE, turned(BASELINE, LR=0.3), author=ANN)
    named = cid_of(repr(lie_win).encode())
    good, bad = replication_of(ANNS, ME, gain=0.3), replication_of(named, ME, gain=0.0)
    assert ANN.peer_id in known(lie_win, good)
    assert ANN.peer_id not in known(lie_win, good, bad)


@pytest.mark.parametrize("names", [1, 3, 50])
def test_who_is_looked_at_is_drawn_by_lot(names: int) -> None:
    """Each newcomer alike, whatever it claims; one that came to nothing ten times, seldom."""
    uniform = random.Random(5).random
    failures = {f"peer {number}": 0 for number in range(names)} | {"liar": 10}
    drawn = Counter(draw(failures, uniform) for _ in range(5000))
    fair = 5000 / (names + 1 / 11)
    assert all(0.6 * fair < drawn[peer] < 1.4 * fair for peer in failures if peer != "liar")
    assert 0 < drawn["liar"] < 0.25 * fair
    assert draw({}, uniform) is None


def test_newcomers_get_their_tenth_and_no_more_whatever_their_names() -> None:
    """Ten thousand pieces by two workers, newcomers always waiting, each under another name."""
    uniform, spending, under_way = random.Random(4).random, Spending(), list[Piece]()
    seconds = {True: 0.0, False: 0.0}
    for number in range(10_000):
        new = spending.has_room_for_newcomers({"known"})
        piece = Piece(authors=frozenset({f"newcomer {number}" if new else "known"}))
        spending.begin(piece)
        under_way.append(piece)
        if len(under_way) == 2:
            done = under_way.pop(0)
            took = 10 * (0.5 + uniform())
            seconds["known" not in done.authors] += took
            spending.end(done, took)
    assert 0.09 < seconds[True] / sum(seconds.values()) < NEWCOMERS_SHARE + 0.01


def test_who_becomes_known_is_not_charged_any_more() -> None:
    """So an honest newcomer opens the door for the next one."""
    spending = Spending()
    for piece in (Piece(), Piece(authors=frozenset({"ann"}))):
        spending.begin(piece)
        spending.end(piece, 10.0)
    assert not spending.has_room_for_newcomers(set())
    assert spending.has_room_for_newcomers({"ann"})


def test_a_piece_under_way_counts() -> None:
    """Workers that choose at the same moment do not all choose a check."""
    spending = Spending()
    spending.begin(Piece())
    spending.end(Piece(), 10.0)
    chosen = 0
    for _ in range(10):
        check = spending.has_room(lambda piece: piece.check, 0.2)
        spending.begin(Piece(check=check))
        chosen += check
    assert chosen == 2


def test_a_share_is_kept_over_a_long_run() -> None:
    """Checks of any length take their share of the time, and a share of nothing is none."""
    uniform, spending = random.Random(1).random, Spending()
    seconds = {True: 0.0, False: 0.0}
    while sum(seconds.values()) < 10_000:
        check = spending.has_room(lambda piece: piece.check, 0.2)
        took = (60 if check else 10) * (0.5 + uniform())
        spending.begin(Piece(check=check))
        spending.end(Piece(check=check), took)
        seconds[check] += took
    assert 0.19 < seconds[True] / sum(seconds.values()) < 0.22
    assert not spending.has_room(lambda piece: piece.check, 0.0)
    assert not Spending().has_room(lambda piece: piece.check, 0.2)


def test_nodes_that_do_not_live_long_keep_the_share_together() -> None:
    """A check costs four experiments, a node makes eight: some check once, most never."""
    uniform = random.Random(2).random
    checks = 0
    for _ in range(1000):
        spending, lot = Spending(), 4 * uniform()
        while spending.seconds(lambda piece: True) < 8:
            check = spending.has_room(lambda piece: piece.check, 0.2, lot)
            lot = 4 * uniform() if check else lot
            spending.begin(Piece(check=check))
            spending.end(Piece(check=check), 4.0 if check else 1.0)
            checks += check
    assert 0.1 < checks * 4 / (8 * 1000) < 0.25

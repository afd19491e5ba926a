"""Which win is checked next: by what is at stake, how few looked, and who says it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from swarm.board import Board
from swarm.challenge import select
from swarm.cid import cid_of
from swarm.findings import findings
from swarm.records import Pair, Replication
from swarm.replication import (
    CHECKS_WANTED,
    LEAST_DOUBT,
    LEFT_BY_STRANGERS,
    MOST_GAIN,
    MOST_PEERS,
    OpenWin,
    Reputation,
    chance,
    next_win,
    open_wins,
    reputations,
)
from swarm.validation import challenge_message
from swarm.verdict import Yardstick
from swarm.viewpoint import Viewpoint
from tests.swarm.record_samples import ANN, BOB, REPLICATION, Author
from tests.swarm.win_samples import BASELINE, turned, win_of

RULE = Yardstick("minimize", sigma=0.05, min_effect=0.05, seeds=1_000_000)

WIN = OpenWin("bwin", "12D3stranger", gain=1.0, checks=0, adopters=0)


def always() -> float:
    """A draw that brings every win up that can come up."""
    return 0.0


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (replace(WIN, record="bother", gain=3.0), "it claims more"),
        (replace(WIN, record="bother", adopters=2), "others built on it"),
    ],
)
def test_the_win_with_more_at_stake_comes_first(other: OpenWin, why: str) -> None:
    """What is claimed and what stands on it both count."""
    assert next_win([WIN, other], {}, peers=1, uniform=always) == other, why
    checked = replace(other, checks=3)
    assert next_win([WIN, checked], {}, peers=1, uniform=always) == WIN


def test_a_boast_is_worth_no_more_than_a_bound() -> None:
    """A win that claims the moon is not more urgent than one that claims much."""
    much, moon = (replace(WIN, record=f"b{gain}", gain=gain) for gain in (MOST_GAIN, 1e12))
    order = {
        next_win(wins, {}, peers=1, uniform=always)
        for wins in ([much, moon], [replace(much, record="bz"), replace(moon, record="ba")])
    }
    assert len(order) == 2


def test_an_author_whose_wins_failed_waits_behind_the_others() -> None:
    """A liar's flood does not keep honest wins from being checked."""
    liar = replace(WIN, record="blie", author="12D3liar", gain=5.0)
    failed = {"12D3liar": Reputation(failed=9)}
    assert next_win([WIN, liar], {}, peers=1, uniform=always) == liar
    assert next_win([WIN, liar], failed, peers=1, uniform=always) == WIN


def test_a_reliable_author_is_checked_less_but_never_not_at_all() -> None:
    """However many wins held up."""
    shares = [chance(0, Reputation(held=held), 1) for held in (0, 1, 2, 10, 10_000)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0 and shares[-1] == LEAST_DOUBT > 0


@pytest.mark.parametrize("peers", [4, 20, 60])
def test_a_swarm_checks_a_win_about_as_often_as_wanted(peers: int) -> None:
    """Round by round, whoever is up checks; the count settles at a few, whatever the size."""
    uniform = random.Random(3).random
    counts: list[int] = []
    for _ in range(40):
        checks = 0
        for _ in range(5):
            wins = [replace(WIN, checks=checks)]
            checks += sum(
                next_win(wins, {}, peers=peers, uniform=uniform) is not None for _ in range(peers)
            )
        counts.append(checks)
    assert CHECKS_WANTED <= sum(counts) / len(counts) <= 2 * CHECKS_WANTED
    assert min(counts) >= 2


def test_enough_is_enough() -> None:
    """A win that was checked four times is left alone."""
    assert next_win([replace(WIN, checks=CHECKS_WANTED)], {}, peers=1, uniform=always) is None
    assert next_win([], {}, peers=1, uniform=always) is None


def test_pretended_peers_do_not_end_the_checking() -> None:
    """A million of them leave the odds of a large swarm."""
    assert chance(0, Reputation(), 10**6) == chance(0, Reputation(), MOST_PEERS) > 0.05


def test_what_is_open_and_whose_wins_held_up() -> None:
    """Own and checked wins are not open, equal claims are open once; voices make reputations."""
    one, two = turned(BASELINE, LR=0.2), turned(BASELINE, LR=0.3)
    real, real_win = win_of(None, BASELINE, one, author=ANN)
    _, copy = win_of(None, BASELINE, one, author=BOB, created_at_ms=real_win.created_at_ms + 1)
    lie, lie_win = win_of(None, BASELINE, two, author=BOB)
    board = Board().with_records([(real, real_win), (cid_of(b"copy"), copy), (lie, lie_win)])
    dora, eve = Author(4), Author(5)
    assert {win.record for win in open_of(board, dora)} == {real, lie}
    assert {win.record for win in open_of(board, ANN)} == {lie}
    assert open_of(board, BOB) == []

    checked = board.with_records(
        [
            (cid_of(b"1"), replication_by(dora, real, gain=0.2)),
            (cid_of(b"2"), replication_by(dora, lie, gain=0.0)),
        ]
    )
    assert open_of(checked, dora) == []
    assert {win.record: win.checks for win in open_of(checked, eve)} == {real: 1, lie: 1}
    known = reputations(checked, findings(checked, RULE))
    assert known == {
        ANN.peer_id: Reputation(held=1),
        BOB.peer_id: Reputation(held=1, failed=1),
    }


def test_made_up_checks_do_not_end_the_checking() -> None:
    """Sybils vouch for a lie as often as they like: it stays open to whom they are strangers."""
    lie, lie_win = win_of(None, BASELINE, turned(BASELINE, LR=0.2), author=ANN)
    sybils = [replication_by(Author(number), lie, gain=0.5) for number in range(10, 30)]
    board = Board().with_records(
        [(lie, lie_win), *((cid_of(bytes([n])), said) for n, said in enumerate(sybils))]
    )
    (seen,) = open_of(board, BOB)
    assert seen.checks == CHECKS_WANTED - LEFT_BY_STRANGERS
    assert chance(seen.checks, Reputation(), peers=4) > 0


def test_a_copy_dated_back_is_not_the_one_that_is_checked() -> None:
    """Of equal claims it is the one that came here first, whatever dates they bear."""
    first, win = win_of(None, BASELINE, turned(BASELINE, LR=0.2), author=ANN)
    copy = replace(win, author=BOB.peer_id, created_at_ms=1)
    board = Board().with_records([(first, win), (cid_of(b"copy"), copy)])
    assert findings(board, RULE)[0].records[0] != first
    assert [each.record for each in open_of(board, Author(4))] == [first]


def open_of(board: Board, author: Author) -> list[OpenWin]:
    mine = findings(board, RULE, Viewpoint(frozenset({author.peer_id})))
    return open_wins(board, findings(board, RULE), mine, author.peer_id, RULE)


def replication_by(author: Author, win: str, gain: float) -> Replication:
    """What an author measured of a win, on the seeds that its signature draws."""
    signature = author.sign(challenge_message(win))
    base = 3_000_000_000
    return replace(
        REPLICATION,
        author=author.peer_id,
        win=win,
        challenge=signature,
        challenge_pairs=tuple(
            Pair(seed, base + seed, base + seed - round(gain * 1e9) + seed % 7)
            for seed in select(signature, RULE).seeds
        ),
    )

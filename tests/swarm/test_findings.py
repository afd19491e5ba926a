"""Findings: replications of any of their wins count for all, from every viewpoint."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from swarm.board import Board, from_view, merge, to_view
from swarm.cid import cid_of
from swarm.findings import Finding, findings, verdicts
from swarm.records import Record, RecordId, Win, encode
from swarm.viewpoint import NEUTRAL, Viewpoint
from tests.swarm.record_samples import ANN, BOB, Author
from tests.swarm.replication_samples import YARDSTICK, identified, replication_of
from tests.swarm.win_samples import BASELINE, pairs_around, turned, win_of

CAT, DAN, EVE = Author(3), Author(4), Author(5)
TREES = [turned(BASELINE, LR=float(number)) for number in range(1, 6)]

WINS = [win_of(None, BASELINE, tree, author=ANN, pairs=pairs_around(3.2)) for tree in TREES]
TWIN = win_of(None, BASELINE, TREES[0], author=EVE, pairs=pairs_around(3.3))
FIRST = WINS[0][0]


def checks(win: RecordId, gain: float, *authors: Author) -> list[tuple[RecordId, Record]]:
    return [identified(replication_of(win, author, gain)) for author in authors]


def only(board: Board, viewpoint: Viewpoint = NEUTRAL) -> Finding:
    (found,) = [each for each in findings(board, YARDSTICK, viewpoint) if FIRST in each.records]
    return found


def board_of(*records: tuple[RecordId, Record]) -> Board:
    return Board().with_records(records)


def test_replications_of_equal_wins_count_together() -> None:
    board = board_of(WINS[0], TWIN, *checks(FIRST, 0.4, BOB), *checks(TWIN[0], 0.4, CAT))
    assert (only(board).state, only(board).verdict.voices) == ("replicated", 2)
    assert verdicts(board, YARDSTICK)[TWIN[0]] == only(board).verdict


def test_who_claims_the_same_is_no_second_voice() -> None:
    """A sybil cannot copy a win and then replicate the original."""
    board = board_of(WINS[0], TWIN, *checks(FIRST, 0.4, BOB, EVE))
    assert (only(board).state, only(board).verdict.voices) == ("claimed", 1)


def simpler(win: tuple[RecordId, Win], author: Author = ANN) -> tuple[RecordId, Win]:
    """The same change, claimed to be simpler and as good."""
    as_good = pairs_around(3.6)
    claim = replace(win[1], author=author.peer_id, family="simplify", pairs=as_good)
    return cid_of(encode(claim)), claim


def test_what_is_simpler_need_not_gain() -> None:
    """Replications that show no gain bear it out; those that show a loss refute it."""
    claim = simpler(WINS[0])
    states = [
        findings(board_of(claim, *checks(claim[0], gain, BOB, CAT, DAN)), YARDSTICK)[0].state
        for gain in (0.4, 0.0, -0.4)
    ]
    assert states == ["replicated", "replicated", "refuted"]


def test_a_gain_in_the_family_of_simplifications_is_held_to_it() -> None:
    """What its own pairs show to gain claims a gain."""
    claim = replace(WINS[0][1], family="simplify")
    record = cid_of(encode(claim))
    board = board_of((record, claim), *checks(record, -0.1, BOB, CAT, DAN))
    (found,) = findings(board, YARDSTICK)
    assert (found.simpler, found.state) == (False, "refuted")


def test_to_gain_and_to_be_simpler_are_two_claims() -> None:
    """Nobody changes what another claimed by claiming the other thing, nor gets a voice by it."""
    other = simpler(WINS[0], EVE)
    board = board_of(WINS[0], other, *checks(FIRST, 0.4, BOB, EVE))
    assert len(findings(board, YARDSTICK)) == 2
    assert (only(board).simpler, only(board).verdict.voices) == (False, 1)


def test_a_replication_of_what_is_not_here_waits() -> None:
    early = board_of(*checks(FIRST, 0.4, BOB, CAT))
    assert findings(early, YARDSTICK) == []
    assert only(merge(early, board_of(WINS[0]))).state == "replicated"


def test_invalid_and_incomplete_wins_stay_so_whatever_others_say() -> None:
    board = board_of(WINS[0], *checks(FIRST, 0.4, BOB, CAT))
    assert only(board.with_invalid([FIRST])).state == "invalid"
    orphan = replace(WINS[0][1], base=WINS[1][0])
    waiting = board_of((FIRST, orphan), *checks(FIRST, 0.4, BOB, CAT))
    assert only(waiting).state == "incomplete"
    assert FIRST not in verdicts(waiting, YARDSTICK)


def test_sybils_convince_the_shared_board_but_not_this_node() -> None:
    """The honest limit of counting voices: strangers are free."""
    board = board_of(WINS[0], *checks(FIRST, 0.9, CAT, DAN, EVE))
    assert only(board).state == "replicated"
    assert only(board, Viewpoint(frozenset({BOB.peer_id}))).verdict.voices == 0


def test_this_node_hears_a_stranger_who_agreed_with_it() -> None:
    mine = Viewpoint(frozenset({BOB.peer_id}))
    history = [each for win, _ in WINS[1:4] for each in checks(win, 0.4, BOB, CAT)]
    board = board_of(*WINS, *history, *checks(FIRST, 0.4, BOB, CAT, DAN))
    assert (only(board, mine).state, only(board, mine).verdict.voices) == ("replicated", 2)
    assert only(board).verdict.voices == 3


records = st.lists(
    st.sampled_from(
        [
            *WINS,
            TWIN,
            *(check for win, _ in WINS for check in checks(win, 0.4, BOB, CAT, DAN)),
            *checks(FIRST, -0.4, EVE),
        ]
    ),
    max_size=25,
)


@given(records)
def test_every_node_says_the_same_of_the_same_records(
    held: list[tuple[RecordId, Record]],
) -> None:
    here = board_of(*held)
    there = merge(board_of(*held[::2]), board_of(*held[1::2][::-1]))
    assert _by_win(here) == _by_win(there)
    assert verdicts(from_view(to_view(here)), YARDSTICK) == verdicts(here, YARDSTICK)


def _by_win(board: Board) -> dict[RecordId, Finding]:
    return {finding.records[0]: finding for finding in findings(board, YARDSTICK)}

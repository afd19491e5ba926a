"""The board: the same for every peer, whatever order the records came in."""

import json
from collections.abc import Iterable
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.board import Board, ViewError, from_view, merge, states, to_view
from swarm.cid import cid_of
from swarm.findings import findings
from swarm.leaderboard import Entry, entries
from swarm.records import Pair, Record, RecordId, Trials, encode
from swarm.verdict import Yardstick
from tests.swarm.record_samples import ANN, BOB, NOW_MS, REPLICATION, TRIALS, Author
from tests.swarm.win_samples import BASELINE, pairs_around, turned, win_of

YARDSTICK = Yardstick("minimize", sigma=0.05, min_effect=0.05, seeds=1_000_000)
CAT = Author(3)
FAST, DEEP = turned(BASELINE, LR=1.0), turned(BASELINE, LAYERS=4)
FAST_DEEP = turned(FAST, LAYERS=4)

FIRST, first = win_of(None, BASELINE, FAST, pairs=pairs_around(3.0))
SAME, same = win_of(
    None, BASELINE, FAST, author=BOB, parents=(FIRST,), pairs=pairs_around(3.1, seeds=(4, 5)),
    created_at_ms=NOW_MS + 5,
)  # fmt: skip
OTHER, other = win_of(None, BASELINE, DEEP, author=CAT, pairs=pairs_around(3.4))
FOLD, fold = win_of(FIRST, FAST, FAST_DEEP, author=BOB, parents=(OTHER,), pairs=pairs_around(2.9))
ORPHAN, orphan = win_of(cid_of(b"elsewhere"), FAST, FAST_DEEP, pairs=pairs_around(1.0))

POOL: list[tuple[RecordId, Record]] = [
    *[(FIRST, first), (SAME, same), (OTHER, other), (FOLD, fold), (ORPHAN, orphan)],
    *[(cid_of(encode(record)), record) for record in (REPLICATION, TRIALS)],
]

record_lists = st.lists(st.sampled_from(POOL), max_size=12)
invalid_ids = st.frozensets(st.sampled_from([FIRST, OTHER, FOLD]), max_size=2)


def board_of(records: Iterable[tuple[RecordId, Record]], invalid: Iterable[RecordId] = ()) -> Board:
    return Board().with_records(records).with_invalid(invalid)


boards = st.builds(board_of, record_lists, invalid_ids)


@given(boards, boards, boards)
def test_gossip_order_does_not_matter(a: Board, b: Board, c: Board) -> None:
    """Merge is commutative, associative and idempotent."""
    assert merge(a, b) == merge(b, a)
    assert merge(a, merge(b, c)) == merge(merge(a, b), c)
    assert merge(a, a) == a
    assert merge(a, Board()) == a


@given(record_lists, st.data())
def test_entries_are_a_function_of_the_set(
    records: list[tuple[RecordId, Record]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records))
    one_by_one = Board()
    for record_id, record in [*shuffled, *records]:
        one_by_one = one_by_one.with_record(record_id, record)
    assert one_by_one == board_of(records)
    assert entries(one_by_one, YARDSTICK) == entries(board_of(records), YARDSTICK)
    assert to_view(one_by_one) == to_view(board_of(records))


@given(boards)
def test_a_view_brings_the_board_back(board: Board) -> None:
    again = from_view(to_view(board))
    assert again == board
    assert entries(again, YARDSTICK) == entries(board, YARDSTICK)


@given(boards, st.data())
def test_a_damaged_view_is_noticed(board: Board, data: st.DataObject) -> None:
    view = bytearray(to_view(board))
    at = data.draw(st.integers(0, len(view) - 1))
    view[at] ^= data.draw(st.integers(1, 255))
    for damaged in (bytes(view), to_view(board)[:at], b""):
        with pytest.raises(ViewError):
            from_view(damaged)


def test_the_best_mean_value_leads() -> None:
    board = board_of(POOL)
    ranked = entries(board, YARDSTICK)
    assert [entry.record for entry in ranked] == [FOLD, FIRST, OTHER, ORPHAN]
    assert [entry.rank for entry in ranked] == [1, 2, 3, 4]
    best_is_high = entries(board, replace(YARDSTICK, direction="maximize"))
    assert [entry.record for entry in best_is_high] == [OTHER, FIRST, FOLD, ORPHAN]
    assert entries(board, YARDSTICK, limit=2) == ranked[:2]


def test_one_tree_on_one_base_is_one_entry_with_shared_evidence() -> None:
    entry = entries(board_of([(SAME, same), (FIRST, first)]), YARDSTICK)[0]
    assert entry.record == FIRST, "the first claim stands for both"
    assert entry.pairs == 5
    pairs = (*first.pairs, *same.pairs)
    assert entry.value == pytest.approx(sum(pair.candidate_nano for pair in pairs) / 5e9)
    assert entry.adopters == (BOB.peer_id,)


def test_equal_pairs_count_once() -> None:
    twin, twin_win = win_of(None, BASELINE, FAST, author=BOB, pairs=first.pairs)
    board = board_of([(FIRST, first), (twin, twin_win)])
    assert len(findings(board, YARDSTICK)) == 1
    assert entries(board, YARDSTICK)[0].pairs == 3


def test_one_tree_on_two_bases_is_two_entries() -> None:
    direct, direct_win = win_of(None, BASELINE, FAST_DEEP, pairs=pairs_around(2.8))
    ranked = entries(board_of([(FIRST, first), (FOLD, fold), (direct, direct_win)]), YARDSTICK)
    assert [entry.record for entry in ranked] == [direct, FOLD, FIRST]


def test_a_false_copy_shares_nothing_with_the_win_it_copies() -> None:
    false = replace(same, diff="nonsense")
    false_id = cid_of(encode(false))
    ranked = entries(board_of([(FIRST, first), (false_id, false)], [false_id]), YARDSTICK)
    assert [(entry.record, entry.state, entry.pairs) for entry in ranked] == [
        (FIRST, "claimed", 3),
        (false_id, "invalid", 2),
    ]


def test_states_follow_the_base() -> None:
    board = board_of([(FIRST, first), (FOLD, fold), (ORPHAN, orphan)])
    assert states(board) == {FIRST: "claimed", FOLD: "claimed", ORPHAN: "incomplete"}
    assert states(board.with_invalid([FIRST])) == {
        FIRST: "invalid",
        FOLD: "invalid",
        ORPHAN: "incomplete",
    }
    assert states(board_of([(FOLD, fold)])) == {FOLD: "incomplete"}


def test_states_of_nonsense_end() -> None:
    a, b = cid_of(b"a"), cid_of(b"b")
    board = board_of([(a, replace(first, base=b)), (b, replace(first, base=a))])
    assert states(board) == {a: "incomplete", b: "incomplete"}


def test_an_entry_says_what_programs_expect() -> None:
    document = entries(board_of(POOL), YARDSTICK)[1].document()
    assert document == {
        "rank": 2,
        "record": FIRST,
        "author": ANN.peer_id,
        "nickname": "ann",
        "title": "Ten times the learning rate",
        "family": "learning_rate",
        "state": "claimed",
        "replications": 0,
        "value": pytest.approx((3.0005 + 3.001 + 3.0015 + 3.102 + 3.1025) / 5),
        "holdout": None,
        "effect": pytest.approx(-0.5615),
        "effect_low": pytest.approx(-0.56150 - 0.06716, abs=1e-5),
        "effect_high": pytest.approx(-0.56150 + 0.06716, abs=1e-5),
        "pairs": 5,
        "base": None,
        "parents": [],
        "adopters": [BOB.peer_id],
        "hardware": "cpu-laptop",
        "created_at": "2026-09-21T14:13:20.000Z",
    }
    assert list(document) == [each.name for each in fields(Entry)]
    assert json.loads(json.dumps(document))["parents"] == []


def test_a_peer_has_one_name_its_newest() -> None:
    renamed = replace(other, author=ANN.peer_id, nickname="new", created_at_ms=NOW_MS + 9)
    board = board_of([(FIRST, replace(first, nickname="old")), (OTHER, renamed)])
    rows = entries(board, YARDSTICK)
    assert [(row.author, row.nickname) for row in rows] == [(ANN.peer_id, "new")] * 2


def test_one_pair_has_no_interval() -> None:
    single, win = win_of(None, BASELINE, FAST, pairs=(Pair(1, 3_600_000_000, 3_000_000_000),))
    entry = entries(board_of([(single, win)]), YARDSTICK)[0]
    assert (entry.effect, entry.effect_low, entry.effect_high) == (-0.6, None, None)


def test_experiments_are_wins_other_trials_and_replications() -> None:
    losing = replace(TRIALS.trials[0], outcome="no_gain")
    winning = replace(TRIALS.trials[0], outcome="win", tree="0b" * 32)
    batch: Trials = replace(TRIALS, trials=(losing, winning))
    board = board_of([(FIRST, first), (cid_of(b"r"), REPLICATION), (cid_of(b"t"), batch)])
    assert (board.experiments, board.records) == (3, 3)


def test_records_that_are_no_longer_kept_leave_the_board() -> None:
    board = board_of(POOL, [FIRST])
    gone = [record_id for record_id, _ in POOL]
    assert board.without(gone[:2]) == board_of(POOL[2:])
    assert board.without(gone) == Board()

"""Ranking: numpy's least squares is the oracle, and the order follows from the fit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import stdtrit

from swarm.board import Board
from swarm.cid import cid_of
from swarm.leaderboard import entries, ranked
from swarm.ranking import BASELINE, tree_gains
from swarm.records import Record, RecordId, encode
from tests.swarm.record_samples import ANN, BOB, Author
from tests.swarm.replication_samples import YARDSTICK, identified, replication_of
from tests.swarm.win_samples import BASELINE as START
from tests.swarm.win_samples import pairs_around, turned, win_of

CAT, DAN = Author(3), Author(4)
CHECKERS = (BOB, CAT, DAN)
SIGMA_ARM = YARDSTICK.sigma / math.sqrt(6)

TREES = ("a", "b", "c", "d")
blocks_strategy = st.lists(
    st.dictionaries(
        st.sampled_from([BASELINE, *TREES]), st.floats(-0.02, 0.02), min_size=2, max_size=3
    ),
    min_size=4,
    max_size=12,
).map(lambda blocks: [*blocks, *({BASELINE: 0.0, tree: 0.0} for tree in TREES)])


@given(blocks_strategy)
@settings(max_examples=50)
def test_the_fit_is_least_squares(blocks: list[dict[str, float]]) -> None:
    rows: list[list[float]] = []
    values: list[float] = []
    for index, block in enumerate(blocks):
        for tree, value in block.items():
            row = [float(tree == each) for each in TREES]
            rows.append(row + [float(index == each) for each in range(len(blocks))])
            values.append(value)
    design = np.array(rows)
    expected, _, rank, _ = np.linalg.lstsq(design, np.array(values), rcond=None)
    free = len(values) - int(rank)
    spread = math.sqrt(((values - design @ expected) ** 2).sum() / free)
    quantile = float(stdtrit(free, 0.95))
    gains = tree_gains(blocks, YARDSTICK)
    inverse = np.linalg.inv(design.T @ design)
    for index, tree in enumerate(TREES):
        gain = gains[tree]
        assert gain.mean == pytest.approx(expected[index], abs=1e-9)
        assert gain.low <= gain.mean <= gain.high
        margin = quantile * max(spread, SIGMA_ARM / 2) * math.sqrt(inverse[index, index])
        assert gain.high - gain.mean == pytest.approx(margin, rel=1e-5)


def test_machines_and_slices_do_not_move_a_gain() -> None:
    """What all arms of a replication share is its own."""
    level = [{BASELINE: 0.0, "a": 0.3, "b": 0.5}] * 3
    shifted = [
        {tree: value + shift for tree, value in block.items()}
        for block, shift in zip(level, (-9.0, 0.4, 2.0), strict=True)
    ]
    there, here = tree_gains(shifted, YARDSTICK), tree_gains(level, YARDSTICK)
    assert {tree: gain.mean for tree, gain in there.items()} == pytest.approx({"a": 0.3, "b": 0.5})
    assert there["a"].low == pytest.approx(here["a"].low)


def test_a_tree_is_placed_through_its_base() -> None:
    gains = tree_gains([{BASELINE: 0.0, "a": 0.3}, {"a": 1.0, "b": 1.2}], YARDSTICK)
    assert gains["b"].mean == pytest.approx(0.5)
    assert gains["b"].high - gains["b"].low > gains["a"].high - gains["a"].low


def test_what_nothing_connects_to_the_baseline_has_no_gain() -> None:
    gains = tree_gains([{BASELINE: 0.0, "a": 0.3}, {"c": 0.0, "d": 5.0}], YARDSTICK)
    assert gains.keys() == {"a"}
    assert tree_gains([], YARDSTICK) == {}


def test_intervals_cover_the_truth_nine_times_in_ten() -> None:
    rng = np.random.default_rng(6)
    truth: dict[str, float] = {BASELINE: 0.0, "a": 0.1, "b": 0.2, "c": 0.3, "d": 0.4}
    covered = drawn = 0
    for _ in range(300):
        blocks = [
            {tree: truth[tree] + rng.normal(0, SIGMA_ARM) + shift for tree in (BASELINE, one, two)}
            for one, two in (("a", "b"), ("b", "c"), ("c", "d"), ("a", "b"), ("b", "c"), ("c", "d"))
            for shift in [rng.normal()]
        ]
        for tree, gain in tree_gains(blocks, YARDSTICK).items():
            covered += gain.low <= truth[tree] <= gain.high
            drawn += 1
    assert covered / drawn == pytest.approx(0.9, abs=0.04)


def test_one_broken_machine_moves_little() -> None:
    honest = [{BASELINE: 0.0, "a": 0.3, "b": 0.31}] * 5
    broken = [{BASELINE: -9e9, "a": 9e9, "b": 0.0}]
    gains = tree_gains([*honest, *broken], YARDSTICK)
    assert gains["a"].mean == pytest.approx(0.3, abs=1e-3)
    assert gains["a"].high - gains["a"].low < 0.2


# --- the order of the leaderboard -------------------------------------------------


def checked(gain: float, number: int, base: float = 3.6) -> list[tuple[RecordId, Record]]:
    """A win on the baseline, and three replications that measured this gain."""
    tree = turned(START, LR=float(number))
    win_id, win = win_of(None, START, tree, pairs=pairs_around(base - gain))
    checks = [replication_of(win_id, who, gain, baseline=base) for who in CHECKERS]
    return [(win_id, win), *(identified(check) for check in checks)]


def test_replicated_findings_are_ordered_by_what_they_surely_gain() -> None:
    board = Board().with_records([*checked(0.3, 1), *checked(0.9, 2), *checked(0.6, 3)])
    found = [(entry.rank, round(entry.effect, 2)) for entry in entries(board, YARDSTICK)]
    assert found == [(1, -0.9), (2, -0.6), (3, -0.3)]


def test_findings_that_cannot_be_told_apart_share_a_rank() -> None:
    board = Board().with_records(
        [*checked(0.600, 1), *checked(0.605, 2), *checked(0.3, 3), *checked(0.602, 4)]
    )
    assert [entry.rank for entry in entries(board, YARDSTICK)] == [1, 1, 1, 4]


def test_the_replicated_come_before_the_claimed_however_good_those_look() -> None:
    dream = win_of(None, START, turned(START, LR=9.0), pairs=pairs_around(0.1))
    refuted_id, refuted = win_of(None, START, turned(START, LR=8.0), pairs=pairs_around(0.2))
    against = [identified(replication_of(refuted_id, who, -0.3)) for who in CHECKERS]
    board = Board().with_records([*checked(0.3, 1), dream, (refuted_id, refuted), *against])
    assert [each.finding.state for each in ranked(board, YARDSTICK)] == [
        "replicated",
        "claimed",
        "refuted",
    ]


def test_a_fold_is_ranked_by_its_gain_over_the_baseline() -> None:
    """A small step on a good base leads the base itself."""
    first = checked(0.5, 1)
    base_id = first[0][0]
    before, after = turned(START, LR=1.0), turned(START, LR=1.0, LAYERS=4)
    fold_id, fold = win_of(base_id, before, after, author=ANN, pairs=pairs_around(2.8, base=3.1))
    checks = [
        identified(replication_of(fold_id, who, 0.3, base=3.1, baseline=3.6)) for who in CHECKERS
    ]
    board = Board().with_records([*first, (fold_id, fold), *checks])
    leader, follower = ranked(board, YARDSTICK)
    assert leader.finding.records == (fold_id,)
    assert leader.gain is not None
    assert leader.gain.mean == pytest.approx(0.8, abs=0.01)
    assert (leader.rank, follower.rank) == (1, 2)


def test_what_is_only_simpler_ranks_no_higher_than_its_base() -> None:
    """Lucky seeds put no simplification ahead, claimed or replicated."""
    first = checked(0.3, 1)
    base_id = first[0][0]
    before, after = turned(START, LR=1.0), turned(START, LR=1.0, LAYERS=1)
    _, win = win_of(base_id, before, after, pairs=pairs_around(3.290, base=3.302))
    simpler = replace(win, family="simplify")
    record = cid_of(encode(simpler))
    assert leaders(first[0], (record, simpler)) == [("claimed", base_id), ("claimed", record)]
    checks = [
        identified(replication_of(record, who, 0.02, base=3.3, baseline=3.6)) for who in CHECKERS
    ]
    found = leaders(*first, (record, simpler), *checks)
    assert found == [("replicated", base_id), ("replicated", record)]


def leaders(*records: tuple[RecordId, Record]) -> list[tuple[str, RecordId]]:
    """State and record of each finding, in the order of the board."""
    places = ranked(Board().with_records(records), YARDSTICK)
    return [(place.finding.state, place.finding.records[0]) for place in places]

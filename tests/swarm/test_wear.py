"""The wear gauge: what it says of honest wins, and of wins that fit the validation text."""

from typing import cast

import numpy as np
import pytest

from swarm.board import Board
from swarm.findings import findings
from swarm.verdict import Yardstick
from swarm.wear import LATEST, Levels, Wear, flattery, wear
from tests.swarm.replicated_samples import YARDSTICK, board_of


def gauge(board: Board) -> Wear:
    return wear(board, findings(board, YARDSTICK), YARDSTICK)


def test_a_text_that_is_only_harder_flatters_nobody() -> None:
    """Validation is 5 % harder than the slices: gains are larger there, in proportion."""
    found = gauge(board_of([0.0] * 10))
    assert found.validation is not None
    assert found.validation.mean == pytest.approx(0, abs=1e-8)
    assert not found.worn
    assert (found.checks, found.queries, found.holdout) == (10, 0, None)


def test_gains_seen_on_validation_alone_are_wear() -> None:
    gaps = [0.004, 0.006, 0.005, 0.003, 0.007]
    found = gauge(board_of(gaps))
    assert found.worn
    assert found.validation is not None
    assert found.validation.mean == pytest.approx(np.mean(gaps) / 1.05, abs=1e-6)
    assert [at for at, _ in found.over_time] == [0, 1, 2, 3, 4]
    assert [gap for _, gap in found.over_time] == pytest.approx([g / 1.05 for g in gaps])


def test_gaps_of_either_sign_are_noise() -> None:
    found = gauge(board_of([0.006, -0.005, 0.004, -0.006, 0.001]))
    assert found.validation is not None
    assert not found.worn
    assert found.validation.low < 0 < found.validation.high


def test_a_gap_too_small_to_matter_is_no_wear() -> None:
    found = gauge(board_of([0.0004, 0.0005, 0.0006]))
    assert found.validation is not None
    assert found.validation.low > 0
    assert not found.worn, "together 0.0015, where 0.005 is the least worth keeping"


def test_too_few_wins_prove_nothing() -> None:
    found = gauge(board_of([0.005, 0.006]))
    assert found.validation is None
    assert not found.worn


def test_the_latest_wins_count() -> None:
    """A text that wore out long ago and was replaced, or wears out only now."""
    worn_now = [0.0] * LATEST + [0.005, 0.006] * (LATEST // 2)
    assert gauge(board_of(worn_now)).worn
    assert not gauge(board_of(worn_now[::-1])).worn
    assert len(gauge(board_of(worn_now)).over_time) == 2 * LATEST


def test_a_holdout_is_gauged_along_the_lineage_and_its_looks_counted() -> None:
    found = gauge(board_of([0.0] * 6, holdout_gaps=[0.02] * 6))
    assert found.queries == 12
    assert found.holdout_worn
    assert found.holdout is not None
    assert found.holdout.n == 5, "of the first win the base's holdout is unknown"
    assert found.holdout.mean == pytest.approx(0.02, abs=0.004)
    assert not gauge(board_of([0.0] * 6, holdout_gaps=[0.0] * 6)).holdout_worn


def test_where_more_is_better_the_gauge_is_mirrored() -> None:
    board = board_of([-0.005, -0.006, -0.004])
    mirrored = Yardstick("maximize", YARDSTICK.sigma, YARDSTICK.min_effect, YARDSTICK.seeds)
    assert wear(board, findings(board, mirrored), mirrored).worn
    assert not gauge(board).worn


def test_what_nobody_replicated_is_not_gauged() -> None:
    board = board_of([0.005] * 5)
    found = gauge(Board(board.wins, {}))
    assert (found.validation, found.checks, found.over_time) == (None, 0, ())


def test_metrics_that_may_be_negative_are_not_scaled() -> None:
    assert flattery(Levels(-2e9, -3e9), Levels(1e9, 0.5e9)) == pytest.approx(0.5)
    assert flattery(Levels(9e9, 8e9), Levels(1e9, 0.5e9)) == pytest.approx(0.5)


def test_the_gauge_as_programs_read_it() -> None:
    said = gauge(board_of([0.004, 0.006, 0.005], holdout_gaps=[0.0] * 3)).document()
    assert said["worn"] is True
    assert said["holdout_queries"] == 6
    assert said["checked_wins"] == 3
    assert said["holdout_gap"] is None
    assert said["over_time"] == [
        {"created_at_ms": i, "validation_gap": pytest.approx(gap / 1.05)}
        for i, gap in enumerate([0.004, 0.006, 0.005])
    ]
    interval = said["validation_gap"]
    assert isinstance(interval, dict)
    assert list(cast("dict[str, float]", interval)) == ["mean", "low", "high"]

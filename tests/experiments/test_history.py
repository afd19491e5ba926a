"""What a node has tried survives restarts, and a bad file is one clear sentence."""

import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.history import History, HistoryError
from swarm.records import Pair, Trial

TRIAL = Trial(
    base=None,
    base_tree="0b" * 32,
    tree="0c" * 32,
    title="a wider model",
    family="width_depth",
    proposer="knobs",
    parents=(),
    knobs=(("WIDTH", "128"),),
    pairs=(Pair(1, 2, 3),),
    outcome="no_gain",
    milliseconds=1000,
    finished_at_ms=1_700_000_000_000,
)


def trial(number: int) -> Trial:
    return replace(TRIAL, tree=f"{number:064x}", finished_at_ms=TRIAL.finished_at_ms + number)


def test_trials_are_there_again_after_a_restart_in_order(tmp_path: Path) -> None:
    history = History(tmp_path / "h", "task")
    for number in (1, 2, 3, 2):
        history.add(trial(number))
    history.mark_published([trial(2)])
    for seen in (history, History(tmp_path / "h", "task")):
        assert seen.all() == [trial(1), trial(2), trial(3)]
        assert seen.count() == 3
        assert seen.unpublished(64) == [trial(1), trial(3)]
        assert seen.unpublished(1) == [trial(1)]
    assert History(tmp_path / "h", "another task").count() == 0


def test_looking_at_many_trials_reads_no_file(tmp_path: Path) -> None:
    """A choice looks at all trials; with thousands of them it took seconds."""
    history = History(tmp_path / "h", "task")
    history.add(trial(1))
    history.close()
    started = time.perf_counter()
    for _ in range(1000):
        assert history.all() == history.unpublished(64) == [trial(1)]
    assert time.perf_counter() - started < 1


def test_a_batch_is_marked_published_whole_or_not_at_all(tmp_path: Path) -> None:
    history = History(tmp_path / "h", "task")
    for number in range(64):
        history.add(trial(number))
    with sqlite3.connect(tmp_path / "h") as other:
        other.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON trials WHEN old.number = 40 "
            "BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    with pytest.raises(HistoryError, match=r"history of experiments .*h cannot be used"):
        history.mark_published(history.unpublished(64))
    for seen in (history, History(tmp_path / "h", "task")):
        assert len(seen.unpublished(64)) == 64


def test_a_row_that_cannot_be_read_is_passed_over_and_may_be_tried_again(tmp_path: Path) -> None:
    history = History(tmp_path / "h", "task")
    history.add(trial(1))
    history.add(trial(2))
    history.close()
    with sqlite3.connect(tmp_path / "h") as db:
        db.execute("UPDATE trials SET trial = x'ff00' WHERE number = 1")
    again = History(tmp_path / "h", "task")
    assert again.all() == [trial(2)]
    again.add(trial(1))
    assert History(tmp_path / "h", "task").all() == [trial(2), trial(1)]


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff" * 5000)


def _another_schema(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE trials (x)")


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize("damage", [_garbage, Path.mkdir, _another_schema, _newer])
def test_a_file_that_is_no_history_is_one_sentence(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    damage(tmp_path / "h")
    with pytest.raises(HistoryError, match=str(tmp_path / "h")):
        History(tmp_path / "h", "task")

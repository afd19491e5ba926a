"""The cache of runs may be damaged in any way: it costs time, never a start."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.run import RunResult, RunStatus
from experiments.run_cache import RunCache, RunCacheError, RunKey

KEY = RunKey("0a" * 32, 1, "task", "here")
RESULT = RunResult(
    RunStatus.COMPLETED,
    value_nano=1,
    blocks=((10, 20),),
    cpu_milliseconds=5,
    wall_milliseconds=6,
    work_milliseconds=4,
    peak_memory_bytes=7,
    isolation="none",
    log_tail="x" * 200,
)


def key(seed: int) -> RunKey:
    return RunKey(KEY.tree, seed, KEY.task, KEY.environment)


def filled(path: Path) -> None:
    cache = RunCache(path)
    for seed in range(200):
        cache.put(key(seed), RESULT)
    cache.close()


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xff" * 5000)


@pytest.mark.parametrize("damage", [_truncated, _garbage])
def test_a_damaged_file_is_moved_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "runs.sqlite"
    filled(path)
    damage(path)
    cache = RunCache(path)
    for seed in range(200):
        cache.get(key(seed))
    assert cache.typical_cpu_seconds(KEY.tree, KEY.task, KEY.environment) is None
    cache.put(KEY, RESULT)
    assert cache.get(KEY) == RESULT
    assert (tmp_path / "runs.sqlite.damaged").exists()
    cache.close()
    assert RunCache(path).get(KEY) == RESULT


def test_a_row_that_cannot_be_read_is_a_miss(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    filled(path)
    with sqlite3.connect(path) as db:
        db.execute("UPDATE runs SET result = x'ff00' WHERE seed = 1")
    cache = RunCache(path)
    assert cache.get(KEY) is None
    assert cache.get(key(2)) == RESULT
    assert cache.typical_cpu_seconds(KEY.tree, KEY.task, KEY.environment) == 0.005
    assert cache.seed_with_same_weights(key(1), RESULT) is None


def test_a_folder_in_its_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").mkdir()
    with pytest.raises(RunCacheError, match=r"runs\.sqlite"):
        RunCache(tmp_path / "runs.sqlite")

"""The runner: what it remembers, what it refuses, and how it gets over being shot at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import trio

from experiments.run import RunResult, RunStatus
from experiments.run_cache import RunCache, RunCacheError, RunKey
from experiments.runner import IsolationNeededError, Progress, Runner, RunnerError
from experiments.sandbox import NoSandbox, best_sandbox
from experiments.workspace import WorkspaceError
from tests.experiments.tiny import SECRET_FINDER, good, open_tiny, request, training

ROOT = Path(__file__).parents[2]


async def test_measures_remembers_and_calibrates(tmp_path: Path) -> None:
    """One seed gives one value, run again or remembered; the cap follows the baseline."""
    seen: list[Progress] = []
    async with open_tiny(tmp_path / "a") as runner, open_tiny(tmp_path / "b") as other:
        first = await runner.calibrate(request(good()), seen.append)
        assert first.status is RunStatus.COMPLETED
        assert runner.compute_cap_cpu_seconds == pytest.approx(3 * first.cpu_milliseconds / 1000)
        assert (await runner.run(request(good()))) == first
        again = await other.run(request(good()))
        assert (again.value_nano, again.blocks) == (first.value_nano, first.blocks)
        changed = await runner.run(request(good(), seed=1))
        assert changed.value_nano != first.value_nano
        await _asked_for_together(other)
        with pytest.raises(RunnerError, match="baseline of task tiny does not complete") as error:
            await other.calibrate(request(training("raise ValueError('broken')")))
    assert "ValueError: broken" in str(error.value)
    assert first.value_nano is not None
    assert [size for size, _ in first.blocks] == [1024, 1024]
    assert first.value_nano == round(sum(bits for _, bits in first.blocks) / 2048)
    assert {p.phase for p in seen} == {"train", "evaluate"}
    assert seen[-1].tokens == seen[-1].budget_tokens == 2048


async def _asked_for_together(runner: Runner) -> None:
    """Experiments on one base wait for one base run: even its timing is the same."""
    results: list[RunResult] = []

    async def run() -> None:
        results.append(await runner.run(request(good(), seed=2)))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(run)
    assert results == [results[0]] * 3


async def test_code_needs_isolation(tmp_path: Path) -> None:
    """Strangers' code is refused under `none` before anything starts."""
    there = psutil.Process().children()
    async with open_tiny(tmp_path, sandbox=NoSandbox()) as runner:
        assert not runner.code_allowed
        with pytest.raises(IsolationNeededError, match="code diffs do not run under 'none'"):
            await runner.run(request(good(), code=True))
        assert psutil.Process().children() == there


async def test_code_is_refused_where_the_settings_say_so(tmp_path: Path) -> None:
    """`accept = "knobs"` holds whatever the isolation; knob diffs still run."""
    async with open_tiny(tmp_path, accept="knobs") as runner:
        assert not runner.code_allowed
        with pytest.raises(IsolationNeededError, match=r"search\.accept"):
            await runner.run(request(good(), code=True))
        assert (await runner.run(request(good()))).status is RunStatus.COMPLETED


async def test_another_tree_than_was_asked_for_does_not_run(tmp_path: Path) -> None:
    async with open_tiny(tmp_path) as runner:
        with pytest.raises(WorkspaceError, match="the files have the hash"):
            await runner.run(replace(request(good()), tree_hash="0" * 64))


async def test_a_corpus_that_is_not_the_task_s_is_the_harness_s_fault(tmp_path: Path) -> None:
    """A wrong corpus stops research with its own message, not with a failed experiment."""
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "val.bin").write_bytes(b"another text")
    async with open_tiny(tmp_path, cache=cache) as runner:
        with pytest.raises(RunnerError, match=r"val\.bin is not the text of this task"):
            await runner.run(request(good()))


@pytest.mark.skipif(not best_sandbox().isolates, reason="no isolation here")
async def test_held_out_text_is_nowhere_in_a_child(tmp_path: Path) -> None:
    """No child finds it in memory, in a file or on disk; what evaluation prints is dropped."""
    cache = tmp_path / "cache"
    async with open_tiny(tmp_path, cache=cache) as runner:
        await runner.run(request(good()))
        source = SECRET_FINDER.format(path=str(cache / "val.bin"))
        result = await runner.run(request(source, code=True))
    assert result.status is RunStatus.COMPLETED, result.log_tail
    assert result.log_tail.count("looked: nothing, PermissionError") == 1


async def test_the_runner_gets_over_a_killed_forkserver_and_supervisor(tmp_path: Path) -> None:
    """A run that was shot from outside is run again, and nothing is left of the first try."""
    source = training("import time", "time.sleep(1.0)")
    async with open_tiny(tmp_path) as runner:
        await runner.run(request(good()))
        for seed, victim_name in enumerate(("forkserver", "supervisor")):
            results: list[RunResult] = []
            async with trio.open_nursery() as nursery:

                async def run(seed: int) -> None:
                    results.append(await runner.run(request(source, seed=seed)))  # noqa: B023

                nursery.start_soon(run, seed)
                server, below = await _forkserver_with_run()
                victim = server if victim_name == "forkserver" else server.children()[0]
                victim.kill()
                await _until_gone(below)
            assert results[0].status is RunStatus.COMPLETED


async def _forkserver_with_run() -> tuple[psutil.Process, list[psutil.Process]]:
    """The forkserver once both children of a run are there, and all below it."""
    with trio.fail_after(90):
        while True:
            await trio.sleep(0.05)
            for server in psutil.Process().children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    ours = server.name() != "bwrap" and "experiments.forkserver" in server.cmdline()
                    below = server.children(recursive=True)
                    if ours and len(below) == 4:
                        return server, below


async def _until_gone(processes: list[psutil.Process]) -> None:
    with trio.fail_after(60):
        while any(process.is_running() for process in processes):  # noqa: ASYNC110
            await trio.sleep(0.02)


NODE = """
import sys, trio
from pathlib import Path
from tests.experiments.tiny import open_tiny, request, training

async def main():
    async with open_tiny(Path(sys.argv[1])) as runner:
        await runner.run(request(training("while True: report(32, 1.0)")), lambda p: print("on"))

trio.run(main)
"""


def test_nothing_survives_a_killed_node(tmp_path: Path) -> None:
    """SIGKILL to the node ends forkserver, supervisor and children."""
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert node.stdout is not None
    assert node.stdout.readline() == b"on\n"
    below = psutil.Process(node.pid).children(recursive=True)
    harness = [process for process in below if process.name() != "bwrap"]
    assert len(harness) == 5  # forkserver, supervisor, training child, two evaluation children
    os.kill(node.pid, signal.SIGKILL)
    node.wait()
    node.stdout.close()
    gone_by = time.monotonic() + 10
    while any(process.is_running() for process in below):
        assert time.monotonic() < gone_by
        time.sleep(0.02)


async def test_scratch_that_cannot_be_written_is_the_harness_s_fault(tmp_path: Path) -> None:
    async with open_tiny(tmp_path) as runner:
        (tmp_path / "scratch").rmdir()
        (tmp_path / "scratch").write_text("in the way")
        with pytest.raises(RunnerError, match=r"cannot work in .*scratch"):
            await runner.run(request(good()))


async def test_leftovers_of_a_killed_node_are_removed(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "run-left" / "work"
    left.mkdir(parents=True)
    async with open_tiny(tmp_path):
        assert not left.exists()


RESULT = RunResult(RunStatus.COMPLETED, 2_000, ((4, 8),), 1500, 10, 9, 5, "none", "said\n")
KEY = RunKey("tree", 3, "task", "here")


def test_cache_keeps_what_would_come_out_the_same(tmp_path: Path) -> None:
    """It survives being closed; runs that ran into a limit are not kept."""
    cache = RunCache(tmp_path / "runs.sqlite")
    cache.put(KEY, RESULT)
    timed_out = replace(RESULT, status=RunStatus.TIMED_OUT, value_nano=None)
    cache.put(replace(KEY, seed=4), timed_out)
    cache.close()
    cache = RunCache(tmp_path / "runs.sqlite")
    assert cache.get(KEY) == RESULT
    assert cache.get(replace(KEY, seed=4)) is None
    for other in ({"tree": "x"}, {"task": "x"}, {"environment": "x"}):
        assert cache.get(replace(KEY, **other)) is None
    assert cache.typical_cpu_seconds("tree", "task", "here") == 1.5
    assert cache.typical_cpu_seconds("x", "task", "here") is None
    cache.close()


def test_cache_forgets_the_oldest_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.run_cache.KEPT_RUNS", 3)
    cache = RunCache(tmp_path / "runs.sqlite")
    for seed in range(5):
        cache.put(replace(KEY, seed=seed), RESULT)
    known = [seed for seed in range(5) if cache.get(replace(KEY, seed=seed)) is not None]
    assert known == [2, 3, 4]
    cache.close()


def test_cache_that_is_newer_names_the_fix(tmp_path: Path) -> None:
    newer = RunCache(tmp_path / "newer.sqlite")
    newer._db.execute("PRAGMA user_version = 99")  # pyright: ignore[reportPrivateUsage]
    newer.close()
    with pytest.raises(RunCacheError, match="newer version"):
        RunCache(tmp_path / "newer.sqlite")

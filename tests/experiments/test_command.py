"""Tasks that are shell commands: the metric they print, and what they must not leave behind."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest
import trio

from experiments.command import CommandHarness
from experiments.harness import Caps
from experiments.run import Progress, RunRequest, RunResult, RunStatus
from experiments.sandbox import Sandbox, available_sandboxes
from experiments.workspace import workspace
from swarm.tree import tree_hash

CAPS = Caps(cpu_seconds=20.0, wall_seconds=20.0, memory_bytes=1 << 30)
SANDBOXES = available_sandboxes("command")
NONE = SANDBOXES["none"]
each_sandbox = pytest.mark.parametrize("sandbox", SANDBOXES.values(), ids=SANDBOXES)


async def run(
    home: Path, *steps: str, script: str = "", sandbox: Sandbox = NONE, caps: Caps = CAPS
) -> RunResult:
    """Run steps over a tree with `go.py` and a frozen `data.txt`."""
    frozen = home / "data.txt"
    frozen.write_text("41")
    harness = CommandHarness(
        steps=steps, metric="score", frozen={"data.txt": frozen}, sandbox=sandbox, niceness=0
    )
    tree = {"go.py": script.encode()}
    request = RunRequest(tree, tree_hash(tree), 7, code=True)
    with workspace(home, tree, request.tree_hash) as place:
        return await harness.execute(place.work, place.scratch, request, caps, _ignore)


def _ignore(progress: Progress) -> None:
    pass


@each_sandbox
async def test_reads_the_printed_metric(tmp_path: Path, sandbox: Sandbox) -> None:
    """Steps run in order beside tree and frozen files, with the seed in their environment."""
    result = await run(
        tmp_path,
        "cat data.txt > out.txt",
        "python go.py",
        script="import os; print('score: 1'); "
        "print('score:', int(open('out.txt').read()) + int(os.environ['SWARM_SEED']) / 100)",
        sandbox=sandbox,
    )
    assert (result.status, result.value_nano) == (RunStatus.COMPLETED, 41_070_000_000)
    assert result.isolation == sandbox.name
    assert result.blocks == ()
    assert result.cpu_milliseconds > 0


@pytest.mark.parametrize(
    ("step", "status", "reason"),
    [
        ("echo nothing", RunStatus.CRASHED, "metric was not printed; print a line such as `score:"),
        ("echo 'my score: 3'", RunStatus.CRASHED, "metric was not printed"),
        ("echo score: nan", RunStatus.DIVERGED, "score is nan"),
        ("echo score: 1e99", RunStatus.DIVERGED, "score is 1e+99"),
        ("echo score: 1; exit 3", RunStatus.CRASHED, "ended with status 3"),
        ("no-such-program", RunStatus.CRASHED, "ended with status 127"),
        ("kill -9 $$", RunStatus.OUT_OF_MEMORY, "killed by the system"),
        ("yes | head -c 300000000; echo; echo score: 2", RunStatus.COMPLETED, "bytes left out"),
    ],
)
async def test_ends_with_its_status_and_a_reason(
    tmp_path: Path, step: str, status: RunStatus, reason: str
) -> None:
    result = await run(tmp_path, step)
    assert result.status is status
    assert reason in result.log_tail
    assert len(result.log_tail) < 20_000


@each_sandbox
async def test_time_is_limited(tmp_path: Path, sandbox: Sandbox) -> None:
    began = time.monotonic()
    result = await run(tmp_path, "sleep 60", sandbox=sandbox, caps=Caps(20, 1.0, 1 << 30))
    assert result.status is RunStatus.TIMED_OUT
    assert "`sleep 60` still running after 1 s" in result.log_tail
    assert time.monotonic() - began < 15


@each_sandbox
async def test_memory_of_all_its_processes_is_limited(tmp_path: Path, sandbox: Sandbox) -> None:
    hog = "import time; x = bytearray(b'x') * (150 << 20); time.sleep(30)"
    result = await run(
        tmp_path,
        "python go.py & python go.py & wait",
        script=hog,
        sandbox=sandbox,
        caps=Caps(20, 20, 200 << 20),
    )
    assert result.status is RunStatus.OUT_OF_MEMORY


@each_sandbox
async def test_processor_time_of_those_who_left_is_limited(
    tmp_path: Path, sandbox: Sandbox
) -> None:
    """A process whose parent has gone comes to the supervisor, and its time counts."""
    result = await run(
        tmp_path,
        "(setsid python go.py &); sleep 15; echo score: 1",
        script="while True: pass",
        sandbox=sandbox,
        caps=Caps(2.0, 14, 1 << 30),
    )
    assert result.status is RunStatus.TIMED_OUT
    assert "CPU-seconds of the compute cap" in result.log_tail


@each_sandbox
async def test_nothing_it_starts_outlives_it(tmp_path: Path, sandbox: Sandbox) -> None:
    """Not even a process in a session of its own."""
    mark = f"{60 + time.time_ns() % 10**6 / 10**6}"
    result = await run(tmp_path, f"setsid sleep {mark} & echo score: 1", sandbox=sandbox)
    assert result.status is RunStatus.COMPLETED
    assert not [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or ())]


@each_sandbox
async def test_a_run_that_is_cancelled_leaves_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    """Its supervisor sees the node's end of the socket closed, as when the node is killed."""
    mark = f"{60 + time.time_ns() % 10**6 / 10**6}"
    with trio.move_on_after(1.5) as moment:
        await run(tmp_path, f"setsid sleep {mark} & sleep {mark}", sandbox=sandbox)
    assert moment.cancelled_caught
    assert not [p for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or ())]

"""Every way in which training code can go wrong, run for real."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trio

from experiments.harness import Caps
from experiments.run import RunRequest, RunResult, RunStatus
from experiments.runner import Runner
from experiments.sandbox import NoSandbox, best_sandbox
from swarm.devices import Seat
from tests.experiments.tiny import good, open_tiny, request, training

pytestmark = pytest.mark.skipif(not best_sandbox().isolates, reason="no isolation here")

DAEMON = """
import os, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            with open({path!r}, "a") as file:
                file.write(f"{{os.getpid()}}\\n")
            while True:
                time.sleep(1)
        os._exit(0)
time.sleep(0.5)
"""

CASES: dict[str, str] = {
    "raises": training("raise ValueError('a bug of its own')"),
    "does not parse": "def train(:",
    "has no train": "def build_model(): pass",
    "loops for ever": training("while True: pass"),
    "sleeps for ever": training("import time", "time.sleep(3600)"),
    "allocates until killed": training("x = []", "while True: x.append(torch.ones(1 << 24))"),
    "allocates Python objects": training("x = []", "while True: x.append(bytearray(1 << 26))"),
    "prints 1 GB": good("import os; [os.write(1, b'x' * (1 << 20)) for _ in range(1024)]"),
    "fills its scratch folder": training(
        "while True:",
        "    import uuid",
        "    open(uuid.uuid4().hex, 'wb').write(bytes(1 << 20))",
    ),
    "reports a loss that is not finite": training("report(32, float('nan'))"),
    "hands over weights that are not finite": good(
        "[p.data.fill_(float('nan')) for p in model.parameters()]"
    ),
    "exits without a result": training("import os", "os._exit(0)"),
    "leaves by SystemExit": training("raise SystemExit(0)"),
    "ends by a signal of its own": training("import ctypes", "ctypes.string_at(0)"),
    "writes noise to the harness": training("import os", "os.write(4, b'R' + bytes([255]) * 64)"),
    "hands over no model": good("return None"),
    "hands over a pickle with code": good(
        "import pickle, os; os.write(4, b'R' + (72).to_bytes(4, 'little') + bytes(8) + "
        "b'cposix\\nsystem\\n(S\"touch owned\"\\ntR.'.ljust(64)); os._exit(0)"
    ),
    "answers with too few logits": good().replace("Linear(16, 256)", "Linear(16, 300)"),
    "forks": training("import os", "os.fork()"),
    "opens a socket": training("import socket", "socket.socket()"),
    "reads all it is sent": training(
        "import sys", "print('read', len(read(1 << 30)), 'then', len(read(1)))", "sys.exit(1)"
    ),
}

EXPECTED: dict[str, tuple[RunStatus, str]] = {
    "raises": (RunStatus.CRASHED, "ValueError: a bug of its own"),
    "does not parse": (RunStatus.CRASHED, "SyntaxError"),
    "has no train": (RunStatus.CRASHED, "no attribute 'train'"),
    "loops for ever": (RunStatus.TIMED_OUT, "CPU-seconds of the compute cap"),
    "sleeps for ever": (RunStatus.TIMED_OUT, "still running after 10 s"),
    "allocates until killed": (RunStatus.OUT_OF_MEMORY, ""),
    "allocates Python objects": (RunStatus.OUT_OF_MEMORY, ""),
    "prints 1 GB": (RunStatus.COMPLETED, "bytes left out"),
    "fills its scratch folder": (RunStatus.CRASHED, "to its scratch folder"),
    "reports a loss that is not finite": (RunStatus.DIVERGED, "the loss is nan"),
    "hands over weights that are not finite": (RunStatus.DIVERGED, "not finite"),
    "exits without a result": (RunStatus.CRASHED, "ended without a result"),
    "leaves by SystemExit": (RunStatus.CRASHED, "SystemExit: 0"),
    "ends by a signal of its own": (RunStatus.CRASHED, "ended by SIGSEGV"),
    "writes noise to the harness": (RunStatus.CRASHED, "wrote to the harness's pipe"),
    "hands over no model": (RunStatus.CRASHED, "'NoneType' object has no attribute"),
    "hands over a pickle with code": (RunStatus.CRASHED, "nsupported"),
    "answers with too few logits": (RunStatus.CRASHED, "logits of shape"),
    "forks": (RunStatus.CRASHED, "PermissionError"),
    "opens a socket": (RunStatus.CRASHED, "PermissionError"),
    "reads all it is sent": (RunStatus.CRASHED, f"read {8192 // 32 * 33} then 0"),
}

CAPS = Caps(cpu_seconds=2.0, wall_seconds=10.0, memory_bytes=600 << 20)


class _Capped(Runner):
    """A runner with small caps."""

    def _caps(self, request: RunRequest, seat: Seat | None) -> Caps:
        return CAPS


async def _run_all(home: Path) -> dict[str, RunResult]:
    results: dict[str, RunResult] = {}
    async with open_tiny(home, workers=3) as runner:
        runner.__class__ = _Capped

        async def run(name: str, source: str) -> None:
            results[name] = await runner.run(request(source, code=True))

        async with trio.open_nursery() as nursery:
            for name, source in CASES.items():
                nursery.start_soon(run, name, source)
        results["works after all of these"] = await runner.run(request(good(), code=True))
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, RunResult]]:
    """All cases, side by side in one runner: none may disturb another."""
    yield trio.run(_run_all, tmp_path_factory.mktemp("runner"))


@pytest.mark.parametrize("name", CASES)
def test_ends_with_its_status_and_a_reason(name: str, results: dict[str, RunResult]) -> None:
    status, reason = EXPECTED[name]
    result = results[name]
    assert result.status is status, result.log_tail
    assert reason in result.log_tail
    assert len(result.log_tail) < 33_000
    assert (result.value_nano is None) == (status is not RunStatus.COMPLETED)
    assert result.isolation == best_sandbox().name


def test_the_runner_still_works(results: dict[str, RunResult]) -> None:
    assert results["works after all of these"].status is RunStatus.COMPLETED


def test_limits_are_kept(results: dict[str, RunResult]) -> None:
    assert 1.9 < results["loops for ever"].cpu_milliseconds / 1000 < 4.0
    assert results["sleeps for ever"].cpu_milliseconds < 1900
    assert results["allocates until killed"].peak_memory_bytes < 2 << 30


async def test_processes_that_would_outlive_a_run_end_with_it(tmp_path: Path) -> None:
    """Nothing keeps a tree from forking under `none`; even what hides in a session ends."""
    noted = tmp_path / "pids"
    source = training(*DAEMON.format(path=str(noted)).strip().splitlines())
    async with open_tiny(tmp_path, sandbox=NoSandbox()) as runner:
        result = await runner.run(request(source))
        pids = [int(line) for line in noted.read_text().split()]
        assert len(pids) == 3
        assert not [pid for pid in pids if psutil.pid_exists(pid)]
    assert (result.status, result.isolation) == (RunStatus.COMPLETED, "none")


async def test_a_run_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    """Closing the node's end of a run's socket ends all its processes."""
    async with open_tiny(tmp_path) as runner:
        await runner.run(request(good()))
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        with trio.move_on_after(0.7) as moment:
            await runner.run(request(training("while True: pass")))
        assert moment.cancelled_caught
        deadline = time.monotonic() + 5
        while {process.pid for process in psutil.Process().children(recursive=True)} - before:
            assert time.monotonic() < deadline
            await trio.sleep(0.05)
        assert not list((tmp_path / "scratch").glob("run-*"))

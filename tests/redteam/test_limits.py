"""
Training code that takes more than its share: tokens, time, memory, disk, log.

Each case names the defence that stops it and what the user then reads, and
gets through, printing GOT, where that one defence is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from experiments.orders import MAX_ANSWER_BYTES
from experiments.run import RunResult, RunStatus
from tests.experiments.tiny import training
from tests.redteam.arena import Arena, Setting


@dataclass(frozen=True)
class Cheat:
    """
    Attributes:
        defence: Stops it; a name in `weakening.WEAKENINGS`.
        status: How it ends.
        message: What the user reads of it.
        source: Its `train.py`.
        setting: What it is up against.
    """

    defence: str
    status: RunStatus
    message: str
    source: str
    setting: Setting = field(default_factory=Setting)


SLEEPER = training(
    "import signal, time",
    "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())",
    "for s in (signal.SIGTERM, signal.SIGXCPU): signal.signal(s, signal.SIG_IGN)",
    "time.sleep(2.5)",
    "print('GOT')",
)
SHORT = Setting(wall_seconds=1.5)

CHEATS: dict[str, Cheat] = {
    "trains on more tokens than the budget": Cheat(
        "streamed budget",
        RunStatus.CRASHED,
        "ValueError: nothing after 4224 bytes",
        training(
            "count = len(read(1 << 20))",
            "if count <= 4224: raise ValueError(f'nothing after {count} bytes')",
            "print('GOT', count)",
        ),
    ),
    "computes past the cap": Cheat(
        "limits",
        RunStatus.TIMED_OUT,
        "used the 0.8 CPU-seconds of the compute cap",
        training(
            "import time",
            "while time.process_time() < 2.0: pass",
            "print('GOT')",
        ),
        Setting(cpu_seconds=0.8),
    ),
    "blocks signals and sleeps past the time limit": Cheat(
        "the watch from outside", RunStatus.TIMED_OUT, "still running after 2 s", SLEEPER, SHORT
    ),
    "stops the clock": Cheat(
        "metric in another process",
        RunStatus.TIMED_OUT,
        "still running after 2 s",
        "import time\ntime.monotonic = lambda: 0.0\n" + SLEEPER,
        SHORT,
    ),
    "takes more memory than is allowed": Cheat(
        "limits",
        RunStatus.OUT_OF_MEMORY,
        "used more than 600 MiB of memory",
        training(
            "import time",
            "held = torch.ones(1 << 28)",
            "time.sleep(0.3)",
            "print('GOT', len(held))",
        ),
        Setting(memory_bytes=600 << 20),
    ),
    "reserves more memory than there is room for": Cheat(
        "limits",
        RunStatus.CRASHED,
        "Cannot allocate memory",
        training("import mmap", "held = mmap.mmap(-1, 1 << 33)", "print('GOT', len(held))"),
    ),
    "writes a file that fills the disk": Cheat(
        "limits",
        RunStatus.CRASHED,
        "File too large",
        training(
            "with open('big', 'wb') as file:",
            "    for _ in range(70): file.write(bytes(1 << 20))",
            "print('GOT')",
        ),
    ),
    "writes files without end": Cheat(
        "limits",
        RunStatus.CRASHED,
        "to its scratch folder",
        training(
            "import time",
            "for i in range(1500): open(str(i), 'w').close()",
            "time.sleep(1.2)",
            "print('GOT')",
        ),
    ),
}


def succeeded(result: RunResult) -> bool:
    """Whether it came so far as to print GOT."""
    return any(line.startswith("GOT") for line in result.log_tail.splitlines())


@pytest.mark.parametrize("name", CHEATS)
def test_is_stopped_and_the_user_reads_why(arena: Arena, name: str) -> None:
    cheat = CHEATS[name]
    result = arena.run(cheat.source, "", cheat.setting)
    assert result is not None
    assert (result.status, succeeded(result)) == (cheat.status, False), result.log_tail
    assert cheat.message in result.log_tail.splitlines()[-1]


@pytest.mark.parametrize("name", CHEATS)
def test_would_get_through_without_that_defence(arena: Arena, name: str) -> None:
    cheat = CHEATS[name]
    result = arena.run(cheat.source, cheat.defence, cheat.setting)
    assert result is not None
    assert succeeded(result), result.log_tail


def test_prints_without_end(arena: Arena) -> None:
    """Stopped by the bounded log; without it more comes back than a node will read."""
    source = training("for _ in range(3 << 10): print('x' * 1023)")
    bounded, unbounded = arena.run(source), arena.run(source, "bounded log")
    assert bounded is not None
    assert bounded.status is RunStatus.COMPLETED
    assert "bytes left out" in bounded.log_tail
    assert len(bounded.log_tail) < 33_000
    assert unbounded is not None
    assert len(unbounded.log_tail) > MAX_ANSWER_BYTES

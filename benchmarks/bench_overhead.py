"""
What an experiment costs beside training and evaluation.

A run is timed as the node sees it, from the request to the result, with a warm
forkserver; taken off is the time inside `train` and the time in which held-out
windows are answered and scored. What is left is workspace, forks, sandbox,
loading the code, checking the corpus, feeding, handing over weights.

The same runs under `none` say what isolation adds. What it adds to evaluate in
another process than the one that trained is at most all that is left and the
copies that bring the logits over: in one process there would be neither.
"""

import mmap
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import trio

from benchmarks.result import Figure, write_result
from experiments.run_cache import RunCache
from experiments.runner import Runner, RunRequest, RunStatus, open_runner
from experiments.sandbox import NoSandbox, Sandbox, best_sandbox
from experiments.task_folder import LoadedTask, load_task
from swarm.tree import Tree, tree_hash

RUNS = {"quick": 5, "tinypy": 1}
PROMISED = {"quick": 0.05, "tinypy": 0.01}
PROMISED_SAFETY = 0.05
BATCH_WINDOWS, VOCABULARY = 32, 256


@dataclass
class Arm:
    """Runs of one task under one sandbox: seconds each took, and of these what was no work."""

    total: list[float] = field(default_factory=list[float])
    rest: list[float] = field(default_factory=list[float])


async def one_run(runner: Runner, tree: Tree, seed: int, arm: Arm) -> None:
    """Time a run of the task's baseline."""
    started = time.perf_counter()
    result = await runner.run(RunRequest(tree, tree_hash(tree), seed, code=False))
    seconds = time.perf_counter() - started
    if result.status is not RunStatus.COMPLETED:
        raise RuntimeError(f"{result.status.value}:\n{result.log_tail}")
    arm.total.append(seconds)
    arm.rest.append(seconds - result.work_milliseconds / 1000)


async def measure(name: str, home: Path) -> dict[str, Figure]:
    """Seconds of runs of the task's baseline with and without isolation, turn by turn."""
    loaded = load_task(name)
    tree = loaded.task.baseline
    isolated, bare = Arm(), Arm()
    async with (
        _opened(loaded, home / "isolated", best_sandbox()) as runner,
        _opened(loaded, home / "bare", NoSandbox()) as unconfined,
    ):
        idle: Tree = {"train.py": b"raise SystemExit"}
        for opened in (runner, unconfined):  # starts the forkserver
            await opened.run(RunRequest(idle, tree_hash(idle), 0, code=False))
        for seed in range(RUNS[name]):
            await one_run(runner, tree, seed, isolated)
            await one_run(unconfined, tree, seed, bare)
    seconds, rest = statistics.median(isolated.total), statistics.median(isolated.rest)
    copying = copying_seconds(loaded)
    return {
        f"{name}_runs": RUNS[name],
        f"{name}_seconds": round(seconds, 3),
        f"{name}_overhead_seconds": round(rest, 4),
        f"{name}_overhead_ratio": round(sum(isolated.rest) / sum(isolated.total), 5),
        f"{name}_promised_ratio": PROMISED[name],
        f"{name}_isolation_adds_ratio": round((rest - statistics.median(bare.rest)) / seconds, 5),
        f"{name}_other_process_adds_at_most_ratio": round((rest + copying) / seconds, 5),
        "isolation": runner.isolation,
    }


def copying_seconds(loaded: LoadedTask) -> float:
    """What it takes to write and read all logits of an evaluation through shared memory."""
    windows = loaded.task.eval_bytes // loaded.task.context
    logits = np.zeros(BATCH_WINDOWS * loaded.task.context * VOCABULARY, np.float32)
    with mmap.mmap(-1, logits.nbytes) as memory:
        shared = np.frombuffer(memory, np.float32)
        started = time.perf_counter()
        for _ in range(-(-windows // BATCH_WINDOWS)):
            shared[:] = logits
            shared.copy()
        seconds = time.perf_counter() - started
        del shared
    return seconds


def _opened(loaded: LoadedTask, home: Path, sandbox: Sandbox) -> Runner:
    home.mkdir(parents=True)
    return open_runner(
        loaded,
        cache=home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / "runs.sqlite"),
        workers=1,
        sandbox=sandbox,
        niceness=0,
    )


def main() -> int:
    """Measure both tasks; 1 where a promise is missed."""
    figures: dict[str, Figure] = {"promised_safety_ratio": PROMISED_SAFETY}
    with tempfile.TemporaryDirectory() as folder:
        for name in RUNS:
            figures |= trio.run(measure, name, Path(folder, name))
    write_result("overhead", figures)
    promises = {f"{name}_overhead_ratio": PROMISED[name] for name in RUNS} | {
        "tinypy_isolation_adds_ratio": PROMISED_SAFETY,
        "tinypy_other_process_adds_at_most_ratio": PROMISED_SAFETY,
    }
    ratios = {name: figures[name] for name in promises}
    return int(any(not isinstance(r, float) or r > promises[n] for n, r in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())

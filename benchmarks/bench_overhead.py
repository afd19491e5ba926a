"""
What an experiment costs beside training and evaluation.

A run is timed as the node sees it, from the request to the result, with a warm
forkserver; taken off is the time inside `train` and the time in which held-out
windows are answered and scored. What is left is workspace, forks, sandbox,
loading the code, checking the corpus, feeding, handing over weights.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import trio

from benchmarks.result import Figure, write_result
from experiments.run_cache import RunCache
from experiments.runner import RunRequest, RunStatus, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import load_task
from swarm.tree import tree_hash

RUNS = {"quick": 7, "tinypy": 2}
PROMISED = {"quick": 0.05, "tinypy": 0.01}


async def measure(name: str, home: Path) -> dict[str, Figure]:
    """Median seconds of a run of the task's baseline and of what was not work."""
    loaded = load_task(name)
    tree = loaded.task.baseline
    total: list[float] = []
    rest: list[float] = []
    async with open_runner(
        loaded,
        cache=home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / f"{name}.sqlite"),
        workers=1,
        sandbox=best_sandbox(),
        niceness=0,
    ) as runner:
        for seed in range(RUNS[name] + 1):
            started = time.perf_counter()
            result = await runner.run(RunRequest(tree, tree_hash(tree), seed, code=False))
            seconds = time.perf_counter() - started
            if result.status is not RunStatus.COMPLETED:
                raise RuntimeError(f"{name} {result.status.value}:\n{result.log_tail}")
            if seed > 0:  # the first one starts the forkserver
                total.append(seconds)
                rest.append(seconds - result.work_milliseconds / 1000)
    return {
        f"{name}_runs": RUNS[name],
        f"{name}_seconds": round(statistics.median(total), 3),
        f"{name}_overhead_seconds": round(statistics.median(rest), 4),
        f"{name}_overhead_ratio": round(sum(rest) / sum(total), 5),
        f"{name}_promised_ratio": PROMISED[name],
        "isolation": runner.isolation,
    }


def main() -> int:
    """Measure both tasks; 1 where a promise is missed."""
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in RUNS:
            figures |= trio.run(measure, name, Path(folder))
    write_result("overhead", figures)
    ratios = {name: figures[f"{name}_overhead_ratio"] for name in RUNS}
    return int(any(not isinstance(r, float) or r > PROMISED[n] for n, r in ratios.items()))


if __name__ == "__main__":
    sys.exit(main())

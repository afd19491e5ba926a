"""
What this machine's GPUs make of the tasks: ready to run wherever there is one.

For each task the survey that a node makes at its first start, line by line: each
precision and torch.compile, one run alone; then twice as many runs at once each time;
then a run on the processor. Then whole runs of the baseline on all seats, as many as
there are seats twice over, beside whole runs one at a time: what counts is how many more
runs an hour sharing gives, and whether every device did its part.

Everything runs in the confinement that experiments run in. Without a GPU nothing is
measured and nothing is written.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import trio

from benchmarks.result import Figure, write_result
from experiments.devices import Inventory, NvidiaSmi, start_driver
from experiments.equipment import survey
from experiments.harness import Harness
from experiments.probe import usable_cores
from experiments.rehearsal import Rehearsal
from experiments.run import RunRequest, RunResult, RunStatus
from experiments.run_cache import RunCache
from experiments.runner import LoadedTask, Runner
from experiments.sandbox import best_sandbox
from experiments.seats import Seats, in_words
from experiments.stream import stream_harness
from experiments.task_folder import load_task
from swarm.devices import Card, Pool, Seat
from swarm.tree import tree_hash

TASKS = ("tinypy", "tinypy-gpu")
ALONE_RUNS = 2


class Watching(Seats):
    """Seats that count who sat where."""

    def __init__(self, pools: Sequence[Pool]) -> None:
        super().__init__(pools)
        self.used = Counter[str]()

    async def run(self, seed: int, run: Callable[[Seat], Awaitable[RunResult]]) -> RunResult:
        async def counted(seat: Seat) -> RunResult:
            self.used[seat.card] += 1
            return await run(seat)

        return await super().run(seed, counted)


async def measure(
    loaded: LoadedTask, inventory: Inventory, cards: Sequence[Card], folder: Path
) -> dict[str, Figure]:
    """All figures of one task."""
    (scratch := folder / "scratch").mkdir(parents=True)
    sandbox = best_sandbox()
    harness = stream_harness(
        loaded.task,
        loaded.folder,
        cache=folder / "cache",
        scratch=scratch,
        sandbox=sandbox,
        niceness=0,
        device_kind=cards[0].kind,
    )
    baseline = RunRequest(loaded.task.baseline, tree_hash(loaded.task.baseline), 0, code=False)
    assert loaded.task.budget.tokens is not None
    rehearsal = Rehearsal(harness, baseline, loaded.task.budget.tokens, scratch, inventory)
    try:
        pools = await survey(cards, rehearsal, usable_cores(), print)
        await rehearsal.run([None])
        figures: dict[str, Figure] = {
            "isolation": sandbox.name,
            "survey": [_rounded(asdict(line)) for line in rehearsal.log],
            "chosen": [f"{len(pool.cards)} × {pool}, {pool.at_once} at once" for pool in pools],
        }
        if pools:
            figures |= await whole_runs(loaded, harness, baseline, pools, folder)
        return figures
    finally:
        await harness.aclose()


async def whole_runs(
    loaded: LoadedTask,
    harness: Harness,
    baseline: RunRequest,
    pools: Sequence[Pool],
    folder: Path,
) -> dict[str, Figure]:
    """Runs of the baseline from beginning to end, one at a time and on all seats."""
    seats = Watching(pools)
    runs = RunCache(folder / "runs.sqlite")
    runner = Runner(
        loaded.task,
        harness,
        scratch=folder / "scratch",
        runs=runs,
        workers=seats.total,
        seats=seats,
    )
    alone = await timed(runner, baseline, range(ALONE_RUNS), at_once=1)
    seeds = range(ALONE_RUNS, ALONE_RUNS + 2 * seats.total)
    shared = await timed(runner, baseline, seeds, at_once=seats.total)
    runs.close()
    values = [float(value) for value in (*alone.values, *shared.values)]
    return {
        "devices": in_words(pools),
        "seats": seats.total,
        "runs_an_hour_alone": round(alone.an_hour, 2),
        "runs_an_hour_shared": round(shared.an_hour, 2),
        "gain_by_sharing": round(shared.an_hour / alone.an_hour, 3),
        "runs_by_device": dict(sorted(seats.used.items())),
        "seats_left": dict(sorted(seats.leases.seats().items())),
        "baseline_val_bpb_mean": round(statistics.fmean(values), 5),
        "baseline_val_bpb_spread": round(statistics.stdev(values), 5),
        "peak_host_memory_bytes": max(alone.peak_bytes, shared.peak_bytes),
    }


class Timed:
    """How long some runs took, and what they gave."""

    def __init__(self, results: Sequence[RunResult], seconds: float) -> None:
        for result in results:
            if result.status is not RunStatus.COMPLETED:
                raise RuntimeError(f"{result.status.value}:\n{result.log_tail}")
        self.an_hour = 3600 * len(results) / seconds
        self.values = [result.value_nano / 1e9 for result in results if result.value_nano]
        self.peak_bytes = max(result.peak_memory_bytes for result in results)


async def timed(runner: Runner, baseline: RunRequest, seeds: Sequence[int], at_once: int) -> Timed:
    """Runs with these seeds, so many at once."""
    results: list[RunResult] = []
    limiter, started = trio.CapacityLimiter(at_once), time.perf_counter()

    async def run(seed: int) -> None:
        async with limiter:
            request = RunRequest(baseline.tree, baseline.tree_hash, seed, code=False)
            results.append(await runner.run(request))

    async with trio.open_nursery() as nursery:
        for seed in seeds:
            nursery.start_soon(run, seed)
    return Timed(results, time.perf_counter() - started)


def _rounded(line: dict[str, object]) -> dict[str, Figure]:
    """A line of the survey: numbers as numbers, all else as text."""
    numbers = {n: round(v, 3) for n, v in line.items() if isinstance(v, int | float)}
    return {n: numbers.get(n, str(v)) for n, v in line.items()}


def main() -> int:
    """Measure and write; a sentence where there is nothing to measure."""
    inventory = NvidiaSmi(os.environ.get("CUDA_VISIBLE_DEVICES"))
    cards = inventory.cards()
    if not cards:
        print("gpu: no CUDA device here, so nothing is measured and nothing written")
        return 0
    start_driver(cards[0].kind)
    figures: dict[str, Figure] = {}
    for name in TASKS:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / name
            figures[name] = trio.run(measure, load_task(name), inventory, cards, home)
    write_result("gpu", figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())

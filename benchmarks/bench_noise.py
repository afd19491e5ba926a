"""
How much a paired difference varies, from seed to seed and from file to file.

Two bases, the task's baseline and a modern recipe, meet two changes each on the
same seeds. `sigma` of a task is the standard deviation of paired differences
over seeds, pooled over the four changes. Seeds do not cover the choice of text:
for that the standard error of a mean gain is computed with held-out files as
clusters, and `min_effect` has to be three times that of a typical gain.

Source: Cameron & Miller, "A practitioner's guide to cluster-robust inference"
(2015), for the ratio of sums over clusters.

Runs are remembered in HOME, the one argument, so a measurement that was
interrupted goes on where it stopped.
"""

from __future__ import annotations

import math
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import trio

from benchmarks.result import Figure, write_result
from experiments.run_cache import RunCache
from experiments.runner import Runner, RunRequest, RunResult, RunStatus, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import load_task
from swarm.settings_block import Scalar, write_settings
from swarm.task import Task
from swarm.tree import Tree, tree_hash

TASKS = ("quick", "tinypy")
SEEDS = 4
MODERN: Mapping[str, Scalar] = {
    "OPTIMIZER": "muon",
    "LEARNING_RATE": 0.003,
    "NORM_PLACE": "pre",
    "POSITION": "rope",
    "PREVIOUS_BYTES": 1,
    "INIT": "xavier",
    "BATCH": 8,
}
BASES: Mapping[str, Mapping[str, Scalar]] = {"naive": {}, "modern": MODERN}
CHANGES: Mapping[str, Mapping[str, Scalar]] = {
    "qk_norm": {"QK_NORM": True},
    "swiglu": {"ACTIVATION": "swiglu"},
}


async def measure(name: str, home: Path) -> dict[str, Figure]:
    """Spread of paired differences of a task, in its metric's unit."""
    loaded = load_task(name)
    variances = list[float]()
    figures: dict[str, Figure] = {}
    async with open_runner(
        loaded,
        cache=home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / "runs.sqlite"),
        workers=1,
        sandbox=best_sandbox(),
        niceness=5,
    ) as runner:
        for base, settings in BASES.items():
            arm = await _arm(runner, loaded.task, settings)
            figures[f"{name}_{base}_bpb"] = round(statistics.fmean(map(_bpb, arm)), 5)
            for change, more in CHANGES.items():
                other = await _arm(runner, loaded.task, {**settings, **more})
                differences = [_bpb(b) - _bpb(a) for a, b in zip(arm, other, strict=True)]
                variances.append(statistics.variance(differences))
                figures[f"{name}_{base}_{change}"] = {
                    "effect": round(statistics.fmean(differences), 5),
                    "sigma": round(math.sqrt(variances[-1]), 5),
                    "file_standard_error": round(clustered_error(arm, other), 5),
                }
    figures[f"{name}_runs"] = SEEDS * len(BASES) * (1 + len(CHANGES))
    figures[f"{name}_sigma"] = round(math.sqrt(statistics.fmean(variances)), 5)
    return figures


def clustered_error(base: Sequence[RunResult], other: Sequence[RunResult]) -> float:
    """
    Standard error of a mean difference in bits per byte over the choice of files.

    Args:
        base, other: Completed runs with the same held-out files, one per seed each.
    """
    sizes = [size for size, _ in base[0].blocks]
    gains = [b - a for a, b in zip(_file_bits(base), _file_bits(other), strict=True)]
    mean = sum(gains) / sum(sizes)
    rest = sum((gain - mean * size) ** 2 for gain, size in zip(gains, sizes, strict=True))
    return math.sqrt(rest * len(sizes) / (len(sizes) - 1)) / sum(sizes)


def _file_bits(runs: Sequence[RunResult]) -> list[float]:
    """Bits of each held-out file, the mean over runs."""
    columns = zip(*(run.blocks for run in runs), strict=True)
    return [statistics.fmean(bits for _, bits in column) / 1e9 for column in columns]


async def _arm(runner: Runner, task: Task, settings: Mapping[str, Scalar]) -> list[RunResult]:
    tree = _tree(task, settings)
    runs = list[RunResult]()
    for seed in range(SEEDS):
        result = await runner.run(RunRequest(tree, tree_hash(tree), seed, code=False))
        if result.status is not RunStatus.COMPLETED:
            raise RuntimeError(f"{task.name} {settings}: {result.status}\n{result.log_tail}")
        print(f"{task.name} {settings} seed {seed}: {_bpb(result):.4f}", file=sys.stderr)
        runs.append(result)
    assert all(a.blocks != b.blocks for a, b in pairwise(runs)), "seeds do not matter"
    return runs


def _bpb(result: RunResult) -> float:
    assert result.value_nano is not None
    return result.value_nano / 1e9


def _tree(task: Task, settings: Mapping[str, Scalar]) -> Tree:
    return {path: write_settings(source, settings) for path, source in task.baseline.items()}


def main() -> int:
    """Measure both tasks; 1 where a task file understates its noise."""
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(sys.argv[1] if len(sys.argv) > 1 else folder)
        home.mkdir(parents=True, exist_ok=True)
        for name in TASKS:
            figures |= trio.run(measure, name, home)
    write_result("noise", figures)
    return int(any(load_task(name).task.sigma < 0.67 * _sigma(figures, name) for name in TASKS))


def _sigma(figures: Mapping[str, Figure], name: str) -> float:
    sigma = figures[f"{name}_sigma"]
    assert isinstance(sigma, float)
    return sigma


if __name__ == "__main__":
    sys.exit(main())

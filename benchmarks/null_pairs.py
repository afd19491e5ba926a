"""
Real paired runs of diffs that change nothing but the random draws.

A null diff leaves the distribution of results as it is: weights are drawn in
another order, from another seed, or after other draws. Base and candidate see
the same text in the same order, as in every experiment. A diff that changes
nothing at all would be bit-identical to its base and prove nothing.

Null diffs are code: they run under real isolation, like a stranger's. Pairs are
disjoint: no run belongs to two. The pairs are `results/null_pairs.jsonl`, one a
line; `python -m benchmarks.null_pairs HOME` adds those that are missing, and
goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import trio

from benchmarks.bench_noise import BASES
from benchmarks.result import RESULTS
from experiments.run_cache import RunCache
from experiments.runner import Runner, RunRequest, RunResult, RunStatus, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import load_task
from swarm.settings_block import Scalar, write_settings
from swarm.tree import Tree, tree_hash

PAIRS = 312
FULL_SIZE = 24
WORKERS = 2
RAW = RESULTS / "null_pairs.jsonl"

SMALL: Mapping[str, Scalar] = {"DEPTH": 1, "WIDTH": 32, "HEADS": 1, "BATCH": 8}
RECIPES: Mapping[str, Mapping[str, Scalar]] = {
    **BASES,
    "small_adamw": {
        **SMALL,
        "MLP_RATIO": 1.0,
        "POSITION": "none",
        "PREVIOUS_BYTES": 2,
        "LEARNING_RATE": 0.005,
    },
    "small_muon": {**BASES["modern"], **SMALL},
}
"""Settings of the bases; the small ones take a third of the time, so most pairs are theirs."""

NULL_DIFFS: Mapping[str, tuple[bytes, bytes]] = {
    "creation_order": (
        b"for name, parameter in model.named_parameters():\n        if ZERO_INIT",
        b"for name, parameter in reversed(list(model.named_parameters())):\n        if ZERO_INIT",
    ),
    "seed_offset": (b"torch.manual_seed(seed)", b"torch.manual_seed(seed + 1_000_003)"),
    "draws_before": (
        b"torch.manual_seed(seed)\n",
        b"torch.manual_seed(seed)\n    torch.rand(1000)\n",
    ),
}
"""What each null diff takes out of `train.py`, and what it puts there."""


@dataclass(frozen=True, slots=True)
class NullPair:
    """
    One base and one candidate that differ in their random draws, on one seed.

    Attributes:
        base: Name of the recipe.
        files: Of each held-out file its bytes, and candidate − base in thousandths
            of a bit.
    """

    base: str
    diff: str
    seed: int
    base_nano: int
    candidate_nano: int
    files: tuple[tuple[int, int], ...] = ()

    @property
    def difference(self) -> float:
        """Candidate − base, in bits per byte."""
        return (self.candidate_nano - self.base_nano) / 1e9


def planned() -> Iterator[tuple[str, str, int]]:
    """Base, diff and seed of every pair; a seed is used once."""
    full = [(base, diff) for base in BASES for diff in NULL_DIFFS]
    small = [(base, diff) for base in RECIPES if base not in BASES for diff in NULL_DIFFS]
    for seed in range(PAIRS):
        cells = full if seed < FULL_SIZE else small
        yield (*cells[seed % len(cells)], seed)


def read_pairs(path: Path = RAW) -> list[NullPair]:
    """All pairs measured so far, in the order of their seeds."""
    lines = path.read_text().splitlines() if path.exists() else []
    pairs = [NullPair(**json.loads(line)) for line in lines]
    tidy = [replace(pair, files=tuple((size, d) for size, d in pair.files)) for pair in pairs]
    return sorted(tidy, key=lambda pair: pair.seed)


def null_tree(base: Tree, diff: str) -> Tree:
    """A tree with one null diff applied; its text must be there exactly once."""
    old, new = NULL_DIFFS[diff]
    source = base["train.py"]
    assert source.count(old) == 1, f"{diff}: the text it replaces is not in train.py"
    return {**base, "train.py": source.replace(old, new)}


async def measure(home: Path, raw: Path) -> None:
    """Run what is missing, appending each pair to `raw` as it is done."""
    loaded = load_task("quick")
    baseline = loaded.task.baseline
    done = {pair.seed for pair in read_pairs(raw)}
    async with open_runner(
        loaded,
        cache=home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / "runs.sqlite"),
        workers=WORKERS,
        sandbox=best_sandbox(),
        niceness=0,
    ) as runner:
        await runner.calibrate(RunRequest(baseline, tree_hash(baseline), 0, code=False))
        pairs = iter([plan for plan in planned() if plan[2] not in done])

        async def work() -> None:
            for base, diff, seed in pairs:
                settings = RECIPES[base]
                tree = {path: write_settings(text, settings) for path, text in baseline.items()}
                first = await _run(runner, tree, seed, code=False)
                second = await _run(runner, null_tree(tree, diff), seed, code=True)
                _append(raw, _pair(base, diff, seed, first, second))

        async with trio.open_nursery() as nursery:
            for _ in range(WORKERS):
                nursery.start_soon(work)


async def _run(runner: Runner, tree: Tree, seed: int, *, code: bool) -> RunResult:
    result = await runner.run(RunRequest(tree, tree_hash(tree), seed, code=code))
    if result.status is not RunStatus.COMPLETED:
        raise RuntimeError(f"seed {seed}: {result.status.value}\n{result.log_tail}")
    return result


def _pair(base: str, diff: str, seed: int, first: RunResult, second: RunResult) -> NullPair:
    assert first.value_nano is not None and second.value_nano is not None
    assert first.value_nano != second.value_nano, f"{diff} changes no draw"
    files = tuple(
        (size, (after - before) // 1_000_000)
        for (size, before), (_, after) in zip(first.blocks, second.blocks, strict=True)
    )
    return NullPair(base, diff, seed, first.value_nano, second.value_nano, files)


def _append(path: Path, pair: NullPair) -> None:
    with path.open("a") as file:
        file.write(json.dumps(asdict(pair)) + "\n")


if __name__ == "__main__":
    _, home, *raw = sys.argv
    trio.run(measure, Path(home), Path(raw[0]) if raw else RAW)

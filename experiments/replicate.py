"""
Run a peer's win again, on the seeds and the text that nobody could choose.

Base, candidate and the task's baseline run on each seed of the challenge and are
scored on the validation text and on the challenge slice, the candidate on the
holdout too.

Law: this file runs and reports; whether that confirms anything is for every
reader to judge. What was started is reported, also where it speaks against the win.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import trio

from experiments.run import CHEATING, HOLDOUT, VALIDATION, Exam, RunRequest, RunResult, challenge
from swarm.challenge import Challenge
from swarm.records import Pair
from swarm.task import Task
from swarm.tree import Tree, tree_hash

Run = Callable[[RunRequest, str], Awaitable[RunResult]]
"""Runs a request; the second argument is the arm: `base`, `candidate` or `baseline`."""

_FULL_PROBE = 1.0


@dataclass(slots=True)
class Replicated:
    """
    What was measured of a win.

    Attributes:
        pairs: On the validation text.
        challenge_pairs: The same runs on the challenge slice.
        baseline: (seed, nano) of the task's baseline on the challenge slice.
        holdouts: The candidate's on the holdout, in nano-units, by seed.
        reason: Why a seed is missing, "" where none is.
    """

    pairs: list[Pair] = field(default_factory=list[Pair])
    challenge_pairs: list[Pair] = field(default_factory=list[Pair])
    baseline: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    holdouts: list[int] = field(default_factory=list[int])
    milliseconds: int = 0
    peak_memory_bytes: int = 0
    isolation: str = "none"
    reason: str = ""

    @property
    def cheated(self) -> bool:
        """Whether the candidate was caught at a score that is not honestly its own."""
        return self.reason.startswith("the candidate") and CHEATING in self.reason


def as_checked(request: RunRequest, arm: str, slice_seed: int) -> RunRequest:
    """A run as a replication makes it, with its exams; the base's and the baseline's are alike."""
    exams: tuple[Exam, ...] = (VALIDATION, challenge(slice_seed))
    if arm == "candidate":
        exams += (HOLDOUT,)
    return replace(request, exams=exams, probe=_FULL_PROBE, against=())


async def replicate(
    base: Tree,
    candidate: Tree,
    drawn: Challenge,
    *,
    task: Task,
    code: bool,
    run: Run,
    with_baseline: bool = True,
    on_seed: Callable[[Replicated], None] = lambda found: None,
) -> Replicated:
    """
    Measure a win on every seed of its challenge, until a run fails.

    Args:
        base: Tree of the win's base.
        candidate: Tree of the win.
        drawn: By this node's signature over the win's id.
        code: One of the trees changes more than knobs and needs isolation.
        with_baseline: Run the task's baseline too, which a record needs.
        on_seed: Told what has been measured after each seed.
    """
    found = Replicated()
    arms = {"base": base, "candidate": candidate}
    if with_baseline:
        arms["baseline"] = task.baseline
    for seed in drawn.seeds:
        results = await _runs(arms, seed, drawn.slice_seed, code, run)
        found.milliseconds += sum(result.wall_milliseconds for result in results.values())
        found.peak_memory_bytes = max(
            found.peak_memory_bytes, *(result.peak_memory_bytes for result in results.values())
        )
        found.isolation = results["candidate"].isolation
        if failed := [arm for arm, result in results.items() if not result.scores]:
            found.reason = _reason(failed[-1], results[failed[-1]])
            break
        _add(found, seed, results, splits=task.harness == "stream")
        on_seed(found)
    return found


async def _runs(
    arms: Mapping[str, Tree], seed: int, slice_seed: int, code: bool, run: Run
) -> dict[str, RunResult]:
    results: dict[str, RunResult] = {}

    async def one(arm: str, tree: Tree) -> None:
        request = RunRequest(tree, tree_hash(tree), seed, code and arm != "baseline")
        results[arm] = await run(as_checked(request, arm, slice_seed), arm)

    async with trio.open_nursery() as nursery:
        for arm, tree in arms.items():
            nursery.start_soon(one, arm, tree)
    return {arm: results[arm] for arm in arms}


def _add(found: Replicated, seed: int, results: Mapping[str, RunResult], *, splits: bool) -> None:
    values = {arm: [score.value_nano for score in results[arm].scores] for arm in results}
    base, candidate = values["base"], values["candidate"]
    found.pairs.append(Pair(seed, base[0], candidate[0]))
    found.challenge_pairs.append(Pair(seed, base[1], candidate[1]))
    found.baseline += [(seed, values["baseline"][1])] if "baseline" in values else []
    found.holdouts += candidate[2:] if splits else []


def _reason(arm: str, result: RunResult) -> str:
    last = result.log_tail.strip().rsplit("\n", 1)[-1][:200]
    return f"the {arm} {result.status.value.replace('_', ' ')}: {last}"

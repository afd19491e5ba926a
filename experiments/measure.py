"""
Measure one hypothesis against its base, pair by pair, until it is decided.

Base and candidate run on the same seeds; what counts is the difference. The
rule that stops is `swarm.statistics.decide`, and for what may win by being simpler
`swarm.simplicity.decide_either`.

Law: this file runs and reports; it never decides and never publishes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import trio

from experiments.run import PROBE_SHARE, RunRequest, RunResult, RunStatus
from experiments.stopping import Stop
from swarm.records import PROMISING, Block, Pair, RecordId, from_nano
from swarm.remeasure import holds_up
from swarm.simplicity import FAMILY as SIMPLIFY
from swarm.simplicity import allowed_loss, decide_either, size_of, why_simpler
from swarm.statistics import Decision, Rule
from swarm.stopping import stopped_at
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.verdict import Yardstick

Overtaken = Callable[["Measured"], str | None]

NEVER = Stop()

Run = Callable[[RunRequest, str], Awaitable[RunResult]]
"""Runs a request; the second argument is the arm, `base` or `candidate`."""

LEAST_FRESH = 2
"""No win is published with fewer fresh pairs by whoever chose it; a friend's one is enough."""


@dataclass(slots=True)
class Measured:
    """
    What has been seen of a hypothesis so far, and what was decided.

    Attributes:
        simpler: In what it is simpler, where it won by that and not by a gain.
        behind: A run of it was so far behind its base that it was stopped, or could have been.
        log_tail: What a candidate's run that failed had printed, shortened.
        adopted: The win that the candidate is, tree for tree, where it was proven before.
    """

    outcome: str = "dropped"
    reason: str = ""
    pairs: list[Pair] = field(default_factory=list[Pair])
    runs: list[tuple[RunResult, RunResult]] = field(
        default_factory=list[tuple[RunResult, RunResult]]
    )
    milliseconds: int = 0
    peak_memory_bytes: int = 0
    simpler: str = ""
    behind: bool = False
    log_tail: str = ""
    adopted: RecordId | None = None

    @property
    def isolation(self) -> str:
        """What the harness applied to the candidate."""
        return self.runs[0][1].isolation if self.runs else "none"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Per held-out file, the bits of base and candidate summed over the pairs."""
        if not self.runs:
            return ()
        columns = range(len(self.runs[0][0].blocks))
        return tuple(
            Block(
                bytes=self.runs[0][0].blocks[i][0],
                base_nano=sum(base.blocks[i][1] for base, _ in self.runs),
                candidate_nano=sum(candidate.blocks[i][1] for _, candidate in self.runs),
            )
            for i in columns
        )


async def measure(
    base: Tree,
    candidate: Tree,
    *,
    task: Task,
    code: bool,
    seeds: Sequence[int],
    run: Run,
    on_pair: Callable[[Measured], None],
    family: str = "",
    stop: Stop = NEVER,
    overtaken: Overtaken = lambda measured: None,
) -> Measured:
    """
    Run pairs on `seeds`, in their order, until the rule of the task decides.

    Args:
        base: Tree of the base arm.
        candidate: Tree of the candidate arm.
        code: The candidate changes more than knobs and needs isolation.
        seeds: Fresh for this pair of trees, at least as many as the last look needs.
        on_pair: Called after each completed pair.
        family: Of the hypothesis; in `simplify` one may win by being simpler.
        stop: Whether a run that is clearly behind its base is stopped; once pairs show a gain,
            none is: what they say outweighs a curve.
        overtaken: Says why it is not worth more pairs, where that is so.

    Returns:
        The pairs and an outcome: `win`, `no_gain`, the candidate's failure
        (`crashed`, `timed_out`, `out_of_memory`, `diverged`), or `dropped`
        where the base arm itself failed.
    """
    measured = Measured()
    rule = Rule.of(task)
    for seed in seeds:
        held = NEVER if sum(_gains(measured, task)) > 0 else stop
        if not await _extend(measured, base, candidate, seed, code, run, stop=held):
            return measured
        on_pair(measured)
        why = _why_simpler(base, candidate, measured, task) if family == SIMPLIFY else None
        decision, as_good = decide_either(
            differences(measured.pairs), rule, task.metric.direction, simpler=why is not None
        )
        if decision is not Decision.CONTINUE:
            won = decision is Decision.WIN
            measured.outcome, measured.reason = "win" if won else "no_gain", decision.value
            if won and as_good and why:
                measured.simpler, measured.reason = why, f"as good as its base, with {why}"
            return measured
        if why is None and (better := overtaken(measured)) is not None:
            measured.outcome, measured.reason = PROMISING, better
            return measured
    measured.outcome, measured.reason = "no_gain", "no seeds left"
    return measured


async def measure_again(
    base: Tree,
    candidate: Tree,
    first: Measured,
    *,
    task: Task,
    code: bool,
    seeds: Sequence[int],
    run: Run,
    on_pair: Callable[[Measured], None],
    overtaken: Overtaken = lambda measured: None,
    chosen_here: bool = True,
) -> Measured:
    """
    Run a chosen winner on fresh seeds: the runs that chose it flatter it.

    On all of them, unless a few already show nothing but clear gains. Every answer of the
    winner is probed, since these are the runs it is published with.

    Args:
        first: What chose it.
        chosen_here: Where somebody else chose it, on other seeds, the first pairs are fresh too.
        seeds: None of which `first` has seen.

    Returns:
        A `win` with the fresh pairs alone; or, where these do not bear it out or a
        run fails, all pairs and what came of it.
    """
    fresh = Measured(milliseconds=first.milliseconds, peak_memory_bytes=first.peak_memory_bytes)
    fresh.simpler = first.simpler
    if not chosen_here:
        first, fresh = Measured(reason=first.reason), first
    completed = True
    least = LEAST_FRESH if chosen_here else 1
    for seed in () if _is_beyond_doubt(fresh, task, least) else seeds:
        completed = await _extend(fresh, base, candidate, seed, code, run, probe=1.0)
        if not completed:
            break
        on_pair(fresh)
        if _is_beyond_doubt(fresh, task, least):
            break
        if not fresh.simpler and (better := overtaken(fresh)) is not None:
            fresh.pairs[:0], fresh.runs[:0] = first.pairs, first.runs
            fresh.outcome, fresh.reason = PROMISING, better
            return fresh
    if completed:
        fresh.outcome, fresh.reason, fresh.simpler = "win", first.reason, first.simpler
        yardstick = Yardstick.of(task)
        allowed = allowed_loss(yardstick, simpler=bool(first.simpler))
        if holds_up(differences(fresh.pairs), yardstick, allowed):
            return fresh
        what = "that it is as good" if first.simpler else "the gain"
        fresh.outcome, fresh.reason = "no_gain", f"fresh seeds did not bear {what} out"
    fresh.pairs[:0] = first.pairs
    fresh.runs[:0] = first.runs
    return fresh


def _is_beyond_doubt(fresh: Measured, task: Task, least: int) -> bool:
    rule, gains = Rule.of(task), _gains(fresh, task)
    return len(gains) >= least and all(map(rule.is_clear, gains))


def _gains(measured: Measured, task: Task) -> list[float]:
    """By how much the candidate was better in each pair."""
    sign = -1.0 if task.metric.direction == "minimize" else 1.0
    return [sign * each for each in differences(measured.pairs)]


def differences(pairs: Sequence[Pair]) -> list[float]:
    """Candidate − base of every pair, in the task's metric unit."""
    return [from_nano(pair.candidate_nano - pair.base_nano) for pair in pairs]


def _why_simpler(base: Tree, candidate: Tree, measured: Measured, task: Task) -> str | None:
    """In what the candidate is simpler, its trained weights counted too."""
    before, after = measured.runs[-1]
    return why_simpler(
        size_of(base, task.baseline, before.parameters),
        size_of(candidate, task.baseline, after.parameters),
    )


async def _extend(
    measured: Measured,
    base: Tree,
    candidate: Tree,
    seed: int,
    code: bool,
    run: Run,
    probe: float = PROBE_SHARE,
    stop: Stop = NEVER,
) -> bool:
    """Run one more pair; False, with the outcome set, where one of its runs failed."""
    if stop.mode == "never":
        results = await _pair(base, candidate, seed, code, run, probe)
    else:
        results = await _one_after_the_other(base, candidate, seed, code, run, stop)
        last = results[1]
        measured.behind |= last.status is RunStatus.STOPPED or _was_behind(*results, stop)
    measured.milliseconds += sum(result.wall_milliseconds for result in results)
    measured.peak_memory_bytes = max(
        measured.peak_memory_bytes, *(result.peak_memory_bytes for result in results)
    )
    return _add(measured, seed, *results)


async def _pair(
    base: Tree, candidate: Tree, seed: int, code: bool, run: Run, probe: float
) -> tuple[RunResult, RunResult]:
    results: dict[str, RunResult] = {}

    async def one(arm: str, tree: Tree) -> None:
        share = probe if arm == "candidate" else PROBE_SHARE
        request = RunRequest(tree, tree_hash(tree), seed, code, probe=share)
        results[arm] = await run(request, arm)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one, "base", base)
        nursery.start_soon(one, "candidate", candidate)
    return results["base"], results["candidate"]


async def _one_after_the_other(
    base: Tree, candidate: Tree, seed: int, code: bool, run: Run, stop: Stop
) -> tuple[RunResult, RunResult]:
    """The base first, so that the candidate can be held against its losses."""
    first = await run(RunRequest(base, tree_hash(base), seed, code), "base")
    against = tuple(stop.reference(first.curve)) if stop.mode == "stop" else ()
    request = RunRequest(candidate, tree_hash(candidate), seed, code, against=against)
    return first, await run(request, "candidate")


def _was_behind(base: RunResult, candidate: RunResult, stop: Stop) -> bool:
    """Whether the candidate would have been stopped."""
    budget = base.curve[-1][0] if base.curve else 0
    return stopped_at(candidate.curve, stop.reference(base.curve), budget) is not None


def _add(measured: Measured, seed: int, base: RunResult, candidate: RunResult) -> bool:
    """Take a pair in; False, with the outcome set, where one of its runs failed."""
    if base.value_nano is None:
        measured.outcome = "dropped"
        measured.reason = f"the base itself: {base.status.value.replace('_', ' ')}"
        return False
    if candidate.status is RunStatus.STOPPED:
        measured.outcome = "no_gain"
        measured.reason = candidate.log_tail.strip().rsplit("\n", 1)[-1][:200]
        return False
    if candidate.value_nano is None:
        assert candidate.status is not RunStatus.COMPLETED
        measured.outcome, measured.log_tail = candidate.status.value, candidate.log_tail
        measured.reason = candidate.log_tail.strip().rsplit("\n", 1)[-1][:200]
        return False
    measured.pairs.append(Pair(seed, base.value_nano, candidate.value_nano))
    measured.runs.append((base, candidate))
    return True

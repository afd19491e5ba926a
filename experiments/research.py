"""
The loop of one node: propose, run, measure, keep.

As many experiments as there are workers go on at once. Each is chosen by the
strategy, proposed, measured against the champion on the same seeds, decided by
the rule of the task and written down; a win becomes the champion.

Law: research never waits for the network, and what has been decided is durable
before the next experiment starts. Experiments that were interrupted are taken
up again at the next start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import trio

from experiments.findings import trial_of
from experiments.history import History
from experiments.measure import Measured, differences, measure
from experiments.proposers import Champion, KnownWin, Proposer, Situation
from experiments.runner import Progress, Runner, RunRequest, RunResult
from swarm import events
from swarm.diff import apply_diff
from swarm.hypothesis import Hypothesis, from_bytes, to_bytes
from swarm.records import RecordId, TreeHash, from_nano
from swarm.statistics import Effect, paired_effect
from swarm.strategy import choose, evidence_of
from swarm.task import Task
from swarm.tree import Tree, tree_hash

SEED_POOL = 16
"""Seeds per base. Experiments on one base share them, so its runs are cached."""

IDLE_SECONDS = 5.0
"""How long to wait for news when there is nothing left to try."""


class Swarm(Protocol):
    """What research needs of the rest of the node."""

    def now_ms(self) -> int: ...

    def champion(self) -> Champion:
        """What this node built on when it was last running."""
        ...

    def tree_of(self, record: RecordId | None) -> Tree:
        """The editable files of a win, or of the baseline."""
        ...

    def known_wins(self, champion: RecordId | None) -> Sequence[KnownWin]:
        """Wins that are not part of the champion's lineage, the most promising ones."""
        ...

    async def publish_win(self, hypothesis: Hypothesis, measured: Measured) -> RecordId:
        """Sign a win and take it through the door; durable when this returns."""
        ...

    def running(self) -> bytes | None: ...

    async def set_running(self, hypotheses: bytes) -> None: ...

    async def set_champion(self, record: RecordId) -> None: ...


@dataclass(slots=True)
class _Progress:
    started: int = 0
    finished: int = 0
    running: dict[int, Hypothesis] = field(default_factory=dict[int, Hypothesis])
    interrupted: list[Hypothesis] = field(default_factory=list[Hypothesis])


class Research:
    """
    Runs experiments until told to stop or until `limit` of them have finished.

    Args:
        limit: Stop after this many finished experiments of this run; None: never.
        report: Where events go; must not block.
        uniform: A number in [0, 1), new at each call.
        node_seed: Any text that differs between nodes; it selects the seed pools.
    """

    def __init__(
        self,
        task: Task,
        runner: Runner,
        history: History,
        proposers: Sequence[Proposer],
        swarm: Swarm,
        *,
        hardware_class: str,
        workers: int,
        fold_share: float,
        exclude: Sequence[str],
        limit: int | None,
        report: Callable[[events.Event], None],
        uniform: Callable[[], float],
        node_seed: str,
    ) -> None:
        self._task = task
        self._runner = runner
        self._history = history
        self._proposers = proposers
        self._swarm = swarm
        self._hardware_class = hardware_class
        self._workers = workers
        self._fold_share = fold_share
        self._exclude = frozenset(exclude)
        self._limit = limit
        self._report = report
        self._uniform = uniform
        self._node_seed = node_seed
        self._tried = {(trial.base_tree, trial.tree) for trial in history.all()}
        self._state = _Progress(interrupted=self._interrupted())
        self._champion = swarm.champion()

    @property
    def experiments(self) -> int:
        """Experiments this node has finished, in all its runs."""
        return self._history.count()

    @property
    def running(self) -> Sequence[Hypothesis]:
        """What is being measured now."""
        return tuple(self._state.running.values())

    async def run(self, news: Callable[[], trio.Event]) -> None:
        """
        Measure the baseline, then experiment.

        Args:
            news: Gives an event that is set when the board next changes.
        """
        await self._measure_baseline()
        async with trio.open_nursery() as nursery:
            for _ in range(self._workers):
                nursery.start_soon(self._work, news)

    async def _measure_baseline(self) -> None:
        self._report(events.Preparing("Running the unchanged baseline on this machine first."))
        seed = self._seeds(tree_hash(self._task.baseline))[0]
        request = RunRequest(self._task.baseline, tree_hash(self._task.baseline), seed, code=False)
        result = await self._runner.calibrate(request, self._progress_of(0, "baseline", seed))
        assert result.value_nano is not None
        if self._champion.record is None:
            self._champion = replace(self._champion, value=from_nano(result.value_nano))
        self._report(
            events.BaselineMeasured(from_nano(result.value_nano), result.cpu_milliseconds / 1000)
        )

    async def _work(self, news: Callable[[], trio.Event]) -> None:
        while self._limit is None or self._state.started < self._limit:
            fresh = news()
            chosen = self._next()
            if chosen is None:
                with trio.move_on_after(IDLE_SECONDS):
                    await fresh.wait()
                continue
            self._state.started += 1
            await self._experiment(self._state.started, *chosen)

    def _next(self) -> tuple[Hypothesis, str] | None:
        while self._state.interrupted:
            hypothesis = self._state.interrupted.pop()
            if (hypothesis.base_tree, hypothesis.tree) not in self._tried:
                return hypothesis, "It was interrupted when this node last stopped."
        return self._choose()

    def _choose(self) -> tuple[Hypothesis, str] | None:
        situation = Situation(
            task=self._task,
            champion=self._champion,
            wins=self._swarm.known_wins(self._champion.record),
            code_allowed=self._runner.code_allowed,
            tried=lambda base, tree: (base, tree) in self._tried,
            uniform=self._uniform,
        )
        offers = {
            family: proposer
            for proposer in self._proposers
            for family in proposer.families(situation)
            if family not in self._exclude
        }
        if not offers:
            return None
        choice = choose(
            sorted(offers),
            evidence_of(self._history.all(), self._task.metric.direction, self._task.metric.goal),
            self._hardware_class,
            fold_share=self._fold_share,
            uniform=self._uniform,
        )
        hypothesis = offers[choice.family].propose(situation, choice.family)
        return None if hypothesis is None else (hypothesis, choice.why)

    async def _experiment(self, number: int, hypothesis: Hypothesis, why: str) -> None:
        self._tried.add((hypothesis.base_tree, hypothesis.tree))
        self._state.running[number] = hypothesis
        await self._swarm.set_running(to_bytes(list(self._state.running.values())))
        self._report(events.ExperimentStarted(number, hypothesis, why))
        base = self._swarm.tree_of(hypothesis.base)
        started = trio.current_time()
        measured = await measure(
            base,
            apply_diff(base, hypothesis.diff, self._task.editable),
            task=self._task,
            code=hypothesis.code,
            seeds=self._shuffled(self._seeds(hypothesis.base_tree)),
            run=lambda request, arm: self._run(number, request, arm),
            on_pair=lambda so_far: self._report_pair(number, so_far),
        )
        await self._conclude(number, hypothesis, measured, trio.current_time() - started)

    async def _conclude(
        self, number: int, hypothesis: Hypothesis, measured: Measured, seconds: float
    ) -> None:
        if measured.outcome == "win":
            record = await self._swarm.publish_win(hypothesis, measured)
            if hypothesis.base == self._champion.record:
                await self._promote(record, hypothesis, measured)
        self._history.add(trial_of(hypothesis, measured, self._swarm.now_ms()))
        del self._state.running[number]
        self._state.finished += 1
        await self._swarm.set_running(to_bytes(list(self._state.running.values())))
        self._report(
            events.ExperimentFinished(
                number=number,
                hypothesis=hypothesis,
                outcome=measured.outcome,
                effect=effect_of(measured),
                reason=measured.reason,
                seconds=seconds,
            )
        )

    async def _promote(self, record: RecordId, hypothesis: Hypothesis, measured: Measured) -> None:
        await self._swarm.set_champion(record)
        values = [from_nano(pair.candidate_nano) for pair in measured.pairs]
        self._champion = Champion(record, self._swarm.tree_of(record), sum(values) / len(values))
        self._report(events.ChampionChanged(record, hypothesis.title))

    async def _run(self, number: int, request: RunRequest, arm: str) -> RunResult:
        return await self._runner.run(request, self._progress_of(number, arm, request.seed))

    def _progress_of(self, number: int, arm: str, seed: int) -> Callable[[Progress], None]:
        def tell(progress: Progress) -> None:
            self._report(
                events.RunProgress(
                    number, arm, seed, progress.tokens, progress.budget_tokens, progress.loss
                )
            )

        return tell

    def _report_pair(self, number: int, measured: Measured) -> None:
        last = measured.pairs[-1]
        self._report(
            events.PairMeasured(
                number,
                len(measured.pairs),
                from_nano(last.base_nano),
                from_nano(last.candidate_nano),
            )
        )

    def _seeds(self, base_tree: TreeHash) -> list[int]:
        """The seeds this node uses on a base: its own, so that peers' evidence is independent."""
        text = f"{self._task.id}/{self._node_seed}/{base_tree}"
        start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return [(start + index) % self._task.seeds for index in range(SEED_POOL)]

    def _shuffled(self, seeds: list[int]) -> list[int]:
        return [seeds.pop(int(self._uniform() * len(seeds))) for _ in range(len(seeds))]

    def _interrupted(self) -> list[Hypothesis]:
        data = self._swarm.running()
        return from_bytes(data) if data else []


def effect_of(measured: Measured) -> Effect | None:
    """The paired effect where at least two pairs were completed."""
    return paired_effect(differences(measured.pairs)) if len(measured.pairs) > 1 else None

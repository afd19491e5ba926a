"""
The loop of one node: propose, run, measure, measure again, keep.

As many pieces of work as there are workers go on at once. A share of them checks
what peers claim. Each of the others is chosen by the strategy, proposed, measured
against the champion on the same seeds, decided by the rule of the task and written
down; a win is measured again on fresh seeds, published and becomes the champion.

Law: research never waits for the network, and what has been decided is durable
before the next experiment starts. Experiments that were interrupted are taken
up again at the next start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import trio

from experiments.checks import Checks
from experiments.choosing import Chooser
from experiments.findings import Author, trial_of, win_record
from experiments.history import History
from experiments.measure import Measured, Run, measure, measure_again
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.outlook import Outlook
from experiments.outside import Swarm
from experiments.proposers import Champion, Proposer, Situation
from experiments.proposers.follow import FOLLOW
from experiments.replicate import as_checked
from experiments.run import SPARE
from experiments.runner import Runner, RunRequest, RunResult
from experiments.seeds import Seeds
from experiments.stopping import Stopping
from experiments.telling import effect_of, pairs_of, progress_of
from experiments.worth import Find, Worth
from swarm import events
from swarm.challenge import Challenge
from swarm.diff import apply_diff
from swarm.hypothesis import Hypothesis
from swarm.newcomers import Piece, Spending
from swarm.records import PROMISING, Pair, RecordId, TreeHash, Trial, from_nano
from swarm.settings import SearchSettings
from swarm.signals import Idea
from swarm.task import Task
from swarm.tree import Tree, tree_hash

IDLE_SECONDS = 5.0
"""How long to wait for news when there is nothing left to try."""

OUTLOOK_SECONDS = 10.0
"""How long an outlook is good enough for those who ask again."""

SLEPT_ON = "clearly better; a friend's run will prove it, or this node later"
STILL_BEST = "It looked better than anything a friend has told of: now it is proven."


@dataclass(slots=True)
class _Progress:
    started: int = 0
    finished: int = 0
    running: dict[int, Hypothesis] = field(default_factory=dict[int, Hypothesis])


class Research:
    """
    Runs experiments until told to stop or until `limit` of them have finished.

    Args:
        author: This node, as its records name it; its peer id selects the seed pools.
        search: What the person set about the search.
        limit: Stop after this many finished experiments of this run; None: never.
        report: Where events go; must not block.
        uniform: A number in [0, 1), new at each call.
        finished: Told of each experiment as it ends; must not block.

    Attributes:
        spending: What this node's time goes into.
    """

    def __init__(
        self,
        task: Task,
        runner: Runner,
        history: History,
        proposers: Sequence[Proposer],
        swarm: Swarm,
        author: Author,
        search: SearchSettings,
        *,
        workers: int,
        limit: int | None,
        report: Callable[[events.Event], None],
        uniform: Callable[[], float],
        finished: Callable[[Hypothesis, Measured], None] = lambda hypothesis, measured: None,
    ) -> None:
        self._task = task
        self._tell_finished = finished
        self._runner = runner
        self._history = history
        self._swarm = swarm
        self._author = author
        self._search = search
        self._workers = workers
        before = history.count()
        self._limit = None if limit is None else before + limit
        self._report = report
        self._state = _Progress(started=before)
        self._outlook: tuple[float, Outlook] | None = None
        self._seeds = Seeds(task, author.peer_id, uniform)
        self._memory = Memory(swarm, task.baseline)
        self._champion = self._memory.champion()
        self._stopping = Stopping(task, swarm, enabled=search.early_stopping, uniform=uniform)
        self.spending = Spending()
        self._worth = Worth(task, swarm, history, author.peer_id)
        opinions = Opinions(task, swarm)
        self._chooser = Chooser(
            task,
            history,
            proposers,
            swarm,
            self._memory,
            author,
            search,
            opinions,
            self.spending,
            code_allowed=runner.code_allowed,
            workers=workers,
            uniform=uniform,
        )
        self._checks = Checks(
            task,
            author,
            swarm,
            self._run,
            opinions,
            code_allowed=runner.code_allowed,
            share=search.replicate_share,
            spending=self.spending,
            report=report,
            uniform=uniform,
        )

    @property
    def experiments(self) -> int:
        """Experiments this node has finished, in all its runs."""
        return self._history.count()

    @property
    def running_titles(self) -> Sequence[str]:
        """What is being measured now."""
        return [*(each.title for each in self._state.running.values()), *self._checks.titles]

    def situation(self) -> Situation:
        """What a proposer may look at now."""
        return self._chooser.situation(self._champion)

    def outlook(self) -> Outlook:
        """How likely each family of ideas is to be tried next, and why."""
        now = trio.current_time()
        if self._outlook is None or now >= self._outlook[0]:
            self._outlook = now + OUTLOOK_SECONDS, self._chooser.outlook(self._champion)
        return self._outlook[1]

    async def run(self, news: Callable[[], trio.Event]) -> None:
        """
        Measure the baseline, then experiment.

        Args:
            news: Gives an event that is set when the board next changes.
        """
        self._report_earlier()
        await self._measure_baseline()
        async with trio.open_nursery() as nursery:
            for _ in range(self._workers):
                nursery.start_soon(self._work, news)

    def _report_earlier(self) -> None:
        trials = self._history.all()
        if not trials:
            return
        record = self._champion.record
        title = None if record is None else self._swarm.board.wins[record].title
        wins = sum(trial.outcome == "win" for trial in trials)
        self._report(events.GoingOn(len(trials), wins, title))

    async def _measure_baseline(self) -> None:
        seed = self._seeds.of(tree_hash(self._task.baseline))[0]
        request = RunRequest(self._task.baseline, tree_hash(self._task.baseline), seed, code=False)
        if not self._runner.remembers(request):
            self._report(events.Preparing("Running the unchanged baseline on this machine first."))
        result = await self._runner.calibrate(
            request, progress_of(self._report, 0, "baseline", seed)
        )
        assert result.value_nano is not None
        if self._champion.record is None:
            self._champion = replace(self._champion, value=from_nano(result.value_nano))
        self._report(
            events.BaselineMeasured(from_nano(result.value_nano), result.cpu_milliseconds / 1000)
        )

    async def _work(self, news: Callable[[], trio.Event]) -> None:
        while self._limit is None or self._state.started < self._limit:
            fresh = news()
            if (record := self._checks.due()) is not None:
                await self._checks.check(record)
                continue
            await self._adopt_what_was_measured()
            find = self._worth.due(self._champion, self._state.finished)
            chosen = None if find else self._chooser.next(self._champion)
            if find or (not chosen and (find := self._worth.due(self._champion))):
                self._state.started += 1
                await self._experiment(self._state.started, find.hypothesis, STILL_BEST, find)
            elif chosen is None and (record := self._checks.any()) is not None:
                await self._checks.check(record)
            elif chosen is None:
                with trio.move_on_after(IDLE_SECONDS):
                    await fresh.wait()
            else:
                self._state.started += 1
                await self._experiment(self._state.started, *chosen)

    async def _experiment(
        self, number: int, hypothesis: Hypothesis, why: str, find: Find | None = None
    ) -> None:
        self._state.running[number] = hypothesis
        piece = self._piece(hypothesis)
        self.spending.begin(piece)
        await self._remember_running()
        self._report(events.ExperimentStarted(number, hypothesis, why))
        drawn = await self._checked_first(hypothesis) if find is None else None
        started = trio.current_time()
        if find is None:
            measured = await self._measure(number, hypothesis, drawn)
        else:
            measured = await self._measure_again(number, hypothesis, find.measured, None)
        seconds = trio.current_time() - started
        self.spending.end(piece, seconds)
        await self._conclude(number, hypothesis, measured, seconds)

    def _piece(self, hypothesis: Hypothesis) -> Piece:
        wins = self._swarm.board.wins
        folded = (wins[parent].author for parent in hypothesis.parents if parent in wins)
        return Piece(authors=frozenset(folded))

    async def _checked_first(self, hypothesis: Hypothesis) -> Challenge | None:
        """
        Where it runs a stranger's win again just as it is: publish that as a replication.

        Returns:
            The challenge, whose runs are the first pairs of the experiment too.
        """
        wins = self._swarm.board.wins
        for parent in hypothesis.parents if self._checks.enabled else ():
            win = wins.get(parent)
            if win is None or win.tree != hypothesis.tree or win.author == self._author.peer_id:
                continue
            if win.author in self._swarm.anchors():
                continue
            if self._tree_hash_of(win.base) == hypothesis.base_tree:
                await self._checks.check(parent)
                return self._checks.challenge(parent)
        return None

    def _tree_hash_of(self, record: RecordId | None) -> TreeHash | None:
        if record is None:
            return tree_hash(self._task.baseline)
        win = self._swarm.board.wins.get(record)
        return None if win is None else win.tree

    async def _measure(
        self, number: int, hypothesis: Hypothesis, drawn: Challenge | None
    ) -> Measured:
        """Measure until it is decided; what is decided to be better, once more."""
        base = self._swarm.tree_of(hypothesis.base)
        candidate = apply_diff(base, hypothesis.diff, self._task.editable)
        stop = self._stopping.of(base, candidate)
        seeds = self._seeds.in_order(hypothesis.base_tree, partial(self._has_run, base))
        seeds = [*dict.fromkeys([*(drawn.seeds if drawn else ()), *seeds])]
        new = hypothesis.proposer != FOLLOW and not hypothesis.parents
        measured = await measure(
            base,
            candidate,
            task=self._task,
            code=hypothesis.code,
            seeds=seeds,
            run=self._runs_of(number, drawn, SPARE if new else 0.0),
            on_pair=pairs_of(self._report, number),
            family=hypothesis.family,
            stop=stop,
            overtaken=partial(self._worth.overtaken, hypothesis),
        )
        self._stopping.saw(candidate, [result for _, result in measured.runs])
        said = await self._stopping.note(stop.mode, measured.outcome, behind=measured.behind)
        measured.reason = "; ".join(filter(None, [measured.reason, said]))
        if measured.outcome != "win":
            return measured
        if (record := self._worth.win_of(hypothesis.tree)) is not None:
            measured.adopted = record
            return measured
        may_wait = hypothesis.proposer != FOLLOW and not measured.simpler
        if may_wait and self._worth.sleep_on(hypothesis, measured, self._state.finished + 1):
            return replace(measured, outcome=PROMISING, reason=SLEPT_ON)
        return await self._measure_again(number, hypothesis, measured, drawn)

    async def _measure_again(
        self, number: int, hypothesis: Hypothesis, measured: Measured, drawn: Challenge | None
    ) -> Measured:
        base = self._swarm.tree_of(hypothesis.base)
        seen = {pair.seed for pair in measured.pairs}
        fresh = [seed for seed in self._seeds.of(hypothesis.tree) if seed not in seen]
        fresh = fresh[: self._search.promotion_pairs]
        if hypothesis.proposer != FOLLOW:
            self._report(events.MeasuringAgain(number, len(fresh)))
        return await measure_again(
            base,
            apply_diff(base, hypothesis.diff, self._task.editable),
            measured,
            task=self._task,
            code=hypothesis.code,
            seeds=fresh,
            run=self._runs_of(number, drawn),
            on_pair=pairs_of(self._report, number),
            overtaken=partial(self._worth.left_behind, hypothesis),
            chosen_here=hypothesis.proposer != FOLLOW,
        )

    async def _adopt_what_was_measured(self) -> None:
        """Build on what this node found or followed, and a friend has proven."""
        base = tree_hash(self._champion.tree)
        for trial in self._history.all():
            if trial.outcome != PROMISING or trial.base_tree != base:
                continue
            if not self._worth.is_clear(trial.pairs):
                continue
            if (record := self._worth.win_of(trial.tree)) is not None:
                await self._promote(record, trial.title, trial.pairs)
                return

    def _trial(self, hypothesis: Hypothesis, measured: Measured, outcome: str) -> Trial:
        return replace(trial_of(hypothesis, measured, self._swarm.now_ms()), outcome=outcome)

    async def _conclude(
        self, number: int, hypothesis: Hypothesis, measured: Measured, seconds: float
    ) -> None:
        if measured.outcome == "win":
            record = measured.adopted or await self._swarm.publish(
                win_record(self._author, hypothesis, measured, self._swarm.now_ms())
            )
            if self._worth.replaces(self._champion, hypothesis, measured.pairs):
                await self._promote(record, hypothesis.title, measured.pairs)
        self._history.add(self._trial(hypothesis, measured, measured.outcome))
        del self._state.running[number]
        self._state.finished += 1
        await self._remember_running()
        self._tell_finished(hypothesis, measured)
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

    async def _promote(self, record: RecordId, title: str, pairs: Sequence[Pair]) -> None:
        await self._memory.keep_champion(record)
        values = [from_nano(pair.candidate_nano) for pair in pairs]
        self._champion = Champion(record, self._swarm.tree_of(record), sum(values) / len(values))
        self._report(events.ChampionChanged(record, title))

    async def _remember_running(self) -> None:
        begun = list(self._state.running.values())
        waiting = [hypothesis for hypothesis, _ in self._chooser.waiting]
        self._swarm.claim([Idea.of(each) for each in (*begun, *waiting)])
        await self._memory.keep_running([*self._chooser.interrupted, *begun])

    def _has_run(self, tree: Tree, seed: int) -> bool:
        return self._runner.remembers(RunRequest(tree, tree_hash(tree), seed, code=False))

    def _runs_of(self, number: int, drawn: Challenge | None, spare: float = 0.0) -> Run:
        """Runs the arms of an experiment; on the seeds of a check, as the check ran them."""

        async def run(request: RunRequest, arm: str) -> RunResult:
            if drawn is not None and request.seed in drawn.seeds:
                request = as_checked(request, arm, drawn.slice_seed)
            elif arm == "candidate":
                request = replace(request, spare=spare)
            return await self._run(number, request, arm)

        return run

    async def _run(self, number: int, request: RunRequest, arm: str) -> RunResult:
        return await self._runner.run(request, progress_of(self._report, number, arm, request.seed))

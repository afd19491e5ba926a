"""
Real training at the disposal of nodes that live in virtual time.

One runner, in a thread with an event loop of its own, trains for everybody; the nodes'
own loop waits for it and then lets as much virtual time pass as the run took. What was
run once is remembered on disk, so a benchmark that was stopped goes on where it was, and
two nodes that run the same thing wait for it once; both pay for it.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol

import trio

from experiments.harness import Caps, ReportProgress
from experiments.run import Exam, RunnerError, RunRequest, RunResult, RunStatus
from experiments.run_cache import RunCache
from experiments.runner import Runner, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import LoadedTask, load_task
from swarm.records import TreeHash
from swarm.stopping import stopped_at
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of

TASK = "quick"
EVAL_SHARE = 2
"""Bytes scored per token trained on, where a run is made smaller than the task has it."""

TRIES = 3
"""
So often what was found is run on a seed: what takes nearly as much processor time as is
allowed times out where the machine was disturbed.
"""

ROWS = "rows.jsonl"
"""What was asked and answered, one line each: what `benchmarks.tabular` is made from."""


class Trainer(Protocol):
    """What answers requests: training, or a stand-in for it."""

    loaded: LoadedTask

    @property
    def budget_tokens(self) -> int:
        """What a whole run trains on."""
        tokens = self.loaded.task.budget.tokens
        assert tokens is not None
        return tokens

    def run(self, request: RunRequest) -> RunResult:
        """The result of a request."""
        ...


class Training(Trainer):
    """
    Runs requests of the task `TASK`, one at a time; a context manager.

    Args:
        home: Where the corpus and all results are kept.
        budget_tokens: Of a run; None: as the task has it.

    Raises:
        TaskError: The task cannot be read.
    """

    def __init__(self, home: Path, budget_tokens: int | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self._home = home
        self._ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self.loaded = load_task(TASK)
        if budget_tokens not in (None, self.budget_tokens):
            self.loaded = load_task(_smaller(self.loaded, home / "task", budget_tokens))

    def __enter__(self) -> Training:
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._token.run_sync_soon(self._over.set)
        self._thread.join()

    def run(self, request: RunRequest) -> RunResult:
        """
        The result of a request; blocks the calling thread until it is there.

        Raises:
            RunnerError: The harness itself cannot work.
        """
        asked: Future[RunResult] = Future()
        self._token.run_sync_soon(self._start, request, asked)
        result = asked.result()
        with (self._home / ROWS).open("a") as rows:
            rows.write(json.dumps(row_of(request, result, self.loaded.task)) + "\n")
        return result

    def value(self, tree: Tree, seed: int, exam: Exam) -> float | None:
        """The metric of a tree on one text; None where it does not complete."""
        request = RunRequest(tree, tree_hash(tree), seed, code=False, exams=(exam,))
        result = self.run(request)
        for _ in range(TRIES - 1):
            if result.status is RunStatus.TIMED_OUT:
                result = self.run(request)
        return None if result.value_nano is None else result.value_nano / 1e9

    def _live(self) -> None:
        try:
            trio.run(self._serve)
        except* RunnerError as error:
            self._ready.set_exception(error)

    async def _serve(self) -> None:
        self._token, self._over = trio.lowlevel.current_trio_token(), trio.Event()
        runner = open_runner(
            self.loaded,
            cache=self._home / "cache",
            scratch=self._home / "scratch",
            runs=RunCache(self._home / "runs.sqlite"),
            workers=1,
            sandbox=best_sandbox(),
        )
        async with runner, trio.open_nursery() as nursery:
            self._runner, self._nursery = runner, nursery
            baseline = self.loaded.task.baseline
            await runner.calibrate(RunRequest(baseline, tree_hash(baseline), 0, code=False))
            self._ready.set_result(None)
            await self._over.wait()
            nursery.cancel_scope.cancel()

    def _start(self, request: RunRequest, asked: Future[RunResult]) -> None:
        self._nursery.start_soon(_answer, self._runner, request, asked)


def _smaller(loaded: LoadedTask, folder: Path, budget_tokens: int) -> Path:
    """The same task in a folder of its own, with another budget and less to score."""
    folder.mkdir(exist_ok=True)
    for path in (loaded.folder / name for name in (*loaded.task.editable, *loaded.task.frozen)):
        shutil.copy(path, folder)
    text = (loaded.folder / "tasks" / f"{TASK}.toml").read_text()
    now = {"root": '"."', "tokens": budget_tokens, "eval_bytes": EVAL_SHARE * budget_tokens}
    for key, value in now.items():
        text = re.sub(rf"(?m)^{key} = \S+", f"{key} = {value}", text)
    (folder / "task.toml").write_text(text)
    return folder


async def _answer(runner: Runner, request: RunRequest, asked: Future[RunResult]) -> None:
    try:
        asked.set_result(await runner.run(request))
    except RunnerError as error:
        asked.set_exception(error)


def row_of(request: RunRequest, result: RunResult, task: Task) -> dict[str, object]:
    """A run as a row of a table: what is off the baseline, and what came out."""
    usual = settings_of(task.baseline)
    here = settings_of(request.tree)
    return {
        "settings": {name: value for name, value in here.items() if value != usual[name]},
        "seed": request.seed,
        "split": request.exams[0].split,
        "status": result.status.value,
        "value_nano": result.value_nano,
        "curve": result.curve,
    }


@dataclass(slots=True)
class Tokens:
    """
    What may be trained on in all, and what was.

    Attributes:
        baseline, checks, again, first: What went into runs of the task's baseline, into checks
            of others' wins, into other runs of what had been run before, and into the first
            run of everything else.
        saved: What runs that were stopped would have gone on to train on.
    """

    budget: int
    baseline: int = 0
    checks: int = 0
    again: int = 0
    first: int = 0
    saved: int = 0
    _known: set[TreeHash] = field(default_factory=set[TreeHash])

    @property
    def spent(self) -> int:
        """All of it."""
        return self.baseline + self.checks + self.again + self.first

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.budget

    def pay(self, request: RunRequest, tokens: int, baseline: str) -> None:
        """Count a run."""
        if any(exam.split == "reserve" for exam in request.exams):
            self.checks += tokens
        elif request.tree_hash == baseline:
            self.baseline += tokens
        elif request.tree_hash in self._known:
            self.again += tokens
        else:
            self.first += tokens
            self._known.add(request.tree_hash)


class PaidHarness:
    """
    The training as a node's harness: every run is paid for, and takes its virtual time.

    Args:
        over: Called once there is nothing left to pay with; from then on no run ends.
    """

    isolation = "landlock+seccomp"
    isolates = True

    def __init__(self, training: Trainer, tokens: Tokens, over: Callable[[], None]) -> None:
        self._training = training
        self._tokens = tokens
        self._over = over
        self._baseline = tree_hash(training.loaded.task.baseline)

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        """
        Run it, pay for it, and let a minute pass for each budget of tokens.

        What is stopped runs to its end all the same, so that it is known what was lost by it.
        """
        if self._tokens.over:
            self._over()
            await trio.sleep_forever()
        budget = self._training.budget_tokens
        whole = self._training.run(replace(request, against=()))
        result = stopped(whole, request, budget)
        tokens = trained_on(result, budget)
        self._tokens.pay(request, tokens, self._baseline)
        if result.status is RunStatus.STOPPED:
            self._tokens.saved += budget - tokens
        await trio.sleep(max(tokens, 1) / budget)
        return result

    async def aclose(self) -> None:
        """The training is not this harness's to end."""


def stopped(result: RunResult, request: RunRequest, budget_tokens: int) -> RunResult:
    """A whole run as it ends where the request wants it stopped once it is behind."""
    if not request.against or result.status is not RunStatus.COMPLETED:
        return result
    end = stopped_at(result.curve, request.against, budget_tokens)
    if end is None:
        return result
    return replace(
        result,
        status=RunStatus.STOPPED,
        value_nano=None,
        blocks=(),
        scores=(),
        curve=tuple(point for point in result.curve if point[0] <= end),
        log_tail=f"clearly behind at {end / budget_tokens:.0%}, stopped",
    )


def trained_on(result: RunResult, budget_tokens: int) -> int:
    """How many tokens a run was trained on."""
    if result.status is RunStatus.COMPLETED or not result.curve:
        return budget_tokens
    return result.curve[-1][0]

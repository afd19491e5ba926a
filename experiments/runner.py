"""
Runs requests, a bounded number at once, and remembers what came out.

Law: whatever an experiment does, `run` gives a result; it raises only where
the harness itself cannot work.
"""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Protocol

import trio

from experiments.command import CommandHarness
from experiments.harness import Caps, Harness, ReportProgress, SupervisorLost
from experiments.limits import MEBIBYTE
from experiments.run import (
    CHEATING,
    IsolationNeededError,
    Progress,
    RunnerError,
    RunRequest,
    RunResult,
    RunStatus,
    allowed,
)
from experiments.run_cache import RunCache, RunKey
from experiments.sandbox import Sandbox
from experiments.seats import Seats
from experiments.stream import stream_harness
from experiments.workspace import remove_leftovers, workspace
from swarm.devices import Seat
from swarm.settings import Accept
from swarm.task import Task
from swarm.tree import TreeError, check_bounds

__all__ = [
    "IsolationNeededError",
    "Progress",
    "RunRequest",
    "RunResult",
    "RunStatus",
    "Runner",
    "RunnerError",
    "open_runner",
]

MEMORY_BYTES = 3 * 1024 * MEBIBYTE
UNCALIBRATED_CPU_SECONDS = 3600.0
ATTEMPTS = 3
LAST_LINES = 20
"""Of what a baseline printed before it failed."""


class LoadedTask(Protocol):
    """A task and where its files are: `experiments.task_folder.LoadedTask`."""

    @property
    def task(self) -> Task: ...

    @property
    def folder(self) -> Path: ...


class Runner:
    """
    Runs trees of one task; an async context manager that leaves no process behind.

    Args:
        task: What all runs belong to.
        harness: How a tree on disk becomes a result.
        scratch: Folder for the runs' files; what a killed node left there is removed.
        runs: Where results are remembered.
        workers: How many runs go on at once.
        accept: `knobs` refuses strangers' code even where it could be isolated.
        seats: On devices; every run takes one. None: the processor does the work.
    """

    def __init__(
        self,
        task: Task,
        harness: Harness,
        *,
        scratch: Path,
        runs: RunCache,
        workers: int,
        accept: Accept = "code",
        seats: Seats | None = None,
    ) -> None:
        self._accept = accept
        self._task = task
        self._harness = harness
        self._scratch = scratch
        self._runs = runs
        self._limiter = trio.CapacityLimiter(workers)
        self._under_way: dict[RunKey, trio.Event] = {}
        self._seats = seats
        self._software = environment_of(harness.isolation)
        self._cpu_seconds: dict[str, float] = {}

    @property
    def isolation(self) -> str:
        """The sandbox of every run here, as records name it."""
        return self._harness.isolation

    @property
    def code_allowed(self) -> bool:
        """Whether trees with strangers' code may run here."""
        return self._harness.isolates and self._accept == "code"

    @property
    def compute_cap_cpu_seconds(self) -> float:
        """Processor time at which a run is stopped, the most of it where devices differ."""
        return max(self._cpu_seconds.values(), default=UNCALIBRATED_CPU_SECONDS)

    async def __aenter__(self) -> Runner:
        self._scratch.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._scratch)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._harness.aclose()

    async def calibrate(
        self, request: RunRequest, progress: ReportProgress | None = None
    ) -> RunResult:
        """
        Run the baseline and set the compute cap to a multiple of what it used.

        Where devices of several kinds are used, it is run on one of each.

        Args:
            request: The task's baseline with any seed.
            progress: As for `run`.

        Raises:
            RunnerError: The baseline itself does not complete here.
        """
        seeds = [request.seed]
        if self._seats is not None:
            seeds = self._seats.one_seed_each(request.seed, self._task.seeds)
        results: list[RunResult] = []
        for seed in seeds:
            baseline = replace(request, seed=seed)
            results.append(result := await self.run(baseline, progress))
            if result.status is not RunStatus.COMPLETED:
                raise RunnerError(_failed_baseline(self._task.name, result))
            self._set_cap(baseline, result)
        return results[0]

    def _set_cap(self, baseline: RunRequest, result: RunResult) -> None:
        """
        Stop runs in the environment of this one at a multiple of what the baseline takes there.

        A process that waits for a device spins, so on a shared device it uses more.
        """
        environment = self._environment(baseline.seed)
        used = self._runs.typical_cpu_seconds(baseline.tree_hash, self._task.id, environment)
        seconds = used if used is not None else result.cpu_milliseconds / 1000
        stretch = 1.0 if self._seats is None else self._seats.pool(baseline.seed).stretch
        self._cpu_seconds[environment] = self._task.budget.compute_cap * seconds * stretch

    def remembers(self, request: RunRequest) -> bool:
        """Whether `run` would answer at once."""
        return self._runs.get(self._key(request)) is not None

    async def run(self, request: RunRequest, progress: ReportProgress | None = None) -> RunResult:
        """
        The result of a request: remembered, or run now once a worker is free.

        Args:
            request: What to run.
            progress: Told now and then how far it has come; must not block.

        Raises:
            IsolationNeededError: Code was to run without isolation.
            WorkspaceError: The tree is not the one its hash names.
            RunnerError: The harness itself cannot work.
        """
        if request.code and not self.code_allowed:
            raise IsolationNeededError(self._why_no_code())
        try:
            check_bounds(request.tree, self._task.baseline)
        except TreeError as error:
            return self._refused(str(error))
        key = self._key(request)
        while (under_way := self._under_way.get(key)) is not None:
            await under_way.wait()
        if (known := self._runs.get(key)) is not None:
            return known
        done = self._under_way[key] = trio.Event()
        try:
            async with self._limiter:
                result = self._judged(key, await self._run(request, progress or _ignore))
            self._runs.put(key, result)
            return result
        finally:
            del self._under_way[key]
            done.set()

    def _key(self, request: RunRequest) -> RunKey:
        return RunKey(
            request.tree_hash,
            request.seed,
            self._task.id,
            self._environment(request.seed),
            request.exams,
            request.probe,
        )

    def _environment(self, seed: int) -> str:
        """What may change the result of a run with this seed on this machine."""
        if self._seats is None:
            return self._software
        return f"{self._software}, {self._seats.pool(seed)}"

    def _refused(self, reason: str) -> RunResult:
        """The result of a tree that is not run: too large, so it may carry the answers."""
        return RunResult(RunStatus.CRASHED, None, (), 0, 0, 0, 0, self.isolation, reason)

    def _judged(self, key: RunKey, result: RunResult) -> RunResult:
        """The result, or a crash where another seed gave the same weights: nothing was trained."""
        if not result.weights_hash:
            return result
        twin = self._runs.seed_with_same_weights(key, result)
        if twin is None:
            return result
        reason = f"{CHEATING} seeds {twin} and {key.seed} gave the same weights"
        return replace(
            result,
            status=RunStatus.CRASHED,
            value_nano=None,
            blocks=(),
            scores=(),
            log_tail=f"{result.log_tail}\n{reason}",
        )

    def _why_no_code(self) -> str:
        if self._accept == "knobs":
            return "code diffs do not run here: the settings accept knobs only (search.accept)"
        stream = self._task.harness == "stream"
        needed = "Landlock and seccomp (Linux 5.13 or newer)" if stream else "bubblewrap or podman"
        return (
            f"code diffs do not run under {self.isolation!r}: this task needs {needed}; "
            "`swarm doctor` says what this system lacks"
        )

    async def _run(self, request: RunRequest, progress: ReportProgress) -> RunResult:
        if self._seats is None:
            return await self._attempts(request, progress, None)
        return await self._seats.run(request.seed, partial(self._attempts, request, progress))

    async def _attempts(
        self, request: RunRequest, progress: ReportProgress, seat: Seat | None
    ) -> RunResult:
        """Run it, again where its supervisor or the forkserver was killed from outside."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with workspace(self._scratch, request.tree, request.tree_hash) as place:
                    return await self._harness.execute(
                        place.work, place.scratch, request, self._caps(request, seat), progress
                    )
            except SupervisorLost as lost:
                if attempt == ATTEMPTS:
                    raise RunnerError(f"{lost}, {ATTEMPTS} times in a row") from lost
            except OSError as error:
                raise RunnerError(
                    f"cannot work in {self._scratch}: {error}; is the disk full?"
                ) from error
        raise AssertionError("the last attempt returns or raises")

    def _caps(self, request: RunRequest, seat: Seat | None) -> Caps:
        seconds = self._task.budget.seconds
        cpu = self._cpu_seconds.get(self._environment(request.seed), UNCALIBRATED_CPU_SECONDS)
        wall = 60.0 + 10.0 * cpu if seconds is None else float(seconds)
        cap = self._task.budget.compute_cap
        return Caps(cpu * allowed(cap, request.spare) / cap, wall, MEMORY_BYTES, seat)


def _failed_baseline(task: str, result: RunResult) -> str:
    """The cause, then what was printed before it."""
    *printed, cause = [line for line in result.log_tail.split("\n") if line.strip()] or [""]
    words = (
        f"the baseline of task {task} does not complete on this machine: {cause}\n"
        "it must complete before anything can be compared with it"
    )
    if not printed:
        return words
    return "\n".join([f"{words}; it printed last:", *printed[-LAST_LINES:]])


def _ignore(progress: Progress) -> None:
    """For callers that do not ask."""


def open_runner(
    loaded: LoadedTask,
    *,
    cache: Path,
    scratch: Path,
    runs: RunCache,
    workers: int,
    sandbox: Sandbox,
    accept: Accept = "code",
    niceness: int = 10,
    seats: Seats | None = None,
) -> Runner:
    """
    The runner a task asks for; nothing is started before its first run.

    Args:
        loaded: The task and its folder.
        cache: Where the corpus is kept.
        scratch: Folder for the runs' files.
        runs: Where results are remembered.
        workers: How many runs go on at once.
        sandbox: For all code of a tree; one that serves the task's harness.
        accept: As for `Runner`.
        niceness: Added to the priority of all processes.
        seats: As for `Runner`; for tasks of the stream harness.

    Raises:
        RunnerError: The task lacks a file that its harness needs.
    """
    task = loaded.task
    harness: Harness
    if task.harness == "command":
        harness = CommandHarness(
            steps=task.steps,
            metric=task.metric.name,
            frozen=_frozen_files(loaded),
            sandbox=sandbox,
            niceness=niceness,
        )
    else:
        harness = stream_harness(
            task,
            loaded.folder,
            cache=cache,
            scratch=scratch,
            sandbox=sandbox,
            niceness=niceness,
            device_kind="" if seats is None else seats.kind,
        )
    return Runner(
        task, harness, scratch=scratch, runs=runs, workers=workers, accept=accept, seats=seats
    )


def _frozen_files(loaded: LoadedTask) -> Mapping[str, Path]:
    return {path: loaded.folder / path for path in loaded.task.frozen}


def environment_of(isolation: str) -> str:
    """What, beside tree, seed and task, may change a result on this machine."""
    torch_version = importlib.metadata.version("torch")
    python = platform.python_version()
    return f"torch {torch_version}, Python {python}, {platform.machine()}, {isolation}"

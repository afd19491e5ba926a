"""
Tasks whose steps are shell commands that print their metric.

The editable and the frozen files are copied into a folder of the run; each
step runs there with `SWARM_SEED` set, and the last line `NAME: number` that it
prints is the result. The metric is in the program's own hands here: such a
task says so to those who read its board, and has no held-out splits: its one
value answers every exam.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import trio

from experiments.command_supervisor import CommandOrder
from experiments.harness import Caps, ReportProgress
from experiments.run import Exam, RunRequest, RunResult, Score
from experiments.sandbox import Confinement, Sandbox
from experiments.stream import child_environment, read_answers


class CommandHarness:
    """
    Runs trees through a task's commands.

    Args:
        steps: Shell commands, in order.
        metric: Name under which the value is printed.
        frozen: Files that lie beside the tree's, by relative path.
        sandbox: Each step is wrapped in it.
        niceness: Added to the priority of all processes.
    """

    def __init__(
        self,
        *,
        steps: tuple[str, ...],
        metric: str,
        frozen: Mapping[str, Path],
        sandbox: Sandbox,
        niceness: int,
    ) -> None:
        self._steps = steps
        self._metric = metric
        self._frozen = frozen
        self._niceness = niceness
        self._sandbox = sandbox
        self.isolates = sandbox.isolates
        self.isolation = sandbox.name

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        """Run all steps once; see `experiments.harness.Harness`."""
        self._fill(scratch, work)
        ours, theirs = socket.socketpair()
        confinement = Confinement((), (scratch,))
        order = CommandOrder(
            folder=str(scratch),
            steps=self._steps,
            commands=tuple(
                tuple(self._sandbox.wrap(["/bin/sh", "-c", step], confinement))
                for step in self._steps
            ),
            metric=self._metric,
            isolation=self.isolation,
            wall_seconds=caps.wall_seconds,
            cpu_seconds=caps.cpu_seconds,
            memory_bytes=caps.memory_bytes,
            niceness=self._niceness,
        )
        with ours:
            with theirs:
                supervisor = await self._start(order, request.seed, theirs)
            try:
                return _answering(await read_answers(ours, progress), request.exams)
            finally:
                ours.close()
                with trio.move_on_after(15.0) as closing:
                    closing.shield = True
                    await supervisor.wait()

    def _fill(self, folder: Path, work: Path) -> None:
        for path, source in self._frozen.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / path)
        shutil.copytree(work, folder, dirs_exist_ok=True)

    async def _start(self, order: CommandOrder, seed: int, answers: socket.socket) -> trio.Process:
        environment = child_environment() | {"SWARM_SEED": str(seed)}
        programs = [str(Path(sys.executable).parent), environment.get("PATH", os.defpath)]
        command = [sys.executable, "-m", "experiments.command_supervisor"]
        return await trio.lowlevel.open_process(
            [*command, str(answers.fileno()), json.dumps(asdict(order))],
            pass_fds=(answers.fileno(),),
            env=environment | {"PATH": os.pathsep.join(programs)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    async def aclose(self) -> None:
        """Nothing is kept between runs."""


def _answering(result: RunResult, exams: tuple[Exam, ...]) -> RunResult:
    """The result with its one value as the score of every exam."""
    if result.value_nano is None:
        return result
    value_nano = result.value_nano
    return replace(result, scores=tuple(Score(exam, value_nano, ()) for exam in exams))

"""
Watches one run of a task's commands; started by `experiments.command`.

Each step is a child under limits, wrapped in a sandbox by whoever orders it. All
that the steps leave behind is killed before the answer is given.

Run as ``python -m experiments.command_supervisor DESCRIPTOR ORDER``.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.bounded_log import BoundedLog
from experiments.child import Abandoned, Cell, Child, Exited, RunFailed, SetupFailed
from experiments.confined import Main
from experiments.limits import MEBIBYTE, Limits
from experiments.orders import Broken, answer_line
from experiments.process_tree import adopt_orphans, kill_descendants
from experiments.run import Progress, RunResult, RunStatus
from experiments.sandbox import Confinement, NoSandbox

SCRATCH_BYTES = 1024 * MEBIBYTE
MAX_VALUE = 1e9
_LINE_BYTES = 4096
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class CommandOrder:
    """
    One run of a task's steps.

    Attributes:
        folder: With all the task's files; the steps may write here.
        steps: Shell commands, in order, as the task has them.
        commands: The same, each as program and arguments, wrapped in a sandbox.
        metric: Name under which the value is printed.
        isolation: Name of that sandbox.
        wall_seconds: For all steps together.
        cpu_seconds: Compute cap of a single process.
        memory_bytes: Resident memory of all processes of a step.
        niceness: Added to the priority.
    """

    folder: str
    steps: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    metric: str
    isolation: str
    wall_seconds: float
    cpu_seconds: float
    memory_bytes: int
    niceness: int


class MetricLog(BoundedLog):
    """
    A bounded log that looks out for lines `NAME: number`.

    Attributes:
        value: The last number printed under that name; None before the first.
    """

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.value: float | None = None
        self._line = bytearray()
        self._name = metric.encode()
        number = rb"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf|nan)"
        self._pattern = re.compile(re.escape(self._name) + rb"\s*[:=]\s*" + number + rb"\s*")

    def write(self, data: bytes) -> None:
        """Add `data` at the end."""
        super().write(data)
        whole, newline, rest = (bytes(self._line) + data).rpartition(b"\n")
        if newline and self._name in whole:
            for line in whole.split(b"\n"):
                self._look_at(line)
        self._line = bytearray(rest[:_LINE_BYTES])

    def end(self) -> None:
        """Take a last line that has no end."""
        self._look_at(bytes(self._line))
        self._line.clear()

    def _look_at(self, line: bytes) -> None:
        if match := self._pattern.fullmatch(line[:_LINE_BYTES].strip()):
            self.value = float(match[1])


class _Run:
    def __init__(self, order: CommandOrder, node: socket.socket) -> None:
        self._order = order
        self._node = node
        self._log = MetricLog(order.metric)
        self._began = time.monotonic()
        self._cpu_seconds = 0.0
        self._peak_memory_bytes = 0

    def result(self) -> RunResult:
        """Run the steps and read the metric."""
        try:
            steps = zip(self._order.steps, self._order.commands, strict=True)
            for number, (step, command) in enumerate(steps):
                self._node.sendall(answer_line(Progress("train", number, 0, None)))
                self._step(step, command)
            self._log.end()
            return self._ended(RunStatus.COMPLETED, self._value_nano())
        except RunFailed as failure:
            self._log.write(f"\n{failure.reason}".encode())
            return self._ended(failure.status)

    def _step(self, step: str, command: tuple[str, ...]) -> None:
        order, folder = self._order, Path(self._order.folder)
        wall_seconds = order.wall_seconds - (time.monotonic() - self._began)
        cell = Cell(
            sandbox=NoSandbox(),
            confinement=Confinement(()),
            limits=Limits(
                order.cpu_seconds, wall_seconds, order.memory_bytes, scratch_bytes=SCRATCH_BYTES
            ),
            scratch=folder,
            lifeline=self._node.fileno(),
            whole_tree=True,
        )
        child = Child(executing(command), cell, self._log)
        try:
            for _ in child.exchange():
                raise RunFailed(RunStatus.CRASHED, f"`{step}` wrote to the harness's pipe")
        except Exited:
            pass
        except RunFailed as failure:
            raise RunFailed(failure.status, f"`{step}` {failure.reason}") from failure
        finally:
            child.kill()
            kill_descendants()
            self._cpu_seconds += child.cpu_seconds
            self._peak_memory_bytes = max(self._peak_memory_bytes, child.peak_memory_bytes)

    def _value_nano(self) -> int:
        value, name = self._log.value, self._order.metric
        if value is None:
            raise RunFailed(
                RunStatus.CRASHED,
                f"the metric was not printed; print a line such as `{name}: 1.234`",
            )
        if not math.isfinite(value) or abs(value) > MAX_VALUE:
            raise RunFailed(RunStatus.DIVERGED, f"{name} is {value}")
        return round(value * _NANO)

    def _ended(self, status: RunStatus, value_nano: int | None = None) -> RunResult:
        milliseconds = int(1000 * (time.monotonic() - self._began))
        return RunResult(
            status=status,
            value_nano=value_nano,
            blocks=(),
            cpu_milliseconds=int(1000 * self._cpu_seconds),
            wall_milliseconds=milliseconds,
            work_milliseconds=milliseconds,
            peak_memory_bytes=self._peak_memory_bytes,
            isolation=self._order.isolation,
            log_tail=self._log.text(),
        )


def executing(command: tuple[str, ...]) -> Main:
    """Become another program, which keeps the inlet: its end tells that the harness has gone."""

    def main(inlet: int, outlet: int) -> None:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.set_inheritable(outlet, False)
        os.execvp(command[0], command)

    return main


def main() -> None:
    """Run one order and answer on the socket."""
    node = socket.socket(fileno=int(sys.argv[1]))
    fields = json.loads(sys.argv[2])
    commands: list[list[str]] = fields["commands"]
    order = CommandOrder(
        **fields | {"steps": tuple(fields["steps"]), "commands": tuple(map(tuple, commands))}
    )
    os.nice(order.niceness)
    adopt_orphans()
    try:
        node.sendall(answer_line(_Run(order, node).result()))
    except SetupFailed as error:
        node.sendall(answer_line(Broken(f"cannot start a step: {error}")))
    except (Abandoned, BrokenPipeError, ConnectionResetError):
        pass
    finally:
        kill_descendants()


if __name__ == "__main__":
    main()

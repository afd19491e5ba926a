"""
What can turn a tree on disk into a result.

`experiments.stream` trains and scores `train.py`; `experiments.command` runs
any command and reads the metric it prints. `experiments.runner` drives either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from experiments.run import Progress, RunRequest, RunResult
from swarm.devices import Seat

ReportProgress = Callable[[Progress], None]


class SupervisorLost(Exception):  # noqa: N818
    """The trusted process that watched a run ended without an answer."""


@dataclass(frozen=True, slots=True)
class Caps:
    """
    What a run may use up.

    Attributes:
        cpu_seconds: Processor time in all.
        wall_seconds: Time that training, and then evaluation, may take.
        memory_bytes: Resident memory.
        seat: The device it may use; None: the processor.
    """

    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    seat: Seat | None = None


class Harness(Protocol):
    """
    One way of running a task's trees.

    Attributes:
        isolation: The sandbox it applies, as records name it.
        isolates: Whether strangers' code may run in it.
    """

    @property
    def isolation(self) -> str: ...

    @property
    def isolates(self) -> bool: ...

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        """
        Run the request's tree, which lies in `work`, once.

        Raises:
            RunnerError: The harness cannot work.
            SupervisorLost: It was interrupted from outside; worth another try.
        """
        ...

    async def aclose(self) -> None:
        """End all its processes."""
        ...

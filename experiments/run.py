"""
One run: a tree trained and evaluated once, with one seed.

The words that everything in this folder shares. A run that fails is a result;
only a broken harness raises.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class RunStatus(Enum):
    """How a run ended."""

    COMPLETED = "completed"
    CRASHED = "crashed"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    DIVERGED = "diverged"


class RunnerError(Exception):
    """The harness itself cannot work; says what to do about it."""


class IsolationNeededError(RunnerError):
    """Strangers' code was to run where nothing holds it in."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """
    What to run.

    Attributes:
        tree: Editable files by relative path.
        tree_hash: `swarm.tree.tree_hash` of them, checked before anything runs.
        seed: Of initialisation and of the order of the data.
        code: Whether the tree differs from the baseline in more than settings,
            so that it may run in real isolation only.
    """

    tree: Mapping[str, bytes]
    tree_hash: str
    seed: int
    code: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """
    How far a run has come.

    Attributes:
        phase: ``train`` or ``evaluate``.
        tokens: Tokens trained on, or bytes evaluated; 0 where nobody counts.
        budget_tokens: How many there will be.
        loss: Last training loss that was reported, in nats per token; None before the first.
    """

    phase: str
    tokens: int
    budget_tokens: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class RunResult:
    """
    How a run ended and what it measured.

    Attributes:
        status: COMPLETED is the only one with a value.
        value_nano: The metric over all held-out files, in billionths of its unit.
        blocks: For each held-out file its bytes and its cost in nano-bits.
        cpu_milliseconds: Processor time of training and evaluation, under the compute cap.
        wall_milliseconds: From the order to the answer.
        work_milliseconds: Of these, what training and evaluation themselves took.
        peak_memory_bytes: Largest resident size of one of its processes.
        isolation: The sandbox that was applied, e.g. ``landlock+seccomp``.
        log_tail: What it printed, shortened, and in the last line why it failed.
    """

    status: RunStatus
    value_nano: int | None
    blocks: tuple[tuple[int, int], ...]
    cpu_milliseconds: int
    wall_milliseconds: int
    work_milliseconds: int
    peak_memory_bytes: int
    isolation: str
    log_tail: str

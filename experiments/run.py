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
    STOPPED = "stopped"


class RunnerError(Exception):
    """The harness itself cannot work; says what to do about it."""


class IsolationNeededError(RunnerError):
    """Strangers' code was to run where nothing holds it in."""


@dataclass(frozen=True, slots=True)
class Exam:
    """
    One held-out text a run's weights are scored on.

    Attributes:
        split: ``val``, ``reserve`` or ``holdout``.
        slice_seed: Which slice of the split, as large as the validation text,
            `swarm.challenge.challenge_windows` chooses; None for windows spread
            evenly over all of it.
    """

    split: str
    slice_seed: int | None = None


VALIDATION = Exam("val")
HOLDOUT = Exam("holdout")

CHEATING = "cheating:"
"""Begins the reason of a run that was ended because its score could not be an honest one."""

SPARE = 0.15
"""
So much of what the compute cap allows above the baseline an idea has to leave unused where it
is new: machines differ, and what barely fits there would time out with those who check it.
"""

PROBE_SHARE = 0.1
"""Share of the windows that are asked a second time, spliced, in an everyday run."""


def challenge(slice_seed: int) -> Exam:
    """The exam on the slice of the reserve that a replicator's signature selects."""
    return Exam("reserve", slice_seed)


@dataclass(frozen=True, slots=True)
class Score:
    """
    What one exam gave.

    Attributes:
        exam: Which.
        value_nano: The metric over all its files, in billionths of its unit.
        blocks: For each of its files the bytes scored and their cost in nano-bits.
    """

    exam: Exam
    value_nano: int
    blocks: tuple[tuple[int, int], ...]


def allowed(compute_cap: float, spare: float = SPARE) -> float:
    """How many times the baseline's processor time a run with so much to spare may take."""
    return compute_cap - spare * (compute_cap - 1)


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
        exams: What the trained weights are scored on, one after the other; at least one.
        probe: Share of all windows on which `experiments.splice` checks that
            answers depend on nothing but the bytes before; 1.0 for wins and replications.
        against: The training losses of the base on this seed; a run clearly behind them
            is stopped (`swarm.stopping`). Empty: it is not stopped.
        spare: Share of what the compute cap allows above the baseline that it has to leave unused.
    """

    tree: Mapping[str, bytes]
    tree_hash: str
    seed: int
    code: bool
    exams: tuple[Exam, ...] = (VALIDATION,)
    probe: float = PROBE_SHARE
    against: tuple[tuple[int, float], ...] = ()
    spare: float = 0.0


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
        value_nano: The first exam's metric over all its files, in billionths of its unit.
        blocks: For each file of the first exam its bytes and its cost in nano-bits.
        cpu_milliseconds: Processor time of training and evaluation, under the compute cap.
        wall_milliseconds: From the order to the answer.
        work_milliseconds: Of these, what training and evaluation themselves took.
        peak_memory_bytes: Largest resident size of one of its processes.
        isolation: The sandbox that was applied, e.g. ``landlock+seccomp``.
        log_tail: What it printed, shortened, and in the last line why it failed.
        scores: One for each exam, in the order of the request; empty unless COMPLETED.
        weights_hash: SHA-256 of the trained weights, in hex; empty where there are none.
        parameters: How many numbers of four bytes the weights hold; None where nobody counted.
        curve: Tokens seen and the mean training loss since the point before, as the run
            itself reported them: good enough to stop it, never to judge it.
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
    scores: tuple[Score, ...] = ()
    weights_hash: str = ""
    parameters: int | None = None
    curve: tuple[tuple[int, float], ...] = ()

"""
What peers say to each other: wins, replications and batches of trials.

A record is frozen data. Its payload is canonical msgpack, so the same record
has the same bytes, and so the same id, on every peer. Measurements are
integers in nano-units (1 bit per byte = 1_000_000_000) and times are Unix epoch
milliseconds, so that sums are exact and nothing depends on float formatting.

Law: `decode` is total and timeless. Any bytes give a record or a `RecordError`
that names the field, whatever the clock says and whatever else is known.
`encode` never gives bytes that `decode` would refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SCHEMA_VERSION = 1

PeerId: TypeAlias = str
RecordId: TypeAlias = str
TaskId: TypeAlias = str
TreeHash: TypeAlias = str
Kind: TypeAlias = Literal["win", "replication", "trials"]

OUTCOMES = (
    "win",
    "no_gain",
    "equal",
    "crashed",
    "timed_out",
    "out_of_memory",
    "diverged",
    "dropped",
)


@dataclass(frozen=True, slots=True)
class Pair:
    """One base run and one candidate run on the same seed, metric in nano-units."""

    seed: int
    base_nano: int
    candidate_nano: int


@dataclass(frozen=True, slots=True)
class Block:
    """One held-out file: its size, and both arms' nano-bits summed over the pairs."""

    bytes: int
    base_nano: int
    candidate_nano: int


@dataclass(frozen=True, slots=True)
class Environment:
    """Where an experiment ran, and what it cost there."""

    hardware_class: str
    device: str
    torch_version: str
    milliseconds: int
    peak_memory_bytes: int
    isolation: str


@dataclass(frozen=True, slots=True)
class Win:
    """
    A change that beat its base on the same seeds, as its author measured it.

    ``base`` is the win it was built on, or none for the task's baseline; the
    diff applies to the base's tree and gives ``tree``. ``parents`` are the wins
    folded in.
    """

    author: PeerId
    nickname: str
    topic: str
    task: TaskId
    created_at_ms: int
    base: RecordId | None
    parents: tuple[RecordId, ...]
    diff: str
    tree: TreeHash
    title: str
    rationale: str
    family: str
    proposer: str
    pairs: tuple[Pair, ...]
    blocks: tuple[Block, ...]
    environment: Environment


@dataclass(frozen=True, slots=True)
class Replication:
    """
    Another peer's measurement of a win: data, never a verdict.

    ``challenge`` is the author's Ed25519 signature over ``challenge`` and the
    win's id; its SHA-256 selects the seeds and slice of ``challenge_pairs``.
    ``baseline`` holds (seed, nano) of the task's baseline on the same seeds.
    """

    author: PeerId
    nickname: str
    topic: str
    task: TaskId
    created_at_ms: int
    win: RecordId
    challenge: bytes
    pairs: tuple[Pair, ...]
    challenge_pairs: tuple[Pair, ...]
    baseline: tuple[tuple[int, int], ...]
    holdout_nano: int | None
    environment: Environment


@dataclass(frozen=True, slots=True)
class Trial:
    """A note of one finished experiment. ``knobs`` holds (name, literal)."""

    base: RecordId | None
    base_tree: TreeHash
    tree: TreeHash
    title: str
    family: str
    proposer: str
    parents: tuple[RecordId, ...]
    knobs: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]
    outcome: str
    milliseconds: int
    finished_at_ms: int


@dataclass(frozen=True, slots=True)
class Trials:
    """A batch of one author's trials; kept 48 hours, then dropped everywhere."""

    author: PeerId
    nickname: str
    topic: str
    task: TaskId
    created_at_ms: int
    hardware_class: str
    trials: tuple[Trial, ...]


Record: TypeAlias = Win | Replication | Trials

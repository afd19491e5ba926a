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

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, cast

from swarm.canonical import CanonicalError, pack, unpack_unchecked
from swarm.envelope import MAX_PAYLOAD_BYTES
from swarm.fields import INT_LIMIT, Fields, RecordError, names_of, plain_map

SCHEMA_VERSION = 1
MAX_DIFF_BYTES = 64 * 1024
MAX_PARENTS = 8
MAX_PAIRS = 64
MAX_BLOCKS = 256
MAX_KNOBS = 32
MAX_TRIALS = 64
_NANO = 1_000_000_000

PeerId: TypeAlias = str
RecordId: TypeAlias = str
TaskId: TypeAlias = str
TreeHash: TypeAlias = str
Kind: TypeAlias = Literal["win", "replication", "trials"]

PROMISING = "promising"
"""The outcome of an experiment that looked clearly better and is not proven."""

OUTCOMES = (
    "win",
    PROMISING,
    "no_gain",
    "equal",
    "crashed",
    "timed_out",
    "out_of_memory",
    "diverged",
    "dropped",
)


class Pair(NamedTuple):
    """One base run and one candidate run on the same seed, metric in nano-units."""

    seed: int
    base_nano: int
    candidate_nano: int


class Block(NamedTuple):
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


def to_nano(value: float) -> int:
    """
    A metric value as an integer in nano-units, rounded to the nearest.

    Raises:
        RecordError: The value is not finite, or does not fit 64 bits.
    """
    if not math.isfinite(value) or abs(value) * _NANO > INT_LIMIT:
        raise RecordError(f"{value} has no nano-units: it must be finite and below 9.2e9")
    return round(value * _NANO)


def from_nano(nano: int) -> float:
    """An integer in nano-units as a metric value."""
    return nano / _NANO


def kind_of(record: Record) -> Kind:
    """The word a record's payload, its journal row and its sync set go by."""
    if isinstance(record, Win):
        return "win"
    return "replication" if isinstance(record, Replication) else "trials"


def encode(record: Record) -> bytes:
    """
    The canonical payload of `record`.

    Raises:
        RecordError: The record breaks the schema; the message names the field.
    """
    header = {"kind": kind_of(record), "version": SCHEMA_VERSION}
    try:
        payload = pack(header | plain_map(record))
    except CanonicalError as error:
        raise RecordError(f"record: {error}") from error
    if decode(payload) != record:
        raise RecordError("record: it reads back differently; are its arrays tuples?")
    return payload


def decode(payload: bytes) -> Record:
    """
    The record whose canonical payload is `payload`.

    Args:
        payload: Untrusted bytes.

    Raises:
        RecordError: Not canonical, of an unknown kind or version, or a field
            missing, unknown, of the wrong type or out of range.
    """
    try:
        value = unpack_unchecked(payload, max_bytes=MAX_PAYLOAD_BYTES, max_items=MAX_BLOCKS)
    except CanonicalError as error:
        raise RecordError(f"record: {error}") from error
    if not isinstance(value, dict):
        raise RecordError("record: expected a map")
    fields = cast(dict[str, object], value)
    version, kind = fields.get("version"), fields.get("kind")
    if type(version) is not int or version != SCHEMA_VERSION:
        raise RecordError(f"version: this node reads records of version {SCHEMA_VERSION}")
    if kind == "win":
        return _win(Fields(fields, _WIN_NAMES, ""))
    if kind == "replication":
        return _replication(Fields(fields, _REPLICATION_NAMES, ""))
    if kind == "trials":
        return _trials(Fields(fields, _TRIALS_NAMES, ""))
    raise RecordError("kind: expected one of win, replication, trials")


def _win(fields: Fields) -> Win:
    return Win(
        author=fields.peer_id("author"),
        nickname=fields.line("nickname", 40, least=0),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        base=fields.cid_or_none("base"),
        parents=fields.cids("parents", MAX_PARENTS),
        diff=fields.code("diff", MAX_DIFF_BYTES),
        tree=fields.tree_hash("tree"),
        title=fields.line("title", 120),
        rationale=fields.text("rationale", 2000),
        family=fields.line("family", 32),
        proposer=fields.line("proposer", 32),
        pairs=_pairs(fields, "pairs", least=1),
        blocks=_blocks(fields),
        environment=_environment(fields),
    )


def _replication(fields: Fields) -> Replication:
    return Replication(
        author=fields.peer_id("author"),
        nickname=fields.line("nickname", 40, least=0),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        win=fields.cid("win"),
        challenge=fields.octets("challenge", 64),
        pairs=_pairs(fields, "pairs"),
        challenge_pairs=_pairs(fields, "challenge_pairs"),
        baseline=cast(
            tuple[tuple[int, int], ...], fields.seeded_rows("baseline", 2, 2 * MAX_PAIRS)
        ),
        holdout_nano=_nano_or_none(fields, "holdout_nano"),
        environment=_environment(fields),
    )


def _trials(fields: Fields) -> Trials:
    notes = fields.array("trials", MAX_TRIALS, least=1)
    return Trials(
        author=fields.peer_id("author"),
        nickname=fields.line("nickname", 40, least=0),
        topic=fields.line("topic", 256),
        task=fields.cid("task"),
        created_at_ms=fields.instant("created_at_ms"),
        hardware_class=fields.line("hardware_class", 32),
        trials=tuple(
            _trial(Fields(note, _TRIAL_NAMES, f"trials.{index}"))
            for index, note in enumerate(notes)
        ),
    )


def _trial(fields: Fields) -> Trial:
    return Trial(
        base=fields.cid_or_none("base"),
        base_tree=fields.tree_hash("base_tree"),
        tree=fields.tree_hash("tree"),
        title=fields.line("title", 120),
        family=fields.line("family", 32),
        proposer=fields.line("proposer", 32),
        parents=fields.cids("parents", MAX_PARENTS),
        knobs=fields.settings("knobs", MAX_KNOBS),
        pairs=_pairs(fields, "pairs"),
        outcome=fields.one_of("outcome", OUTCOMES),
        milliseconds=fields.integer("milliseconds"),
        finished_at_ms=fields.instant("finished_at_ms"),
    )


def _pairs(fields: Fields, name: str, *, least: int = 0) -> tuple[Pair, ...]:
    return tuple(map(_NEW_PAIR, fields.seeded_rows(name, 3, MAX_PAIRS, least=least)))


def _blocks(fields: Fields) -> tuple[Block, ...]:
    return tuple(map(_NEW_BLOCK, fields.rows("blocks", 3, MAX_BLOCKS, lowest=0)))


def _environment(fields: Fields) -> Environment:
    inner = Fields(fields.value("environment"), _ENVIRONMENT_NAMES, "environment")
    return Environment(
        hardware_class=inner.line("hardware_class", 32),
        device=inner.line("device", 120),
        torch_version=inner.line("torch_version", 64),
        milliseconds=inner.integer("milliseconds"),
        peak_memory_bytes=inner.integer("peak_memory_bytes"),
        isolation=inner.line("isolation", 32),
    )


def _nano_or_none(fields: Fields, name: str) -> int | None:
    return None if fields.value(name) is None else fields.integer(name, least=-INT_LIMIT)


# What `_make` does, without counting what has been counted.
_NEW_PAIR = cast("Callable[[Iterable[int]], Pair]", partial(cast(Any, tuple).__new__, Pair))
_NEW_BLOCK = cast("Callable[[Iterable[int]], Block]", partial(cast(Any, tuple).__new__, Block))
_WIN_NAMES = names_of(Win, "kind", "version")
_REPLICATION_NAMES = names_of(Replication, "kind", "version")
_TRIALS_NAMES = names_of(Trials, "kind", "version")
_TRIAL_NAMES = names_of(Trial)
_ENVIRONMENT_NAMES = names_of(Environment)

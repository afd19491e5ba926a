"""
A change worth trying, before anything has been measured.

Law: a hypothesis names its base and the exact tree it must give, so whoever
runs it can check that they ran what was meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from swarm.canonical import CanonicalError, pack, unpack
from swarm.records import RecordId, TreeHash

_MAX_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """
    One idea: a diff on a base.

    Attributes:
        base: The win it builds on, or None for the task's baseline.
        base_tree: Hash of the tree that `diff` applies to.
        parents: Wins folded in.
        diff: Unified diff from the base's tree to the candidate's.
        tree: Hash of the candidate's tree.
        title: What changes, in one line.
        rationale: Why it may help.
        family: The kind of idea (see `swarm.strategy`).
        proposer: Which proposer made it.
        knobs: Settings that differ from the base's, as (name, literal).
        code: True if it changes more than declared knobs.
    """

    base: RecordId | None
    base_tree: TreeHash
    parents: tuple[RecordId, ...]
    diff: str
    tree: TreeHash
    title: str
    rationale: str
    family: str
    proposer: str
    knobs: tuple[tuple[str, str], ...]
    code: bool


def to_bytes(hypotheses: Sequence[Hypothesis]) -> bytes:
    """Canonical bytes of hypotheses, so that a stopped node can take them up again."""
    return pack([[getattr(each, name) for name in Hypothesis.__slots__] for each in hypotheses])


def from_bytes(data: bytes) -> list[Hypothesis]:
    """
    Inverse of `to_bytes`, for bytes that this node wrote.

    Bytes from another version of this class give an empty list: an experiment
    that was interrupted is then chosen again by the strategy, nothing is lost.
    """
    try:
        rows = cast("Sequence[Sequence[Any]]", unpack(data, max_bytes=_MAX_BYTES))
        return [Hypothesis(*row) for row in rows]
    except (CanonicalError, TypeError):
        return []

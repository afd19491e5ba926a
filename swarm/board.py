"""
The records kept, cut down to what judging and ranking need.

A board is a state-based CRDT: the set of records. `merge` is commutative,
associative and idempotent, so gossip may reorder, repeat or drop messages and
honest peers still converge.

Pure: no clock, no randomness, no IO. Signatures and limits are checked before
a record gets here, in `swarm.validation`; whether a win's diff gives its tree is
checked by `swarm.lineage` and kept here as a set of ids, since it never changes.

Source: Shapiro et al., "Conflict-free Replicated Data Types" (2011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, cast

import msgpack

from swarm.lineage import Status
from swarm.records import PeerId, Record, RecordId, Replication, TreeHash, Win
from swarm.verdict import Evidence

VIEW_VERSION = 2


class ViewError(ValueError):
    """A stored view is damaged or of another version; rebuild it from the journal."""


class Claim(NamedTuple):
    """The part of a win that ranks it; pairs are (seed, base, candidate) in nano-units."""

    author: PeerId
    nickname: str
    title: str
    family: str
    hardware: str
    created_at_ms: int
    base: RecordId | None
    parents: tuple[RecordId, ...]
    tree: TreeHash
    pairs: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Board:
    """
    The records kept, as far as ranking needs them.

    Attributes:
        wins: By record id.
        replications: By record id.
        trials: By record id of the batch: its finished experiments that were no
            wins; those are counted as wins.
        invalid: Wins whose diff does not give their tree.
    """

    wins: Mapping[RecordId, Claim] = field(default_factory=dict[RecordId, Claim])
    replications: Mapping[RecordId, Evidence] = field(default_factory=dict[RecordId, Evidence])
    trials: Mapping[RecordId, int] = field(default_factory=dict[RecordId, int])
    invalid: frozenset[RecordId] = frozenset()

    @property
    def records(self) -> int:
        """How many records are on the board."""
        return len(self.wins) + len(self.replications) + len(self.trials)

    @property
    def experiments(self) -> int:
        """How many decided hypotheses the records tell of, replications included."""
        return len(self.wins) + len(self.replications) + sum(self.trials.values())

    def with_record(self, record_id: RecordId, record: Record) -> Board:
        """The board with one more record; the same board if it was there."""
        return self.with_records([(record_id, record)])

    def with_records(self, records: Iterable[tuple[RecordId, Record]]) -> Board:
        """The board with more records; one copy, however many there are."""
        wins, trials = dict(self.wins), dict(self.trials)
        replications = dict(self.replications)
        for record_id, record in records:
            if isinstance(record, Win):
                wins[record_id] = _claim(record)
            elif isinstance(record, Replication):
                replications[record_id] = Evidence.of(record)
            else:
                trials[record_id] = sum(trial.outcome != "win" for trial in record.trials)
        return Board(wins, replications, trials, self.invalid)

    def with_invalid(self, wins: Iterable[RecordId]) -> Board:
        """The board with these wins known to be invalid (see `swarm.lineage.status_of`)."""
        return replace(self, invalid=self.invalid.union(wins))

    def without(self, records: Collection[RecordId]) -> Board:
        """The board without records that are no longer kept."""
        gone = frozenset(records)
        return Board(
            {key: self.wins[key] for key in self.wins if key not in gone},
            {key: self.replications[key] for key in self.replications if key not in gone},
            {key: self.trials[key] for key in self.trials if key not in gone},
            self.invalid - gone,
        )


def merge(a: Board, b: Board) -> Board:
    """The records of either board."""
    return Board(
        {**a.wins, **b.wins},
        {**a.replications, **b.replications},
        {**a.trials, **b.trials},
        a.invalid | b.invalid,
    )


def nicknames(board: Board) -> dict[PeerId, str]:
    """What the author of each win calls itself now: in its newest win."""
    newest: dict[PeerId, tuple[int, str]] = {}
    for claim in board.wins.values():
        named = (claim.created_at_ms, claim.nickname)
        newest[claim.author] = max(named, newest.get(claim.author, named))
    return {author: nickname for author, (_, nickname) in newest.items()}


def states(board: Board) -> dict[RecordId, Status]:
    """
    The state of every win.

    A win stands on its base: without it, it is incomplete; on an invalid one, it
    is invalid too.
    """
    found: dict[RecordId, Status] = {}
    for win in board.wins:
        path: list[RecordId] = []
        step: RecordId | None = win
        while step is not None and step in board.wins and step not in found:
            found[step] = "incomplete"
            path.append(step)
            step = board.wins[step].base
        state: Status = "claimed" if step is None else found.get(step, "incomplete")
        for record in reversed(path):
            if state == "claimed" and record in board.invalid:
                state = "invalid"
            found[record] = state
    return found


def to_view(board: Board) -> bytes:
    """The board as bytes, equal for equal boards: a digest, then msgpack."""
    rows = (
        VIEW_VERSION,
        sorted(board.wins.items()),
        sorted(board.replications.items()),
        sorted(board.trials.items()),
        sorted(board.invalid),
    )
    body = cast(bytes, msgpack.packb(rows))  # pyright: ignore[reportUnknownMemberType]
    return hashlib.sha256(body).digest() + body


def from_view(data: bytes) -> Board:
    """
    Inverse of `to_view`, for bytes that this node wrote and stored.

    Raises:
        ViewError: The bytes are damaged, or from another version of the program.
    """
    digest, body = data[:32], data[32:]
    if hashlib.sha256(body).digest() != digest:
        raise ViewError("the stored board is damaged")
    rows = cast(
        "tuple[object, ...]",
        msgpack.unpackb(body, use_list=False),  # pyright: ignore[reportUnknownMemberType]
    )
    if rows[0] != VIEW_VERSION:
        raise ViewError(f"the stored board has version {rows[0]}, not {VIEW_VERSION}")
    _, wins, replications, trials, invalid = cast("tuple[_Rows, _Rows, _Rows, _Rows, _Rows]", rows)
    return Board(
        {record: Claim._make(row) for record, row in wins},
        {record: Evidence._make(row) for record, row in replications},
        dict(cast("tuple[tuple[RecordId, int], ...]", trials)),
        frozenset(cast("tuple[RecordId, ...]", invalid)),
    )


_Rows = tuple[tuple[RecordId, tuple[object, ...]], ...]


def _claim(win: Win) -> Claim:
    return Claim(
        author=win.author,
        nickname=win.nickname,
        title=win.title,
        family=win.family,
        hardware=win.environment.hardware_class,
        created_at_ms=win.created_at_ms,
        base=win.base,
        parents=win.parents,
        tree=win.tree,
        pairs=tuple((pair.seed, pair.base_nano, pair.candidate_nano) for pair in win.pairs),
    )

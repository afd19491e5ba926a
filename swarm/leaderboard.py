"""
What every peer has claimed, and which claim leads.

A board is a state-based CRDT: the set of records kept, cut down to what ranking
needs. `merge` is commutative, associative and idempotent, so gossip may reorder,
repeat or drop messages and honest peers still converge; and the entries are a
function of the board alone, so they then see the same leaderboard.

Wins that give the same tree on the same base are one finding: their evidence is
pooled, equal pairs count once, and the first to claim it stands for it.

Pure: no clock, no randomness, no IO. Signatures and limits are checked before
a record gets here, in `swarm.validation`; whether a win's diff gives its tree is
checked by `swarm.lineage` and kept here as a set of ids, since it never changes.

Source: Shapiro et al., "Conflict-free Replicated Data Types" (2011).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple, cast

import msgpack

from swarm.lineage import Status, adoption
from swarm.records import PeerId, Record, RecordId, Replication, TreeHash, Win, from_nano
from swarm.statistics import Direction, Effect, paired_effect

VIEW_VERSION = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER: Mapping[Status, int] = {"claimed": 0, "incomplete": 1, "invalid": 2}
_candidate = itemgetter(2)


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


class Confirmation(NamedTuple):
    """Who replicated which win."""

    author: PeerId
    win: RecordId


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
    replications: Mapping[RecordId, Confirmation] = field(
        default_factory=dict[RecordId, Confirmation]
    )
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
                replications[record_id] = Confirmation(record.author, record.win)
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


class Finding(NamedTuple):
    """Wins that give one tree on one base, the first claim first, and all their pairs."""

    records: tuple[RecordId, ...]
    state: Status
    pairs: tuple[tuple[int, int, int], ...]

    @property
    def value_nano(self) -> float:
        """The mean metric of the tree, in nano-units."""
        return sum(map(_candidate, self.pairs)) / len(self.pairs)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One row of the leaderboard, as programs read it; None is not yet known.

    Attributes:
        replications: Confirming authors other than the win's.
        value: Mean metric of the candidate. Like `effect`, in the metric's unit.
        effect, effect_low, effect_high: Mean of candidate − base and its 95 % interval.
        pairs: How many seeds were measured on both arms.
        adopters: Other authors who built on it or folded it in.
        created_at: ISO 8601, UTC.
    """

    rank: int
    record: RecordId
    author: PeerId
    nickname: str
    title: str
    family: str
    state: str
    replications: int
    value: float
    holdout: float | None
    effect: float
    effect_low: float | None
    effect_high: float | None
    pairs: int
    base: RecordId | None
    parents: tuple[RecordId, ...]
    adopters: tuple[PeerId, ...]
    hardware: str
    created_at: str

    def document(self) -> dict[str, object]:
        """The entry as one JSON object."""
        values: dict[str, object] = {each.name: getattr(self, each.name) for each in fields(self)}
        values["parents"], values["adopters"] = list(self.parents), list(self.adopters)
        return values


def merge(a: Board, b: Board) -> Board:
    """The records of either board."""
    return Board(
        {**a.wins, **b.wins},
        {**a.replications, **b.replications},
        {**a.trials, **b.trials},
        a.invalid | b.invalid,
    )


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


def findings(board: Board, direction: Direction) -> list[Finding]:
    """All findings: claimed ones by mean value, the best first, then the rest."""
    groups: dict[tuple[RecordId | None, TreeHash, Status], list[RecordId]] = {}
    state_of = states(board)
    for record, claim in board.wins.items():
        groups.setdefault((claim.base, claim.tree, state_of[record]), []).append(record)
    found = [_finding(board, state, records) for (_, _, state), records in groups.items()]
    sign = 1.0 if direction == "minimize" else -1.0
    return sorted(
        found, key=lambda each: (_ORDER[each.state], sign * each.value_nano, each.records)
    )


def entries(board: Board, direction: Direction, limit: int | None = None) -> list[Entry]:
    """
    The leaderboard.

    Args:
        direction: Whether a smaller or a larger metric is better.
        limit: Give the first so many; None: all.
    """
    ranked = findings(board, direction)[:limit]
    adopted = adoption(board.wins)
    return [_entry(board, rank, each, adopted) for rank, each in enumerate(ranked, 1)]


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
        {record: Confirmation._make(row) for record, row in replications},
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


def _finding(board: Board, state: Status, records: list[RecordId]) -> Finding:
    if len(records) == 1:
        return Finding((records[0],), state, board.wins[records[0]].pairs)
    first = sorted(records, key=lambda record: (board.wins[record].created_at_ms, record))
    pairs = {pair for record in first for pair in board.wins[record].pairs}
    return Finding(tuple(first), state, tuple(sorted(pairs)))


def _entry(
    board: Board, rank: int, finding: Finding, adopted: Mapping[RecordId, set[PeerId]]
) -> Entry:
    record = finding.records[0]
    claim = board.wins[record]
    others = {author for each in finding.records for author in adopted.get(each, ())}
    effect = _effect(finding)
    known = effect.n > 1
    return Entry(
        rank=rank,
        record=record,
        author=claim.author,
        nickname=claim.nickname,
        title=claim.title,
        family=claim.family,
        state=finding.state,
        replications=0,
        value=finding.value_nano / 1e9,
        holdout=None,
        effect=effect.mean,
        effect_low=effect.low if known else None,
        effect_high=effect.high if known else None,
        pairs=effect.n,
        base=claim.base,
        parents=claim.parents,
        adopters=tuple(sorted(others - {claim.author})),
        hardware=claim.hardware,
        created_at=_iso(claim.created_at_ms),
    )


def _effect(finding: Finding) -> Effect:
    differences = [from_nano(candidate - base) for _, base, candidate in finding.pairs]
    if len(differences) > 1:
        return paired_effect(differences)
    return Effect(differences[0], differences[0], differences[0], 1)


def _iso(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""
One record, told whole: where it stands, what was built on it, who measured it again.

Law: functions of the board and the records; reads nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import NamedTuple, TypeAlias, cast

from swarm.board import Board
from swarm.leaderboard import Entry, rows
from swarm.lineage import Incomplete, base_chain
from swarm.ranking import Ranked
from swarm.records import Record, RecordId, Replication, Win, kind_of
from swarm.verdict import Evidence
from watch.standing import Standing

Reader: TypeAlias = Callable[[Sequence[RecordId]], Mapping[RecordId, Record]]
"""Gives those of the wanted records that are kept, whole."""


class Check(NamedTuple):
    """A replication of a win, and whether it counts from the neutral viewpoint."""

    record: RecordId
    replication: Replication
    counts: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A record, where it stands on the board, and the wins around it."""

    id: RecordId
    record: Record
    board: Board
    place: Ranked | None
    """The finding it is part of, and its rank; None for what is no win."""
    holdouts: Mapping[RecordId, float]
    """What is published of holdouts, by the first record of a finding."""
    checks: tuple[Check, ...]
    """The replications of that finding."""
    lineage: tuple[RecordId, ...]
    """The wins it was built on, from the task's baseline on, without itself."""
    complete: bool
    """Whether every one of those is here."""
    built_on_by: tuple[RecordId, ...]

    @property
    def entry(self) -> Entry | None:
        """The row of the leaderboard that speaks for it."""
        return None if self.place is None else rows(self.board, [self.place], self.holdouts)[0]


def find(record_id: RecordId, record: Record, standing: Standing, read: Reader) -> Found:
    """A record with its place on the board and all that is said of it."""
    board = standing.board
    place = next((each for each in standing.places if record_id in each.finding.records), None)
    lineage, complete = _lineage(record_id, board) if isinstance(record, Win) else ((), True)
    return Found(
        id=record_id,
        record=record,
        board=board,
        place=place,
        holdouts=standing.holdouts,
        checks=tuple(_checks(board, place, read)),
        lineage=lineage,
        complete=complete,
        built_on_by=tuple(
            win
            for win, claim in board.wins.items()
            if record_id == claim.base or record_id in claim.parents
        ),
    )


def document(found: Found) -> dict[str, object]:
    """The record as `--json` and the API show it."""
    return {
        "record": found.id,
        "kind": kind_of(found.record),
        **_named_fields(found.record),
        "entry": None if found.entry is None else found.entry.document(),
        "lineage": list(found.lineage),
        "complete": found.complete,
        "built_on_by": list(found.built_on_by),
        "verdict": None if found.place is None else _named_fields(found.place.finding.verdict),
        "replications": [
            {"record": check.record, "counts": check.counts, **_named_fields(check.replication)}
            for check in found.checks
        ],
    }


def _named_fields(row: object) -> dict[str, object]:
    """The fields of a record, or of a row in it, as JSON has them."""
    names: tuple[str, ...] = getattr(row, "_fields", None) or getattr(row, "__slots__", ())
    return {name: _json_value(getattr(row, name)) for name in names}


def _json_value(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if hasattr(value, "_fields") or is_dataclass(value):
        return _named_fields(value)
    if isinstance(value, tuple):
        return [_json_value(item) for item in cast("tuple[object, ...]", value)]
    return value


def _lineage(win: RecordId, board: Board) -> tuple[tuple[RecordId, ...], bool]:
    try:
        return tuple(base_chain(win, board.wins)[:-1]), True
    except Incomplete as error:
        return (error.missing,), False


def _checks(board: Board, place: Ranked | None, read: Reader) -> Iterator[Check]:
    if place is None:
        return
    wins = place.finding.records
    wanted = [key for key, evidence in board.replications.items() if evidence.win in wins]
    for record, made in read(wanted).items():
        if isinstance(made, Replication):
            yield Check(record, made, Evidence.of(made) in place.finding.voices)

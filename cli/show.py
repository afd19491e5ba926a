"""`swarm show`: one record, told whole."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import cast

from rich.console import RenderableType
from rich.text import Text

from cli.choice import choose
from cli.output import DIM, console, facts, print_json
from cli.record_view import (
    author,
    heading,
    replication_page,
    title_of,
    trials_page,
    win_page,
)
from cli.replication_view import Check, checks_page
from cli.snapshot import TaskHeader, take_snapshot
from cli.text import plain, short_id
from gossip.board import load_board
from gossip.journal import Journal
from swarm.board import Board, nicknames
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.lineage import Incomplete, base_chain
from swarm.ranking import Ranked
from swarm.records import Record, RecordId, Replication, Win, kind_of
from swarm.verdict import Evidence


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


def show(root: Path, part: str, *, as_json: bool) -> None:
    """
    Print the record whose id starts or ends with `part`.

    Raises:
        NotFound: No record, or several, go by that.
        JournalError: There is no journal, or it cannot be read.
    """
    snapshot = take_snapshot(root)
    with Journal.open(snapshot.journal, read_only=True) as journal:
        found = find(journal, choose(journal, part), snapshot.task)
    if as_json:
        print_json(document(found))
        return
    screen = console()
    for piece in _page(found, snapshot.task, time.time_ns() // 1_000_000):
        screen.print(piece)


def find(journal: Journal, record_id: RecordId, task: TaskHeader) -> Found:
    """A record of the journal with its place on the board."""
    board = load_board(journal)
    record = journal.read(journal.get_many([record_id])[0])
    places = ranked(board, task.yardstick) if record_id in board.wins else []
    place = next((each for each in places if record_id in each.finding.records), None)
    lineage, complete = _lineage(record_id, board) if isinstance(record, Win) else ((), True)
    return Found(
        id=record_id,
        record=record,
        board=board,
        place=place,
        holdouts=published_holdouts(board, [each.finding for each in places], task.yardstick),
        checks=tuple(_checks(journal, board, place)),
        lineage=lineage,
        complete=complete,
        built_on_by=tuple(
            win
            for win, claim in board.wins.items()
            if record_id == claim.base or record_id in claim.parents
        ),
    )


def document(found: Found) -> dict[str, object]:
    """The record as `--json` shows it, with its entry, its lineage and who built on it."""
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


def _checks(journal: Journal, board: Board, place: Ranked | None) -> Iterator[Check]:
    if place is None:
        return
    wins = place.finding.records
    records = [key for key, evidence in board.replications.items() if evidence.win in wins]
    for record, envelope in zip(records, journal.get_many(records), strict=True):
        made = journal.read(envelope)
        if isinstance(made, Replication):
            yield Check(record, made, Evidence.of(made) in place.finding.voices)


def _page(found: Found, task: TaskHeader, now_ms: int) -> Iterator[RenderableType]:
    record = found.record
    yield title_of(record, now_ms)
    yield facts(_standing(found))
    if isinstance(record, Win):
        yield from win_page(record, task)
        yield heading("measured again by others")
        yield from checks_page(found.checks, found.place, task)
        yield heading("built on")
        yield from _ancestry(found, record)
        yield heading("who built on it")
        yield from _descent(found)
    elif isinstance(record, Replication):
        yield from replication_page(record, task)
    else:
        yield from trials_page(record, task)


def _standing(found: Found) -> dict[str, Text | str]:
    rows: dict[str, Text | str] = {"record": found.id}
    if isinstance(found.record, Replication):
        rows["of win"] = _named(found.record.win, found.board)
    if found.entry is not None and isinstance(found.record, Win):
        rows["stands at"] = f"#{found.entry.rank} on the leaderboard, {found.entry.state}"
        rows["family"] = f"{plain(found.record.family)}, proposed by {plain(found.record.proposer)}"
        if found.entry.record != found.id:
            rows["same as"] = _named(found.entry.record, found.board)
    return rows


def _ancestry(found: Found, win: Win) -> Iterator[Text]:
    steps = [Text("the task's baseline")] if found.complete else []
    steps += [_named(record, found.board) for record in found.lineage]
    for depth, step in enumerate(steps):
        yield Text("  " * depth + ("└ " if depth else "")) + step
    for parent in win.parents:
        yield Text("folded in: ", DIM) + _named(parent, found.board)


def _descent(found: Found) -> Iterator[Text]:
    if not found.built_on_by:
        yield Text("nobody yet", DIM)
    for record in found.built_on_by:
        yield _named(record, found.board)


def _named(record: RecordId, board: Board) -> Text:
    claim = board.wins.get(record)
    if claim is None:
        return Text.assemble(short_id(record), (" (not here yet)", DIM))
    by = author(nicknames(board)[claim.author], claim.author)
    return Text.assemble(f"“{plain(claim.title)}” by {by} ", (short_id(record), DIM))

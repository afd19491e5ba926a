"""`swarm show`: one record, told whole."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

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
from cli.replication_view import checks_page
from cli.snapshot import TaskHeader, take_snapshot
from cli.text import plain, short_id
from gossip.board import load_board
from gossip.journal import Journal
from gossip.wins import whole_records
from swarm.board import Board, nicknames
from swarm.records import RecordId, Replication, Win
from watch.found import Found, document
from watch.found import find as place
from watch.standing import Standing


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
    of = Standing.of if record_id in board.wins else Standing
    standing = of(board, task.yardstick)
    return place(record_id, record, standing, partial(whole_records, journal))


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

"""The leaderboard as a table for people."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.hints import spelled
from cli.interval_bar import Scale
from cli.output import DIM, age, counted, number, signed
from cli.snapshot import Snapshot, TaskHeader
from cli.text import plain, short_id, shortened
from cli.wear_view import wear_lines
from swarm.board import Board
from swarm.findings import State
from swarm.leaderboard import Entry
from swarm.wear import Wear

_TITLE = "what changed"
_EFFECT = "change"
_HOLDOUT = "holdout"
_BAR = "interval"
_LEFT_OUT_FIRST = (_BAR, "age", "adopters", _HOLDOUT, "state", "by", _EFFECT)
"""Columns that a narrow screen goes without, in this order."""

_READABLE = 24
"""As many columns as a title is given at least, where it is that long."""

_GAP = 2

_STATES = {
    "claimed": ("claimed", ""),
    "replicated": ("replicated", "bold green"),
    "refuted": ("refuted", "red"),
    "invalid": ("invalid", "red"),
    "incomplete": ("incomplete", DIM),
}
_MEANINGS = {
    "claimed": "measured by its author alone",
    "replicated": "confirmed by others",
    "refuted": "others measured less than half a gain worth keeping",
    "invalid": "its diff does not give what it says",
    "incomplete": "the win it was built on has not arrived here",
}


@dataclass(frozen=True, slots=True)
class Scope:
    """
    What was asked for.

    Attributes:
        findings: How many there are, shown or not.
        state: Only findings in this state; None: in any.
        mine: As this node believes, not as everyone sees it.
    """

    findings: int
    state: State | None
    mine: bool


def print_board(
    screen: Console,
    snapshot: Snapshot,
    board: Board,
    shown: list[Entry],
    scope: Scope,
    gauge: Wear,
    now_ms: int,
) -> None:
    """Print what the swarm has found, or what to do where it has found nothing."""
    screen.print(_headline(snapshot, board))
    if not shown:
        screen.print(_empty(snapshot, board, scope))
        return
    bars = screen.is_terminal
    screen.print("", _table(snapshot.task, shown, now_ms, screen.width, bars), "", sep="\n")
    for line in _explanation(snapshot, shown, scope):
        screen.print(Text(spelled(line), DIM))
    for words in wear_lines(gauge, plain(snapshot.task.unit)):
        screen.print(words)


def _headline(snapshot: Snapshot, board: Board) -> Text:
    task = snapshot.task
    aim = "lower" if task.direction == "minimize" else "higher"
    goal = "" if task.goal is None else f", goal {task.goal:g}"
    counts = [counted(board.experiments, "experiment"), counted(board.records, "record")]
    counts.append(counted(snapshot.peers, "peer") if snapshot.running else "node not running")
    metric = f"{plain(task.metric)} in {plain(task.unit)}, {aim} is better{goal}"
    return Text.assemble((plain(task.name), "bold"), f"  {metric}\n", (" · ".join(counts), DIM))


def _empty(snapshot: Snapshot, board: Board, scope: Scope) -> Text:
    if board.wins and scope.state is not None:
        others = counted(len(board.wins), "win")
        return Text(spelled(f"\nno {scope.state} win: `swarm leaderboard` shows all {others}"))
    if board.experiments:
        return Text("\nno win yet: nothing tried so far beat its base for sure. Let it run on")
    if board.records == 0 and not snapshot.running:
        return Text(spelled(f"\nno records yet: start a node with `swarm {snapshot.start}`"))
    running = "\nno records yet: the first experiment is still running (`swarm status`)"
    return Text(spelled(running))


def _table(task: TaskHeader, shown: list[Entry], now_ms: int, width: int, bars: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, _GAP, 0, 0))
    scale = Scale.of(shown, task.direction) if bars else None
    rows = [_row(entry, task, now_ms, scale) for entry in shown]
    names = _fitting(rows, width)
    for name in names:
        side = "right" if name in ("#", plain(task.metric), _HOLDOUT, _EFFECT) else "left"
        if name == _TITLE:
            table.add_column(name, justify=side, overflow="fold")
        else:
            table.add_column(name, justify=side, no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _fitting(rows: list[dict[str, Text]], width: int) -> list[str]:
    """The columns that fit beside a readable title; what changed is never left out."""
    wide = {name: max(len(name), *(row[name].cell_len for row in rows)) for name in rows[0]}
    wide[_TITLE] = min(wide[_TITLE], _READABLE)
    if all(row[_HOLDOUT].plain == "—" for row in rows):
        del wide[_HOLDOUT]
    for name in _LEFT_OUT_FIRST:
        if sum(wide.values()) + _GAP * len(wide) <= width:
            break
        wide.pop(name, None)
    return list(wide)


def _row(entry: Entry, task: TaskHeader, now_ms: int, scale: Scale | None) -> dict[str, Text]:
    word, style = _STATES[entry.state]
    doubtful = entry.state not in ("claimed", "replicated")
    adopters = len(entry.adopters)
    return {
        "#": Text(str(entry.rank), DIM),
        plain(task.metric): Text(number(entry.value), DIM if doubtful else "bold"),
        _EFFECT: _gain(entry, task),
        **({} if scale is None else {_BAR: scale.bar(entry)}),
        _HOLDOUT: Text("—" if entry.holdout is None else number(entry.holdout), DIM),
        _TITLE: Text(plain(entry.title), DIM if doubtful else ""),
        "by": Text(shortened(plain(entry.nickname), 16) or short_id(entry.author)),
        "state": Text(f"{word} ×{entry.replications}" if entry.replications else word, style),
        "adopters": Text(str(adopters or "—"), "" if adopters else DIM),
        "age": Text(age((now_ms - _milliseconds(entry.created_at)) / 1000), DIM),
        "record": Text(short_id(entry.record), DIM),
    }


def _gain(entry: Entry, task: TaskHeader) -> Text:
    """Green or red where the interval leaves no doubt, and only where the win may be real."""
    text = Text(signed(entry.effect))
    if entry.effect_low is not None and entry.effect_high is not None:
        low, high = entry.effect_low, entry.effect_high
        better, worse = (high < 0, low > 0) if task.direction == "minimize" else (low > 0, high < 0)
        text.stylize("green" if better else "red" if worse else "")
        text.append(f" ±{number((entry.effect_high - entry.effect_low) / 2)}", DIM)
    return text


def _milliseconds(created_at: str) -> int:
    return int(datetime.fromisoformat(created_at).timestamp() * 1000)


def _explanation(snapshot: Snapshot, shown: list[Entry], scope: Scope) -> Iterator[str]:
    if len(shown) < scope.findings:
        what = f"{scope.state} wins" if scope.state else "wins"
        yield f"the first {len(shown)} of {scope.findings:,} {what}; more with --limit"
    if scope.mine:
        yield (
            "as this node believes: its own replications, those of peers named with "
            "`swarm trust`, and of strangers who agreed with these"
        )
    seen = {entry.state for entry in shown}
    yield "; ".join(f"{state}: {_MEANINGS[state]}" for state in _STATES if state in seen)
    if len({entry.rank for entry in shown}) < len(shown):
        yield "one rank: replications cannot tell which of these gains more over the baseline"
    yield (
        f"{_EFFECT}: candidate − base on the same machine and seeds, ± the 95 % interval, "
        f"in {plain(snapshot.task.unit)}; by others on text nobody chose, once two have measured it"
    )
    yield f"`swarm show {short_id(shown[0].record)}` tells one whole; `swarm best` prints the best"

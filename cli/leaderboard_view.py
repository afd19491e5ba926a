"""The leaderboard as a table for people."""

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.output import DIM, age, counted
from cli.snapshot import Snapshot, TaskHeader
from cli.text import plain, short_id, shortened
from swarm.board import Board
from swarm.leaderboard import Entry

WIDE_COLUMNS = 110
"""From this many columns on, adopters and age are shown too."""

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
    "refuted": "others measured no gain",
    "invalid": "its diff does not give what it says",
    "incomplete": "the win it was built on has not arrived here",
}


def print_board(
    screen: Console, snapshot: Snapshot, board: Board, shown: list[Entry], now_ms: int
) -> None:
    """Print what the swarm has found, or what to do where it has found nothing."""
    screen.print(_headline(snapshot, board))
    if not shown:
        screen.print(_empty(snapshot, board))
        return
    screen.print("", _table(snapshot.task, shown, now_ms, screen.width), "", sep="\n")
    for line in _explanation(snapshot, board, shown):
        screen.print(Text(line, DIM))


def _headline(snapshot: Snapshot, board: Board) -> Text:
    task = snapshot.task
    aim = "lower" if task.direction == "minimize" else "higher"
    goal = "" if task.goal is None else f", goal {task.goal:g}"
    counts = [counted(board.experiments, "experiment"), counted(board.records, "record")]
    counts.append(counted(snapshot.peers, "peer") if snapshot.running else "node not running")
    metric = f"{plain(task.metric)} in {plain(task.unit)}, {aim} is better{goal}"
    return Text.assemble((plain(task.name), "bold"), f"  {metric}\n", (" · ".join(counts), DIM))


def _empty(snapshot: Snapshot, board: Board) -> Text:
    if board.experiments:
        return Text("\nno win yet: nothing tried so far beat its base for sure. Let it run on")
    if board.records == 0 and not snapshot.running:
        return Text("\nno records yet: start a node with `swarm start`")
    return Text("\nno records yet: the first experiment is still running (`swarm status`)")


def _table(task: TaskHeader, shown: list[Entry], now_ms: int, width: int) -> Table:
    table = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, 2, 0, 0))
    wide = width >= WIDE_COLUMNS
    for heading in ("#", plain(task.metric), "gain over base"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("change", overflow="fold")
    for heading in ("by", "state", "adopters", "age") if wide else ("by", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("record", no_wrap=True)
    for entry in shown:
        table.add_row(*_row(entry, now_ms, wide))
    return table


def _row(entry: Entry, now_ms: int, wide: bool) -> Iterator[Text]:
    word, style = _STATES[entry.state]
    doubtful = entry.state not in ("claimed", "replicated")
    if entry.replications:
        word += f" ×{entry.replications}"
    yield Text(str(entry.rank), DIM)
    yield Text(f"{entry.value:.4f}", DIM if doubtful else "bold")
    yield _gain(entry)
    yield Text(plain(entry.title), DIM if doubtful else "")
    yield Text(shortened(plain(entry.nickname), 16) or short_id(entry.author))
    yield Text(word, style)
    if wide:
        adopters = len(entry.adopters)
        yield Text(str(adopters or "—"), "" if adopters else DIM)
        yield Text(age((now_ms - _milliseconds(entry.created_at)) / 1000), DIM)
    yield Text(short_id(entry.record), DIM)


def _gain(entry: Entry) -> Text:
    text = Text(f"{entry.effect:+.4f}")
    if entry.effect_low is not None and entry.effect_high is not None:
        text.append(f" ±{(entry.effect_high - entry.effect_low) / 2:.4f}", DIM)
    return text


def _milliseconds(created_at: str) -> int:
    return int(datetime.fromisoformat(created_at).timestamp() * 1000)


def _explanation(snapshot: Snapshot, board: Board, shown: list[Entry]) -> Iterator[str]:
    if len(shown) < len(board.wins):
        yield f"the first {len(shown)} of {len(board.wins):,} wins; more with --limit"
    seen = {entry.state for entry in shown}
    yield "; ".join(f"{state}: {_MEANINGS[state]}" for state in _STATES if state in seen)
    yield (
        "gain: candidate − base on the same machine and seeds, ± the 95 % interval, "
        f"in {plain(snapshot.task.unit)}"
    )
    yield f"`swarm show {short_id(shown[0].record)}` tells one whole; `swarm best` prints the best"

"""
One look at a swarm as a screenful.

Law: draws what it is given into the room there is, and never more. What matters
most stays longest when the room gets small: what runs now, then the leaderboard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from cli.hints import spelled
from cli.interval_bar import Scale
from cli.node_now import Running
from cli.output import DIM, age, counted, number, signed
from cli.text import plain, short_id, shortened
from cli.trials import by, change
from cli.watch_source import Peer, Scene
from swarm.leaderboard import Entry
from watch.plot_terminal import drawn

WIDE_COLUMNS = 110
"""From here on, peers stand beside the leaderboard."""
TALL_LINES = 34
"""From here on, the progress is drawn."""
_HEADER_LINES, _FRAME_LINES = 2, 2
_NOW_AT_MOST = 6
_PLOT_LINES = 13
_BAR = 18
_STATES = {"replicated": "bold green", "claimed": "", "refuted": "red", "invalid": "red"}
_PHASES = {"train": "training", "evaluate": "evaluating"}


def screenful(scene: Scene, columns: int, lines: int) -> Layout:
    """The scene as something that fills `columns` × `lines`."""
    root = Layout()
    now = _now_lines(scene)
    height = min(len(now) + _FRAME_LINES, max(lines // 3, 4))
    parts = [
        Layout(_header(scene), size=_HEADER_LINES),
        Layout(_framed("this node", Group(*now[: height - _FRAME_LINES])), size=height),
    ]
    wide, left = columns >= WIDE_COLUMNS, lines - _HEADER_LINES - height - 1
    plotted = lines >= TALL_LINES
    left -= _PLOT_LINES if plotted else 0
    board = left if left < 12 else min(max(left * 3 // 5, 5), _board_lines(scene, wide))
    parts.append(_board_row(scene, columns, board, wide))
    if plotted:
        parts.append(_progress_row(scene, columns))
    if left - board >= 4:
        rest = left - board
        frame = _framed("latest experiments", _tried(scene, rest - _FRAME_LINES))
        parts.append(Layout(frame, size=rest))
    parts.append(Layout(_footer(scene), size=1))
    root.split_column(*parts)
    return root


def _board_lines(scene: Scene, wide: bool) -> int:
    """As many lines as the leaderboard, and the peers beside it, can fill."""
    rows = max(len(scene.entries), len(scene.peers) if wide else 0, 2)
    return rows + 1 + _FRAME_LINES


def _board_row(scene: Scene, columns: int, height: int, wide: bool) -> Layout:
    rows = height - _FRAME_LINES - 1
    if not wide:
        return Layout(_framed("leaderboard", _board(scene, columns - 4, rows)), size=height)
    row = Layout(size=height)
    side = max(columns // 3, 42)
    row.split_row(
        Layout(_framed("leaderboard", _board(scene, columns - side - 4, rows))),
        Layout(_framed("peers", _peers(scene, side - 4, rows)), size=side),
    )
    return row


def _progress_row(scene: Scene, columns: int) -> Layout:
    row = Layout(size=_PLOT_LINES)
    drawing = drawn(scene.picture, columns - 4, _PLOT_LINES - _FRAME_LINES, coloured=True)
    row.update(_framed("progress", Text.from_ansi(drawing, no_wrap=True)))
    return row


def _framed(title: str, content: RenderableType) -> Panel:
    return Panel(
        content, title=Text(title, "bold"), title_align="left", box=ROUNDED, border_style=DIM
    )


def _header(scene: Scene) -> Text:
    snapshot = scene.snapshot
    task = snapshot.task
    aim = "lower" if task.direction == "minimize" else "higher"
    counts = [counted(scene.experiments, "experiment"), counted(scene.wins, "win")]
    if snapshot.running:
        up = snapshot.uptime_seconds
        state = ("running" if up is None else f"running for {age(up)}", "bold green")
        counts.append(counted(snapshot.peers, "peer") + " connected")
    else:
        state = ("node not running", "yellow")
    best = scene.picture.steps[-1].value if scene.picture.steps else None
    told = f"{plain(task.metric)} in {plain(task.unit)}, {aim} is better"
    values = ""
    if best is not None and scene.picture.baseline is not None:
        values = f"   {number(scene.picture.baseline)} → {number(best)}"
    return Text.assemble(
        (plain(task.name), "bold"), "  ", (told, DIM), (values, "bold"), "\n",
        state, "  ", (" · ".join(counts), DIM), no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _now_lines(scene: Scene) -> list[RenderableType]:
    """What this node measures now, two lines each; or what to do where it measures nothing."""
    snapshot = scene.snapshot
    if not snapshot.running:
        return [_line(spelled(f"`swarm {snapshot.start}` goes on from here"), DIM)]
    if scene.now is None:
        return [_line(f"measuring “{plain(title)}”") for title in snapshot.now[:_NOW_AT_MOST]] or [
            _line("nothing is measured right now", DIM)
        ]
    lines: list[RenderableType] = []
    for running in scene.now[:_NOW_AT_MOST]:
        lines += [_title_of(running), _progress_of(running)]
    if len(scene.now) > _NOW_AT_MOST:
        lines.append(_line(f"and {len(scene.now) - _NOW_AT_MOST} more", DIM))
    return lines or [_line("nothing is measured right now", DIM)]


def _title_of(running: Running) -> Text:
    number_of = f"#{running.number}" if running.number > 0 else running.kind or "run"
    why = f"  {plain(running.why)}" if running.why else ""
    return Text.assemble(
        (f"{number_of:<9} ", DIM), (plain(running.title) or "the baseline", "bold"), (why, DIM),
        no_wrap=True, overflow="ellipsis",
    )  # fmt: skip


def _progress_of(running: Running) -> Text:
    text = Text(" " * 10, no_wrap=True, overflow="ellipsis")
    if running.share is not None:
        full = round(running.share * _BAR)
        text.append("━" * full, "green").append("━" * (_BAR - full), DIM)
        text.append(f" {running.share:4.0%}  ")
    arm = f"{plain(running.arm)} " if running.arm else ""
    phase = _PHASES.get(running.phase, plain(running.phase))
    text.append(f"{arm}{phase}".strip() or "between two runs", DIM)
    if running.changes:
        which = "fresh pairs" if running.fresh else "pairs"
        text.append(f"   {which} so far: ", DIM)
        text.append("  ".join(signed(value) for value in running.changes[-8:]))
    return text


def _board(scene: Scene, columns: int, rows: int) -> RenderableType:
    if not scene.entries:
        return _line(_no_win(scene), DIM)
    task, shown = scene.snapshot.task, scene.entries[: max(rows, 1)]
    scale = Scale.of(shown, task.direction)
    table = _table()
    cells: list[tuple[str, str, int, Callable[[Entry], Text]]] = [
        ("#", "right", 0, lambda each: Text(str(each.rank), DIM)),
        (plain(task.metric), "right", 0, lambda each: Text(number(each.value), "bold")),
        ("change", "right", 0, lambda each: Text(signed(each.effect))),
        ("interval", "left", 96, lambda each: scale.bar(each)),
        ("state", "left", 56, _state),
        ("by", "left", 66, lambda each: Text(_author(each), DIM)),
    ]
    used = [cell for cell in cells if columns >= cell[2]]
    for name, side, _, _ in used:
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("what changed", no_wrap=True, overflow="ellipsis", ratio=1)
    for entry in shown:
        doubtful = entry.state not in ("claimed", "replicated")
        title = Text(plain(entry.title), DIM if doubtful else "")
        table.add_row(*(draw(entry) for _, _, _, draw in used), title)
    return table


def _no_win(scene: Scene) -> str:
    if scene.experiments:
        return "no win yet: nothing tried so far beat its base for sure"
    return "nothing was tried yet: the first experiments take a few minutes"


def _state(entry: Entry) -> Text:
    count = f" ×{entry.replications}" if entry.replications else ""
    return Text(f"{entry.state}{count}", _STATES.get(entry.state, DIM))


def _author(entry: Entry) -> str:
    return shortened(plain(entry.nickname), 12) or short_id(entry.author)


def _peers(scene: Scene, columns: int, rows: int) -> RenderableType:
    if not scene.peers:
        return _line("nobody yet", DIM)
    table = _table()
    for name, side in (("who", "left"), ("tried", "right"), ("won", "right"), ("heard", "right")):
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column("runs now" if columns > 46 else "", no_wrap=True, overflow="ellipsis", ratio=1)
    for peer in scene.peers[: max(rows, 1)]:
        table.add_row(*_peer(peer, scene))
    return table


def _peer(peer: Peer, scene: Scene) -> Iterable[Text]:
    own = peer.peer_id == scene.snapshot.peer_id
    name = shortened(plain(peer.nickname), 12) or short_id(peer.peer_id)
    style = "bold" if own else "green" if peer.connected else ""
    yield Text(f"{name} (you)" if own else name, style)
    yield Text(f"{peer.experiments:,}")
    yield Text(f"{peer.wins:,}", "" if peer.wins else DIM)
    yield Text(age((scene.now_ms - peer.last_ms) / 1000) if peer.last_ms else "—", DIM)
    does = ", ".join(map(plain, peer.running or ())) or plain(peer.hardware)
    yield Text(does, DIM)


def _tried(scene: Scene, rows: int) -> RenderableType:
    if not scene.tried:
        return _line("nothing yet", DIM)
    table = _table()
    table.show_header = False
    for side in ("right", "left", "left", "right"):
        table.add_column(justify="right" if side == "right" else "left", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    task, own = scene.snapshot.task, scene.snapshot.peer_id
    for each in reversed(scene.tried[-max(rows, 1) :]):
        kept = "KEPT" if each.won else each.outcome.replace("_", " ")
        table.add_row(
            Text(age((scene.now_ms - each.finished_at_ms) / 1000), DIM),
            Text(by(each, own), DIM),
            Text(kept, "bold green" if each.won else "yellow" if each.failed else ""),
            change(each, task),
            Text(plain(each.title), "" if each.won else DIM),
        )
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, header_style=DIM, padding=(0, 2, 0, 0), expand=True)


def _footer(scene: Scene) -> Text:
    words = ["q quits"]
    if scene.entries:
        best = short_id(scene.entries[0].record)
        words.append(spelled(f"`swarm show {best}` tells the best whole"))
    page = scene.snapshot.home.read_status().get("watch")
    if scene.snapshot.running and isinstance(page, str):
        words.append(f"in a browser: {plain(page)}")
    return _line("   ".join(words), DIM)


def _line(words: str, style: str = "") -> Text:
    return Text(words, style, no_wrap=True, overflow="ellipsis")

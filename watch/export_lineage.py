"""
The lineage of wins as a drawing: time runs down, each win is one row.

The leader and what it was built on stand in the first lane, straight; every other
line of descent has a lane of its own for as long as it lasts, so that no two lines
cross a dot. Solid: built on. Dashed: folded in.

Law: a pure function of its arguments, and well-formed XML whatever peers wrote.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from html import escape

from swarm.leaderboard import Entry
from swarm.lineage import Linked
from swarm.records import PeerId, RecordId
from swarm.visible_text import plain, short_id, shortened
from watch.plot import colour

ROWS_AT_MOST = 300
LANES_AT_MOST = 24
_ROW, _LANE, _TOP, _LEFT, _TEXT = 30, 18, 56, 26, 24
_TITLE_LENGTH, _PER_LETTER = 62, 7.3
_INK, _QUIET, _LINE, _TRUNK, _PAPER = "#1f2933", "#6b7680", "#b8c0c8", "#1f2933", "#ffffff"
_STATE_COLOURS = {
    "replicated": "#1a7f37",
    "claimed": _QUIET,
    "refuted": "#c0392b",
    "incomplete": _QUIET,
    "invalid": "#c0392b",
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Layout:
    """
    Where each win stands.

    Attributes:
        rows: The wins, oldest first; the baseline stands above the first.
        lanes: From 0, of each win.
        width: How many lanes there are.
    """

    rows: tuple[RecordId, ...]
    lanes: Mapping[RecordId, int]
    width: int


@dataclass(frozen=True, slots=True)
class _Win:
    """A win as it is drawn; `far`: there are wins between it and its base that are not."""

    author: PeerId
    base: RecordId | None
    parents: tuple[RecordId, ...]
    far: bool


def layout(
    wins: Mapping[RecordId, Linked], leader: RecordId | None, made_at: Mapping[RecordId, int]
) -> Layout:
    """
    Rows and lanes for wins, each below all it was built on.

    Args:
        leader: Whose line of descent stands in the first lane.
        made_at: When each was made, Unix epoch milliseconds.
    """
    rows = _in_order(wins, made_at)
    at = {record: row for row, record in enumerate(rows)}
    lanes: dict[RecordId, int] = {}
    step = leader
    while step is not None and step in at:
        lanes[step] = 0
        step = wins[step].base
    ends: list[int] = [len(rows)]
    for record in rows:
        if record in lanes:
            continue
        line = _line(record, wins, rows, lanes)
        start = _above(wins[record].base, at, at[record])
        free = (n for n, end in enumerate(ends) if n and end <= start)
        lane = min(next(free, len(ends)), LANES_AT_MOST - 1)
        ends += [0] * (lane + 1 - len(ends))
        ends[lane] = max(ends[lane], at[line[-1]])
        lanes |= dict.fromkeys(line, lane)
    return Layout(tuple(rows), lanes, len(ends))


def _above(base: RecordId | None, at: Mapping[RecordId, int], row: int) -> int:
    """The row from which a line comes down to `row`; the one above where it comes from nowhere."""
    if base is None:
        return -1
    return at.get(base, row - 1)


def lineage_svg(
    wins: Mapping[RecordId, Linked],
    entries: Sequence[Entry],
    leader: RecordId | None,
    made_at: Mapping[RecordId, int],
    title: str,
) -> str:
    """
    The drawing, as one SVG element that needs nothing from outside.

    Args:
        entries: The leaderboard, best first; wins without an entry are not drawn.
        made_at: When each win was made, Unix epoch milliseconds.
    """
    shown = _shown(wins, entries, leader)
    known = {entry.record: entry for entry in entries}
    drawn = _reduced(wins, shown)
    place = layout(drawn, leader, made_at)
    width = round(_LEFT + place.width * _LANE + _TEXT + (_TITLE_LENGTH + 46) * _PER_LETTER)
    left_out = len(known) - len(shown)
    height = _TOP + (len(place.rows) + 1 + (left_out > 0)) * _ROW + 16
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="{escape(_FONT)}">',
        f"<title>{_safe(title)}: who built on whom</title>",
        f'<rect width="{width}" height="{height}" fill="{_PAPER}"/>',
        _words(_LEFT - 10, 26, f"{plain(title)}: who built on whom", size=16, weight=700),
        _words(_LEFT - 10, 45, _key(drawn.values()), size=12, tint=_QUIET),
        *_edges(place, drawn, leader),
        *_rows(place, known),
    ]  # fmt: skip
    if left_out > 0:
        y = _TOP + (len(place.rows) + 1) * _ROW + 12
        parts.append(_words(_LEFT, y, f"{left_out:,} more wins are not drawn", tint=_QUIET))
    return "\n".join([*parts, "</svg>\n"])


def _key(wins: Iterable[_Win]) -> str:
    """What the lines mean."""
    far = " · dotted: wins between are not drawn" if any(win.far for win in wins) else ""
    return f"solid: built on{far} · dashed: folded in · colour: kind of idea"


def _in_order(wins: Mapping[RecordId, Linked], made_at: Mapping[RecordId, int]) -> list[RecordId]:
    """By time, but never before what a win was built on, whatever its author says."""
    waits = {
        record: sum(link in wins for link in {win.base, *win.parents})
        for record, win in wins.items()
    }
    children: dict[RecordId, list[RecordId]] = {}
    for record, win in wins.items():
        for link in {win.base, *win.parents}:
            if link is not None and link in wins:
                children.setdefault(link, []).append(record)
    ready: list[tuple[int, RecordId]] = []
    for record, count in waits.items():
        if not count:
            heappush(ready, (made_at[record], record))
    rows: list[RecordId] = []
    while ready:
        _, record = heappop(ready)
        rows.append(record)
        for child in children.get(record, ()):
            waits[child] -= 1
            if not waits[child]:
                heappush(ready, (made_at[child], child))
    return rows


def _line(
    first: RecordId,
    wins: Mapping[RecordId, Linked],
    rows: Sequence[RecordId],
    taken: Mapping[RecordId, int],
) -> list[RecordId]:
    """A win and those after it that were each built on the one before, first come first."""
    line = [first]
    for record in rows:
        if record not in taken and wins[record].base == line[-1]:
            line.append(record)
    return line


def _shown(
    wins: Mapping[RecordId, Linked], entries: Sequence[Entry], leader: RecordId | None
) -> set[RecordId]:
    """The leader's line and the best of the rest."""
    shown: set[RecordId] = set()
    known = {entry.record for entry in entries}
    step = leader
    while step is not None and step in wins and step not in shown:
        shown.add(step)
        step = wins[step].base
    for entry in entries:
        if len(shown) >= ROWS_AT_MOST:
            break
        shown.add(entry.record)
    return {record for record in shown if record in known}


def _reduced(wins: Mapping[RecordId, Linked], shown: Collection[RecordId]) -> dict[RecordId, _Win]:
    """The wins to draw; one whose base is not drawn hangs on the nearest that is."""
    reduced: dict[RecordId, _Win] = {}
    for record in shown:
        win = wins[record]
        base = win.base
        while base is not None and base not in shown and base in wins:
            base = wins[base].base
        reduced[record] = _Win(win.author, base, win.parents, base != win.base)
    return reduced


def _edges(place: Layout, wins: Mapping[RecordId, _Win], leader: RecordId | None) -> Iterator[str]:
    at = {record: row for row, record in enumerate(place.rows)}
    trunk = {record for record, lane in place.lanes.items() if lane == 0 and leader is not None}
    later: list[str] = []
    for record in place.rows:
        win = wins[record]
        x, y = _spot(place.lanes[record], at[record])
        based = win.base is None or win.base in at
        from_x, from_y = _spot(0, -1)
        if win.base is not None and win.base in at:
            from_x, from_y = _spot(place.lanes[win.base], at[win.base])
        bend = from_y + _ROW
        path = f"M{from_x} {from_y}C{from_x} {bend - 8} {x} {from_y + 8} {x} {bend}V{y}"
        if from_x == x:
            path = f"M{x} {from_y}V{y}"
        tint, wide = (_TRUNK, 2.6) if record in trunk else (_LINE, 1.8)
        if based:
            gap = ' stroke-dasharray="1 5"' if win.far else ""
            line = f'<path d="{path}" fill="none" stroke="{tint}" stroke-width="{wide}"{gap}/>'
            later.append(line) if record in trunk else (yield line)
        for fold in win.parents:
            if fold in at:
                fold_x, fold_y = _spot(place.lanes[fold], at[fold])
                away = max(fold_x, x) + _LANE
                yield (
                    f'<path d="M{fold_x} {fold_y}C{away} {fold_y} {away} {y} {x} {y}" fill="none" '
                    f'stroke="{colour("code")}" stroke-width="1.4" stroke-opacity="0.5" '
                    'stroke-dasharray="4 3"/>'
                )
    yield from later


def _rows(place: Layout, known: Mapping[RecordId, Entry]) -> Iterator[str]:
    text_x = _LEFT + place.width * _LANE + _TEXT
    x, y = _spot(0, -1)
    yield f'<circle cx="{x}" cy="{y}" r="6" fill="{_PAPER}" stroke="{_INK}" stroke-width="2"/>'
    yield _words(text_x, y + 4, "the task's baseline", tint=_QUIET)
    for row, record in enumerate(place.rows):
        entry = known[record]
        x, y = _spot(place.lanes[record], row)
        doubtful = entry.state not in ("claimed", "replicated")
        fill, ring = colour(entry.family), _PAPER
        if doubtful:
            fill, ring = _PAPER, colour(entry.family)
        by = shortened(plain(entry.nickname), 16) or short_id(entry.author)
        state = f"{entry.state} ×{entry.replications}" if entry.replications else entry.state
        tip = f"{entry.title}\n{entry.state}, {entry.family}, by {entry.nickname} {entry.author}"
        yield "<g>"
        yield f"<title>{_safe(tip)}</title>"
        if entry.state == "replicated":
            yield (
                f'<circle cx="{x}" cy="{y}" r="9" fill="none" stroke="{_INK}" stroke-width="1.4"/>'
            )
        yield f'<circle cx="{x}" cy="{y}" r="6" fill="{fill}" stroke="{ring}" stroke-width="1.6"/>'
        cells = (
            (0, f"{entry.value:.4f}", _INK, 600),
            (68, f"{entry.effect:+.4f}", _QUIET, 400),
            (140, shortened(plain(entry.title), _TITLE_LENGTH), _QUIET if doubtful else _INK, 400),
            (140 + _TITLE_LENGTH * _PER_LETTER, by, _QUIET, 400),
            (272 + _TITLE_LENGTH * _PER_LETTER, state, _STATE_COLOURS[entry.state], 400),
        )
        for offset, words, tint, weight in cells:
            yield _words(text_x + offset, y + 4, words, tint=tint, weight=weight)
        yield "</g>"


def _spot(lane: int, row: int) -> tuple[int, int]:
    return _LEFT + lane * _LANE, _TOP + (row + 1) * _ROW + 12


def _words(
    x: float, y: float, text: str, *, size: int = 13, tint: str = _INK, weight: int = 400
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{tint}">'
        f"{_safe(text)}</text>"
    )


def _safe(text: str) -> str:
    return escape(plain(text))

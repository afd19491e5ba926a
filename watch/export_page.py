"""
The archive as one page that needs nothing but itself.

Law: no script runs in it and nothing is loaded from anywhere: a content security
policy in the page says so and every text of a peer is escaped, so that even a hole
in one of the two gives nothing away.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from swarm.leaderboard import Entry
from swarm.records import Pair, RecordId, Replication, Win, from_nano
from swarm.task import Metric
from swarm.visible_text import plain, plain_lines, short_id, shortened
from watch.export_style import STYLE
from watch.plot import colour
from watch.tried import Tried

WINS_AT_MOST = 200
"""Wins that are told whole; the table names all."""
ROWS_AT_MOST = 1_000
DIFF_LINES = 300
_BAR, _BAR_HEIGHT = 150, 14


@dataclass(frozen=True, slots=True)
class Archive:
    """
    What the page tells.

    Attributes:
        title: What the task is called.
        made_at: When this was written, for people.
        lines: The story in short, as (about what, what).
        entries: The leaderboard, best first.
        picture: The progress, as PNG.
        lineage: The drawing of who built on whom, one SVG element.
        commits: Ids of wins in the Git history of the same records.
    """

    title: str
    made_at: str
    metric: Metric
    lines: Sequence[tuple[str, str]]
    entries: Sequence[Entry]
    wins: Mapping[RecordId, Win]
    replications: Sequence[Replication]
    tried: Sequence[Tried]
    picture: bytes
    lineage: str
    commits: Mapping[RecordId, str]


def page(archive: Archive) -> str:
    """The page, in HTML."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="referrer" content="no-referrer">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_safe(archive.title)}: what the swarm found</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *_header(archive),
            "<main>",
            *_story(archive),
            *_leaderboard(archive),
            *_lineage(archive),
            *_peers(archive),
            *_wins(archive),
            "</main>",
            *_footer(),
            "</body>",
            "</html>",
            "",
        ]
    )


def _header(archive: Archive) -> Iterator[str]:
    metric = archive.metric
    aim = "lower" if metric.direction == "minimize" else "higher"
    yield "<header>"
    yield f"<h1>{_safe(archive.title)}</h1>"
    yield (
        f"<p>What a swarm of {_count(len({t.author for t in archive.tried}), 'peer')} found in "
        f"{_count(len(archive.tried), 'experiment')}. Measured: {_safe(metric.name)} in "
        f"{_safe(metric.unit)}, {aim} is better. Written {_safe(archive.made_at)}.</p>"
    )
    yield "</header>"


def _story(archive: Archive) -> Iterator[str]:
    yield '<section aria-labelledby="progress"><h2 id="progress">Progress</h2>'
    image = base64.b64encode(archive.picture).decode()
    yield (
        '<figure class="paper"><img alt="Every experiment as a dot over time, wins labelled, with '
        f'the best value so far as a staircase" src="data:image/png;base64,{image}"></figure>'
    )
    if archive.lines:
        yield '<dl class="story">'
        for about, words in archive.lines:
            yield f"<dt>{_safe(about)}</dt><dd>{_safe(words)}</dd>"
        yield "</dl>"
    yield "</section>"


def _leaderboard(archive: Archive) -> Iterator[str]:
    yield '<section aria-labelledby="board"><h2 id="board">Leaderboard</h2>'
    if not archive.entries:
        yield "<p>No win yet: nothing tried so far beat its base for sure.</p></section>"
        return
    name = _safe(archive.metric.name)
    yield '<div class="wide"><table><thead><tr>'
    for head in ("#", name, "change, with its 95 % interval", "", "what changed", "by", "state"):
        yield f'<th scope="col">{head}</th>'
    yield "</tr></thead><tbody>"
    shown = archive.entries[:ROWS_AT_MOST]
    told = {entry.record for entry in archive.entries[:WINS_AT_MOST]}
    scale = _Scale.of(shown)
    for entry in shown:
        title = _safe(entry.title) or "—"
        if entry.record in told:
            title = f'<a href="#{entry.record}">{title}</a>'
        yield (
            f'<tr class="{entry.state}"><td>{entry.rank}</td><td>{entry.value:.4f}</td>'
            f"<td>{entry.effect:+.4f}{_margin(entry)}</td><td>{scale.bar(entry)}</td>"
            f"<td>{title}</td><td>{_who(entry.nickname, entry.author)}</td>"
            f"<td>{_state(entry)}</td></tr>"
        )
    yield "</tbody></table></div>"
    if len(archive.entries) > len(shown):
        of = f"{len(shown):,} of {len(archive.entries):,}"
        yield f"<p>The first {of}; leaderboard.json has all.</p>"
    yield (
        '<p class="quiet">Change: candidate − base on the same machine and seeds; by others, on '
        "text nobody chose, once two have measured it. Signed is not verified: <em>claimed</em> is "
        "measured by its author alone, <em>replicated</em> is confirmed by others.</p></section>"
    )


def _lineage(archive: Archive) -> Iterator[str]:
    if archive.entries:
        yield '<section aria-labelledby="lineage"><h2 id="lineage">Who built on whom</h2>'
        yield f'<div class="wide paper">{archive.lineage}</div></section>'


def _peers(archive: Archive) -> Iterator[str]:
    yield '<section aria-labelledby="peers"><h2 id="peers">Who took part</h2>'
    yield '<div class="wide"><table><thead><tr>'
    for head in ("peer", "hardware", "experiments", "wins", "measured again for others"):
        yield f'<th scope="col">{head}</th>'
    yield "</tr></thead><tbody>"
    last = {each.author: each for each in archive.tried}
    for author, newest in sorted(last.items()):
        own = [each for each in archive.tried if each.author == author]
        checks = sum(each.author == author for each in archive.replications)
        yield (
            f"<tr><td>{_who(newest.nickname, author)}</td><td>{_safe(newest.hardware)}</td>"
            f"<td>{len(own):,}</td><td>{sum(each.won for each in own):,}</td>"
            f"<td>{checks:,}</td></tr>"
        )
    yield "</tbody></table></div></section>"


def _wins(archive: Archive) -> Iterator[str]:
    yield '<section aria-labelledby="wins"><h2 id="wins">Every win</h2>'
    for entry in archive.entries[:WINS_AT_MOST]:
        win = archive.wins.get(entry.record)
        if win is not None:
            yield from _win(entry, win, archive)
    yield "</section>"


def _win(entry: Entry, win: Win, archive: Archive) -> Iterator[str]:
    dot = f'<circle cx="6" cy="6" r="5" fill="{colour(entry.family)}"/>'
    yield f'<details id="{entry.record}"><summary>'
    yield f'<svg width="12" height="12" aria-hidden="true">{dot}</svg>'
    yield f"<b>{_safe(win.title) or '—'}</b> <span>{entry.effect:+.4f}</span> {_state(entry)}"
    yield "</summary>"
    reason = "<br>".join(escape(line) for line in plain_lines(win.rationale.strip()))
    yield f"<p>{reason or 'Its author gave no reason.'}</p>"
    yield f'<pre class="diff">{_diff(win.diff)}</pre>'
    yield _pairs("measured by its author", win.pairs)
    for check in archive.replications:
        if check.win == entry.record:
            who = f"measured by {plain(check.nickname) or short_id(check.author)}, on fresh text"
            yield _pairs(who, check.challenge_pairs)
    where = win.environment
    facts = {
        "record": entry.record,
        "author": f"{plain(win.nickname)} {win.author}".strip(),
        "built on": win.base or "the task's baseline",
        "folded in": ", ".join(win.parents) or "nothing",
        "kind": f"{win.family}, proposed by {win.proposer}",
        "measured on": f"{where.hardware_class}, {where.device}, torch {where.torch_version}, "
        f"{where.milliseconds // 1000} s, isolation {where.isolation}",
        "commit": archive.commits.get(entry.record, "in no history: it cannot be rebuilt here"),
    }
    yield '<dl class="facts">'
    for name, value in facts.items():
        yield f"<dt>{name}</dt><dd>{_safe(value)}</dd>"
    yield "</dl></details>"


def _diff(diff: str) -> str:
    lines = plain_lines(diff.removesuffix("\n"))
    kinds = (("+++", "at"), ("---", "at"), ("@@", "at"), ("+", "more"), ("-", "less"))
    rows = [
        f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line)
        for line in lines[:DIFF_LINES]
        for kind in [next((kind for start, kind in kinds if line.startswith(start)), "")]
    ]
    if len(lines) > DIFF_LINES:
        rows.append(f"… {len(lines) - DIFF_LINES:,} more lines")
    return "\n".join(rows)


def _pairs(caption: str, pairs: Iterable[Pair]) -> str:
    rows = "".join(
        f"<tr><td>{pair.seed}</td><td>{from_nano(pair.base_nano):.4f}</td>"
        f"<td>{from_nano(pair.candidate_nano):.4f}</td>"
        f"<td>{from_nano(pair.candidate_nano - pair.base_nano):+.4f}</td></tr>"
        for pair in pairs
    )
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("seed", "base", "candidate", "change")
    )
    return (
        f'<table class="pairs"><caption>{_safe(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _footer() -> Iterator[str]:
    yield "<footer><p>In this folder: <code>results.tsv</code> has every experiment, "
    yield "<code>leaderboard.json</code> the leaderboard, <code>records.msgpack</code> the signed "
    yield "records: <code>swarm import records.msgpack</code> judges each of them again."
    yield "</p></footer>"


@dataclass(frozen=True, slots=True)
class _Scale:
    """A common scale for the bars of a table; zero is on it."""

    low: float
    high: float

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> _Scale:
        lows = [entry.effect if entry.effect_low is None else entry.effect_low for entry in entries]
        highs = [
            entry.effect if entry.effect_high is None else entry.effect_high for entry in entries
        ]
        low, high = min([0.0, *lows]), max([0.0, *highs])
        # One interval wider than all effects together would hide the others.
        reach = 2.5 * max(abs(entry.effect) for entry in entries)
        return cls(max(low, -reach), min(high, reach))

    def at(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return 4 + (_BAR - 8) * (min(max(value, self.low), self.high) - self.low) / span

    def bar(self, entry: Entry) -> str:
        middle, zero, y = self.at(entry.effect), self.at(0.0), _BAR_HEIGHT / 2
        low = middle if entry.effect_low is None else self.at(entry.effect_low)
        high = middle if entry.effect_high is None else self.at(entry.effect_high)
        return (
            f'<svg class="bar" width="{_BAR}" height="{_BAR_HEIGHT}" aria-hidden="true">'
            f'<line class="zero" x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{_BAR_HEIGHT}"/>'
            f'<line class="reach" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle cx="{middle:.1f}" cy="{y}" r="3.5" fill="{colour(entry.family)}"/></svg>'
        )


def _margin(entry: Entry) -> str:
    if entry.effect_low is None or entry.effect_high is None:
        return ""
    return f' <span class="quiet">±{(entry.effect_high - entry.effect_low) / 2:.4f}</span>'


def _state(entry: Entry) -> str:
    count = f" ×{entry.replications}" if entry.replications else ""
    return f'<span class="state {entry.state}">{entry.state}{count}</span>'


def _who(nickname: str, author: str) -> str:
    name = shortened(plain(nickname), 24)
    return f'<span title="{escape(author)}">{escape(name) or short_id(author)}</span>'


def _count(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def _safe(text: str) -> str:
    return escape(plain(text))

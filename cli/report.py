"""`swarm report`: what happened while nobody looked, in ten lines."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.text import Text

from cli.hints import spelled
from cli.output import age, console, counted, number, signed
from cli.since import span_ms
from cli.story import Story, read_story
from cli.text import plain, short_id, shortened
from cli.trials import by
from swarm.leaderboard import Entry
from swarm.records import PeerId, Replication
from watch.plot import BELIEVED, Dot, picture
from watch.tried import Tried

LINES_AT_MOST = 10
_NAMED = 3
_HOPELESS = 5
"""As many tries without a win, and a family is named as one that gave nothing."""

Line = tuple[str, str]
"""What it is about, and what is to be said."""


def report(root: Path, *, since: str) -> None:
    """
    Print what happened in the last `since`, a span such as `8h`.

    Raises:
        CommandError: `since` is no time span.
        JournalError: The journal is there but cannot be read.
    """
    span = span_ms(since)
    now_ms = time.time_ns() // 1_000_000
    screen = console()
    for name, words in report_lines(read_story(root), span, now_ms):
        line = Text.assemble((f"{name:>9}  ", "bold"), words)
        screen.print(line, soft_wrap=not screen.is_terminal)


def report_lines(story: Story, span: int, now_ms: int, *, for_others: bool = False) -> list[Line]:
    """
    The story of the last `span` milliseconds in at most ten lines, safe to print.

    Nothing is said twice, and of what did not happen nothing is said.

    Args:
        for_others: For readers to whom this node is a peer like any other.
    """
    period = _Period(story, span, now_ms, None if for_others else story.snapshot.peer_id)
    parts: tuple[Callable[[_Period], Iterator[Line]], ...] = (
        _what_ran, _best, _gains, _folds, _checks, _families, _failures, _peers, _here, _next,
    )  # fmt: skip
    return [line for part in parts for line in part(period)][:LINES_AT_MOST]


@dataclass(frozen=True, slots=True)
class _Period:
    """A stretch of a story that ends now."""

    story: Story
    span: int
    now_ms: int
    own: PeerId | None

    @property
    def first_ms(self) -> int:
        return self.now_ms - self.span

    @property
    def tried(self) -> list[Tried]:
        return [each for each in self.story.tried if each.finished_at_ms >= self.first_ms]

    @property
    def sign(self) -> int:
        """What a gain is multiplied with to be positive."""
        return -1 if self.story.metric.direction == "minimize" else 1

    def name(self, tried: Tried) -> str:
        return f"“{shortened(plain(tried.title), 60)}” by {by(tried, self.own)}"


def _what_ran(period: _Period) -> Iterator[Line]:
    task = plain(period.story.snapshot.task.name)
    tried = period.tried
    span = age(period.span / 1000)
    if not tried:
        last = period.story.tried[-1:]
        since = "no experiment yet"
        if last:
            since = f"the last one ended {age((period.now_ms - last[0].finished_at_ms) / 1000)} ago"
        yield task, f"nothing was tried in the last {span}; {since}"
        return
    began, ended = (_clock(ms) for ms in (period.first_ms, period.now_ms))
    here = _here_too(period, tried)
    peers = len({each.author for each in tried})
    computed = age(sum(each.milliseconds for each in tried) / 1000)
    yield (
        task,
        f"{counted(len(tried), 'experiment')} in the last {span} ({began} to {ended}) by "
        f"{counted(peers, 'peer')}{here}; {computed} of computing",
    )


def _here_too(period: _Period, made: Sequence[Tried] | Sequence[Replication]) -> str:
    if period.own is None:
        return ""
    return f", {sum(each.author == period.own for each in made):,} of them here"


def _best(period: _Period) -> Iterator[Line]:
    story = period.story
    shown = picture(story.tried, story.states, story.metric)
    before = [step for step in shown.steps if step.tried.finished_at_ms < period.first_ms]
    level = before[-1].value if before else shown.baseline
    if not shown.steps or level is None:
        if story.tried:
            yield "best", "no win yet: nothing tried so far beat its base for sure"
        return
    last = shown.steps[-1]
    if last in before:
        words = f"still {number(last.value)} {plain(story.metric.unit)}, {period.name(last.tried)}"
    else:
        change = signed(last.value - level)
        words = f"{number(level)} → {number(last.value)} ({change}), {period.name(last.tried)}"
    yield "best", words + _standing(last, story.entries)


def _standing(step: Dot, entries: Iterable[Entry]) -> str:
    entry = next((each for each in entries if each.record == step.tried.record), None)
    if entry is None or entry.state != "replicated":
        return ", not yet confirmed by others" if step.state == "claimed" else ""
    return f", replicated by {counted(entry.replications, 'peer')}"


def _gains(period: _Period) -> Iterator[Line]:
    states = period.story.states
    wins = [each for each in period.tried if each.won and each.effect is not None]
    kept = [each for each in wins if each.record and states.get(each.record) in BELIEVED]
    if not kept:
        return
    first = sorted(kept, key=lambda each: -period.sign * _mean(each))[:_NAMED]
    named = "; ".join(f"{period.name(each)} {signed(_mean(each))}" for each in first)
    yield "kept", f"{counted(len(wins), 'win')}, the largest: {named}"


def _mean(tried: Tried) -> float:
    return tried.effect.mean if tried.effect is not None else 0.0


def _folds(period: _Period) -> Iterator[Line]:
    wins = period.story.board.wins
    built: Counter[str] = Counter()
    count = 0
    for each in period.tried:
        links = [each.base, *each.parents] if each.base else list(each.parents)
        others = {link for link in links if link in wins and wins[link].author != each.author}
        count += bool(others and each.won)
        built.update(others if each.won else ())
    if count:
        record, times = built.most_common(1)[0]
        title = shortened(plain(wins[record].title), 60)
        how = f"build on other peers' wins; most of all on “{title}” ({times:,})"
        yield "folded", f"{counted(count, 'win')} {how}"


def _checks(period: _Period) -> Iterator[Line]:
    story = period.story
    made = [each for each in story.replications if each.created_at_ms >= period.first_ms]
    if not made:
        return
    states = story.states
    found = Counter(states.get(win) for win in {each.win for each in made})
    words = f"{counted(len(made), 'measurement')} of peers' wins{_here_too(period, made)}: "
    said = [f"{found[state]:,} {state}" for state in ("replicated", "refuted") if found[state]]
    said += [f"{found['claimed']:,} still open"] if found["claimed"] else []
    yield "checked", words + (", ".join(said) or "of wins that are not here")


def _families(period: _Period) -> Iterator[Line]:
    tried = Counter(each.family for each in period.tried)
    kept = Counter(each.family for each in period.tried if each.won)
    gained = [
        f"{_family(name)} {count:,} of {tried[name]:,}" for name, count in kept.most_common(4)
    ]
    dry = [
        f"{_family(name)} (0 of {count:,})"
        for name, count in tried.most_common()
        if count >= _HOPELESS and not kept[name]
    ]
    words = [f"kept {', '.join(gained)}"] if gained else []
    words += [f"nothing in {', '.join(dry[:4])}"] if dry else []
    if words:
        yield "ideas", "; ".join(words)


def _family(name: str) -> str:
    return shortened(plain(name), 20).replace("_", " ")


def _failures(period: _Period) -> Iterator[Line]:
    ended = Counter(each.outcome for each in period.tried if each.failed)
    if ended:
        words = ", ".join(
            f"{count:,} {word.replace('_', ' ')}" for word, count in ended.most_common()
        )
        yield "failed", f"{counted(sum(ended.values()), 'experiment')}: {words}"


def _peers(period: _Period) -> Iterator[Line]:
    names = {each.author: by(each, period.own) for each in period.story.tried}
    tried = Counter(each.author for each in period.tried)
    if len(tried) < 2:
        return
    earlier = {e.author for e in period.story.tried if e.finished_at_ms < period.first_ms}
    new = [names[author] for author in tried if author not in earlier] if earlier else []
    words = ", ".join(f"{names[author]} {count:,}" for author, count in tried.most_common(5))
    more = f" and {len(tried) - 5:,} more" if len(tried) > 5 else ""
    yield "busiest", words + more + (f"; new: {', '.join(new[:5])}" if new else "")


def _here(period: _Period) -> Iterator[Line]:
    snapshot = period.story.snapshot
    if period.own is None:
        return
    own = [each for each in period.tried if each.author == period.own]
    kept = f"kept {sum(each.won for each in own):,} of {len(own):,}; " if own else ""
    if snapshot.running:
        titles = [f"“{shortened(plain(title), 60)}”" for title in snapshot.now[:_NAMED]]
        now = ", ".join(titles) or "nothing yet"
        yield "this node", f"{kept}{counted(snapshot.peers, 'peer')} connected; runs now: {now}"
    else:
        words = f"is not running: `swarm {snapshot.start}` goes on from here"
        yield "this node", kept + spelled(words)


def _next(period: _Period) -> Iterator[Line]:
    entries: Sequence[Entry] = period.story.entries
    if entries and period.own is not None:
        best = short_id(entries[0].record)
        yield "more", spelled(f"`swarm show {best}`, `swarm plot`, `swarm trials`")


def _clock(milliseconds: int) -> str:
    """Local time, with the day or the date where it is another one than today."""
    moment, today = datetime.fromtimestamp(milliseconds / 1000), datetime.now()
    if abs((today.date() - moment.date()).days) > 6:
        return moment.strftime("%Y-%m-%d %H:%M")
    return moment.strftime("%H:%M" if moment.date() == today.date() else "%a %H:%M")

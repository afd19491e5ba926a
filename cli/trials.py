"""`swarm trials`: the map of what was tried here, own and peers', and what came of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import DIM, age, console, counted, iso_time, number, print_json, signed
from cli.since import span_ms
from cli.snapshot import TaskHeader
from cli.story import Story, read_story
from cli.text import plain, short_id, shortened
from swarm.records import OUTCOMES
from watch.tried import Tried

_STYLES = {"win": "bold green", "promising": "green", "no_gain": "", "equal": ""}
_WIDE_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which experiments to show; None does not narrow.

    Attributes:
        knob: A setting's name, or NAME=VALUE with its literal.
        since: A time span until now, as people type it.
        mine: Only this node's own.
    """

    family: str | None = None
    knob: str | None = None
    outcome: str | None = None
    since: str | None = None
    mine: bool = False


def trials(root: Path, wanted: Wanted, *, limit: int, as_json: bool) -> None:
    """
    Print the experiments that are wanted, the newest first.

    Raises:
        CommandError: An outcome or a time span that there is not.
        JournalError: The journal is there but cannot be read.
        HistoryError: So is the file of own experiments.
    """
    now_ms = time.time_ns() // 1_000_000
    story = read_story(root)
    found = select(story, wanted, now_ms)
    if as_json:
        print_json(document(story, found, limit))
        return
    screen = console()
    if not found:
        screen.print(spelled(_nothing(story)), soft_wrap=True)
        return
    task = story.snapshot.task
    screen.print(_table(found[:limit], story, now_ms, screen.width))
    screen.print()
    screen.print(_map(found, task))
    if len(found) > limit:
        screen.print(Text(f"the last {limit} of {len(found):,}; more with --limit", DIM))


def select(story: Story, wanted: Wanted, now_ms: int) -> list[Tried]:
    """
    The experiments that are wanted, the newest first.

    Raises:
        CommandError: An outcome or a time span that there is not.
    """
    outcome = None if wanted.outcome is None else wanted.outcome.replace("-", "_")
    if outcome is not None and outcome not in OUTCOMES:
        raise CommandError(f"no experiment ends as {outcome!r}: give {', '.join(OUTCOMES)}")
    first_ms = 0 if wanted.since is None else now_ms - span_ms(wanted.since)
    return [
        each
        for each in reversed(story.tried)
        if each.finished_at_ms >= first_ms
        and outcome in (None, each.outcome)
        and wanted.family in (None, each.family)
        and (wanted.knob is None or _turns(each, wanted.knob))
        and (not wanted.mine or each.author == story.snapshot.peer_id)
    ]


def _turns(tried: Tried, knob: str) -> bool:
    name, given, literal = knob.partition("=")
    return any(
        known == name.strip() and (not given or value.strip("'\"") == literal.strip(" '\""))
        for known, value in tried.knobs
    )


def document(story: Story, found: Sequence[Tried], limit: int) -> dict[str, object]:
    """The experiments as `--json` shows them; what is not known is null."""
    return {
        "task": story.snapshot.task.document(),
        "found": len(found),
        "trials": [_as_json(each, story.snapshot.peer_id) for each in found[:limit]],
    }


def _as_json(tried: Tried, own: str | None) -> dict[str, object]:
    effect = tried.effect
    known = effect is not None and effect.n > 1
    return {
        "record": tried.record,
        "author": tried.author,
        "nickname": tried.nickname,
        "own": tried.author == own,
        "hardware": tried.hardware,
        "finished_at": iso_time(tried.finished_at_ms),
        "outcome": tried.outcome,
        "title": tried.title,
        "family": tried.family,
        "proposer": tried.proposer,
        "base": tried.base,
        "parents": list(tried.parents),
        "tree": tried.tree,
        "knobs": dict(tried.knobs),
        "value": tried.value,
        "base_value": tried.base_value,
        "effect": None if effect is None else effect.mean,
        "effect_low": effect.low if effect is not None and known else None,
        "effect_high": effect.high if effect is not None and known else None,
        "pairs": [list(pair) for pair in tried.pairs],
        "seconds": tried.milliseconds / 1000,
    }


def _nothing(story: Story) -> str:
    if story.tried:
        return f"none of {counted(len(story.tried), 'experiment')} is like that"
    return f"nothing was tried yet: let a node run with `swarm {story.snapshot.start}`"


def _table(found: Sequence[Tried], story: Story, now_ms: int, width: int) -> Table:
    wide = width >= _WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, 2, 0, 0))
    for name in ("ago", "by"):
        table.add_column(name, no_wrap=True, justify="right" if name == "ago" else "left")
    table.add_column("outcome", no_wrap=True)
    if wide:
        table.add_column("family", no_wrap=True)
    table.add_column("change", no_wrap=True, justify="right")
    if wide:
        table.add_column(plain(story.snapshot.task.metric), no_wrap=True, justify="right")
    table.add_column("what was tried", overflow="fold")
    for each in found:
        cells = [
            Text(age((now_ms - each.finished_at_ms) / 1000), DIM),
            Text(by(each, story.snapshot.peer_id)),
            Text(each.outcome.replace("_", " "), _STYLES.get(each.outcome, "yellow")),
        ]
        cells += [Text(shortened(plain(each.family), 15), DIM)] if wide else []
        cells += [change(each, story.snapshot.task)]
        cells += [Text("—" if each.value is None else number(each.value))] if wide else []
        table.add_row(*cells, Text(plain(each.title), "" if each.won else DIM))
    return table


def by(tried: Tried, own: str | None) -> str:
    """Who tried it, in at most 14 characters."""
    if tried.author == own:
        return "this node"
    return shortened(plain(tried.nickname), 14) or short_id(tried.author)


def change(tried: Tried, task: TaskHeader) -> Text:
    """The mean difference, green where it is for the better, and how sure it is."""
    effect = tried.effect
    if effect is None:
        return Text("—", DIM)
    better = effect.mean < 0 if task.direction == "minimize" else effect.mean > 0
    text = Text(signed(effect.mean), ("green" if better else "red") if effect.mean else "")
    if effect.n > 2:
        text.append(f" ±{number((effect.high - effect.low) / 2)}", DIM)
    return text


def _map(found: Sequence[Tried], task: TaskHeader) -> Table:
    """Family by family, where something was gained and where nothing was."""
    families: dict[str, list[Tried]] = {}
    for each in found:
        families.setdefault(each.family, []).append(each)
    order = sorted(families.items(), key=lambda row: (-sum(e.won for e in row[1]), -len(row[1])))
    sign = 1 if task.direction == "minimize" else -1
    table = Table(box=None, pad_edge=False, header_style=DIM, padding=(0, 2, 0, 0))
    for name in ("family", "tried", "kept", "failed", "best change"):
        table.add_column(name, no_wrap=True, justify="left" if name == "family" else "right")
    for family, tried in order:
        effects = [each.effect.mean for each in tried if each.effect is not None]
        kept = sum(each.won for each in tried)
        table.add_row(
            Text(shortened(plain(family), 24)),
            f"{len(tried):,}",
            Text(f"{kept:,}", "bold green" if kept else DIM),
            Text(f"{sum(each.failed for each in tried):,}", DIM),
            signed(min(effects, key=lambda mean: sign * mean)) if effects else Text("—", DIM),
        )
    return table

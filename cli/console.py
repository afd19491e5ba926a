"""
The running node, told line by line to the person who started it.

Law: says what is tried and why, how far it is, what came out and whether it was
kept. Text from peers is shown as text, never as markup or escape sequences. What
is not a terminal gets each message on one line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from cli.hints import PUBLIC_TOPIC, command, spelled
from cli.output import counted, number, signed
from cli.text import plain, short_id
from swarm import events
from swarm.records import PROMISING
from swarm.statistics import LOOKS, Effect

WIDE_COLUMNS = 90
"""From this many columns on, a run has a bar and shows its loss; without, it fits 60."""

_DIM = "bright_black"
_PHASES = {"train": "training", "evaluate": "evaluating"}
_LABEL_WIDTH = 10


@dataclass(slots=True)
class _Shown:
    """What has been told of an experiment that is under way."""

    most_pairs: int = LOOKS[-1]
    fresh: bool = False
    changes: list[float] = field(default_factory=list[float])


class NodeConsole:
    """
    Prints events as they come; on a terminal with a live bar for each run.

    Use as a context manager around the node's life.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._bars: dict[tuple[int, str, int, str], TaskID] = {}
        self._shown: dict[int, _Shown] = {}
        self._metric = self._unit = ""
        self._experiments = self._wins = 0
        self._progress = Progress(
            *_columns(self._console.width),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._tell: dict[type[Any], Callable[[Any], None]] = {
            events.Started: self._begins,
            events.GoingOn: self._goes_on,
            events.Listening: self._listening,
            events.Watching: self._watching,
            events.NetworkTrouble: lambda e: self._line("network", spelled(e.message), "yellow"),
            events.ModelTrouble: lambda e: self._line("model", spelled(e.message), "yellow"),
            events.PeerConnected: lambda e: self._peer(e, "connected"),
            events.PeerDisconnected: lambda e: self._peer(e, "left"),
            events.Preparing: lambda e: self._line("prepare", e.message, _DIM),
            events.BaselineMeasured: self._baseline,
            events.ExperimentStarted: self._started,
            events.RunProgress: self._running,
            events.PairMeasured: self._pair,
            events.MeasuringAgain: self._measures_again,
            events.ExperimentFinished: self._finished,
            events.CheckStarted: self._check_started,
            events.CheckFinished: self._check_finished,
            events.WinAccepted: self._win,
            events.RecordRefused: lambda e: self._line("refused", e.reason, _DIM),
            events.ChampionChanged: lambda e: self._line(
                "champion", f"this node now builds on “{plain(e.title)}”", "cyan"
            ),
            events.Stopping: lambda e: self._line("stop", e.reason, _DIM),
        }

    def __enter__(self) -> NodeConsole:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def report(self, event: events.Event) -> None:
        """Show one event; quick, and safe to call from the node's own loop."""
        self._tell[type(event)](event)

    def goodbye(self) -> None:
        """What came of it all, once the node has ended well."""
        done = f"{counted(self._experiments, 'experiment')}, {counted(self._wins, 'win')}"
        self._line("end", spelled(f"{done} so far; see `swarm leaderboard`"))

    def _line(self, label: str, message: str, style: str = "") -> None:
        said = Text(plain(message), style)
        if not self._console.is_terminal:
            self._console.print(Text.assemble((f"{label:>{_LABEL_WIDTH}}  ", _DIM), said))
            return
        row = Table.grid(padding=(0, 2))
        row.add_column(width=_LABEL_WIDTH, justify="right", style=_DIM)
        row.add_column(overflow="fold")
        row.add_row(label, said)
        self._console.print(row, soft_wrap=False)

    def _begins(self, event: events.Started) -> None:
        self._metric, self._unit = plain(event.metric), plain(event.unit)
        aim = "lower" if event.direction == "minimize" else "higher"
        goal = "" if event.goal is None else f", goal {event.goal:g}"
        who = f"as “{plain(event.nickname)}”" if event.nickname else "without a nickname"
        does = counted(event.workers, "worker") if event.workers else "observing only"
        self._line(
            "task",
            f"{plain(event.task)}: {self._metric} in {self._unit}, {aim} is better{goal}; "
            f"kept is what gains {event.min_effect:g} or more",
            "bold",
        )
        where = "" if event.topic == PUBLIC_TOPIC else f", on topic {event.topic}"
        self._line("node", f"{does}, {who}{where}, home {event.home}")
        self._line("", f"Ctrl-C stops it; look from elsewhere: {command('leaderboard')}", _DIM)

    def _goes_on(self, event: events.GoingOn) -> None:
        self._experiments, self._wins = event.experiments, event.wins
        done = f"{counted(event.experiments, 'experiment')}, {counted(event.wins, 'win')}"
        base = "the baseline" if event.champion is None else f"“{plain(event.champion)}”"
        self._line("going on", f"{done} so far; builds on {base}", "cyan")

    def _listening(self, event: events.Listening) -> None:
        self._console.print(Text(f"listening on {event.multiaddr}"))

    def _watching(self, event: events.Watching) -> None:
        self._line("watch", event.url, "bold")
        if event.moved:
            self._line("", "another program has the usual port; --api HOST:PORT sets one", _DIM)

    def _peer(self, event: events.PeerConnected | events.PeerDisconnected, what: str) -> None:
        count = f"{event.peers} peer{'' if event.peers == 1 else 's'} now"
        self._line("network", f"peer …{short_id(event.peer)} {what}, {count}", _DIM)

    def _baseline(self, event: events.BaselineMeasured) -> None:
        self._drop_bars(0)
        value = f"{self._metric} {number(event.value)} {self._unit}"
        self._line("baseline", f"{value}, {event.cpu_seconds:.1f} CPU-seconds", "bold")

    def _started(self, event: events.ExperimentStarted) -> None:
        self._shown[event.number] = _Shown()
        title = plain(event.hypothesis.title)
        self._line(f"#{event.number}", f"trying “{title}” ({event.hypothesis.family})", "bold")
        self._line("", f"{event.why} {event.hypothesis.rationale}", _DIM)

    def _running(self, event: events.RunProgress) -> None:
        if self._progress.disable:
            return
        key = (event.number, event.arm, event.seed, event.phase)
        loss = "" if event.loss is None else f"loss {event.loss:.2f} nats"
        if key not in self._bars:
            self._drop_bars(event.number, event.arm)
            self._bars[key] = self._progress.add_task(
                self._run_name(event), total=event.budget_tokens or None, loss=loss
            )
        self._progress.update(self._bars[key], completed=event.tokens, loss=loss)

    def _run_name(self, event: events.RunProgress) -> str:
        phase = _PHASES.get(event.phase, event.phase)
        if event.number == 0:
            return f"baseline, {phase}"
        if event.number < 0:
            return f"check {event.arm}, {phase}"
        pairs = len(self._told(event.number).changes) + 1
        return f"#{event.number} pair {pairs} {event.arm}, {phase}"

    def _pair(self, event: events.PairMeasured) -> None:
        self._drop_bars(event.number)
        told = self._told(event.number)
        told.changes.append(event.candidate - event.base)
        which = "fresh pair" if told.fresh else "pair"
        of = f"of {'' if told.fresh else 'at most '}{told.most_pairs}"
        self._line(
            f"#{event.number}",
            f"{which} {event.pairs} {of}: {number(event.base)} → {number(event.candidate)} "
            f"({signed(told.changes[-1])})",
        )

    def _measures_again(self, event: events.MeasuringAgain) -> None:
        self._shown[event.number] = _Shown(event.pairs, fresh=True)
        self._line(
            f"#{event.number}", f"better; how much, up to {event.pairs} fresh seeds will tell", _DIM
        )

    def _finished(self, event: events.ExperimentFinished) -> None:
        self._drop_bars(event.number)
        told = self._told(event.number)
        del self._shown[event.number]
        kept = event.outcome == "win"
        self._experiments += 1
        self._wins += kept
        words = {"win": "KEPT", PROMISING: "PROMISING"}
        verdict = words.get(event.outcome, f"not kept ({event.outcome.replace('_', ' ')})")
        if event.effect is not None:
            verdict += f" {_interval(event.effect)}"
        elif told.changes:
            verdict += f" {signed(told.changes[0])} in one pair"
        reason = "" if kept or not event.reason else f": {event.reason}"
        self._line(
            f"#{event.number}",
            f"{verdict}{reason} [{event.seconds:.0f} s]",
            "bold green" if kept else "",
        )

    def _told(self, number: int) -> _Shown:
        return self._shown.setdefault(number, _Shown())

    def _check_started(self, event: events.CheckStarted) -> None:
        by = plain(event.nickname) or "a peer"
        self._line("check", f"measuring again “{plain(event.title)}” by {by}", "bold")
        self._line("", event.why, _DIM)

    def _check_finished(self, event: events.CheckFinished) -> None:
        self._drop_bars(event.number)
        seen = f"not measured: {event.reason}" if event.seen is None else _interval(event.seen)
        self._line(
            "check",
            f"“{plain(event.title)}”: said {signed(event.said)}, seen here {seen} "
            f"[{event.seconds:.0f} s]",
        )

    def _win(self, event: events.WinAccepted) -> None:
        who = "own win" if event.own else f"win by {event.nickname or 'a peer'}"
        self._line("board", f"{who}: “{plain(event.title)}” {short_id(event.record)}", "green")
        if event.more:
            self._line("", f"and {counted(event.more, 'more win')}", "green")

    def _drop_bars(self, number: int, arm: str | None = None) -> None:
        for key in [key for key in self._bars if key[0] == number and arm in (None, key[1])]:
            self._progress.remove_task(self._bars.pop(key))


def _columns(width: int) -> Iterator[ProgressColumn]:
    yield TextColumn("  {task.description:<32}")
    if width >= WIDE_COLUMNS:
        yield BarColumn(bar_width=20)
    yield TextColumn("{task.percentage:>3.0f} %")
    yield TimeRemainingColumn(compact=True)
    if width >= WIDE_COLUMNS:
        yield TextColumn("{task.fields[loss]}")


def _interval(effect: Effect) -> str:
    if effect.n < 3:
        return f"{signed(effect.mean)} in {effect.n} pairs"
    return f"{signed(effect.mean)}, 95 % interval {signed(effect.low)} to {signed(effect.high)}"

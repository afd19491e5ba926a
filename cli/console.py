"""
The running node, told line by line to the person who started it.

Law: says what is tried and why, how far it is, what came out and whether it was
kept. Text from peers is shown as text, never as markup or escape sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.text import plain
from swarm import events
from swarm.statistics import Effect

_DIM = "bright_black"


class NodeConsole:
    """
    Prints events as they come; on a terminal with a live bar for each run.

    Use as a context manager around the node's life.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._bars: dict[tuple[int, str, int], TaskID] = {}
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} tokens"),
            TextColumn("{task.fields[loss]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._tell: dict[type[Any], Callable[[Any], None]] = {
            events.Listening: self._listening,
            events.NetworkTrouble: lambda e: self._line("network", e.message, "yellow"),
            events.PeerConnected: lambda e: self._peer(e, "connected"),
            events.PeerDisconnected: lambda e: self._peer(e, "left"),
            events.Preparing: lambda e: self._line("prepare", e.message, _DIM),
            events.BaselineMeasured: self._baseline,
            events.ExperimentStarted: self._started,
            events.RunProgress: self._running,
            events.PairMeasured: self._pair,
            events.MeasuringAgain: lambda e: self._line(
                f"#{e.number}", f"better; how much, {e.pairs} fresh seeds will tell", _DIM
            ),
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

    def _line(self, label: str, message: str, style: str = "") -> None:
        self._console.print(Text.assemble((f"{label:>10}  ", _DIM), (plain(message), style)))

    def _listening(self, event: events.Listening) -> None:
        self._console.print(Text(f"listening on {event.multiaddr}"))

    def _peer(self, event: events.PeerConnected | events.PeerDisconnected, what: str) -> None:
        count = f"{event.peers} peer{'' if event.peers == 1 else 's'} now"
        self._line("network", f"peer …{event.peer[-6:]} {what}, {count}", _DIM)

    def _baseline(self, event: events.BaselineMeasured) -> None:
        self._drop_bars(0)
        self._line("baseline", f"{event.value:.4f}, {event.cpu_seconds:.1f} CPU-seconds", "bold")

    def _started(self, event: events.ExperimentStarted) -> None:
        title = plain(event.hypothesis.title)
        self._line(f"#{event.number}", f"trying “{title}” ({event.hypothesis.family})", "bold")
        self._line("", f"{event.why} {event.hypothesis.rationale}", _DIM)

    def _running(self, event: events.RunProgress) -> None:
        if self._progress.disable:
            return
        key = (event.number, event.arm, event.seed)
        loss = "" if event.loss is None else f"loss {event.loss:.3f}"
        if key not in self._bars:
            name = event.arm if event.number <= 0 else f"#{event.number} {event.arm}"
            self._bars[key] = self._progress.add_task(
                f"{name:<14}", total=event.budget_tokens, loss=loss
            )
        self._progress.update(self._bars[key], completed=event.tokens, loss=loss)
        if event.tokens >= event.budget_tokens:
            self._progress.remove_task(self._bars.pop(key))

    def _pair(self, event: events.PairMeasured) -> None:
        self._drop_bars(event.number)
        change = event.candidate - event.base
        self._line(
            f"#{event.number}",
            f"pair {event.pairs}: {event.base:.4f} → {event.candidate:.4f} ({change:+.4f})",
        )

    def _finished(self, event: events.ExperimentFinished) -> None:
        self._drop_bars(event.number)
        kept = event.outcome == "win"
        verdict = "KEPT" if kept else f"not kept ({event.outcome.replace('_', ' ')})"
        effect = "" if event.effect is None else f" {_interval(event.effect)}"
        reason = "" if kept or not event.reason else f": {event.reason}"
        self._line(
            f"#{event.number}",
            f"{verdict}{effect}{reason} [{event.seconds:.0f} s]",
            "bold green" if kept else "",
        )

    def _check_started(self, event: events.CheckStarted) -> None:
        by = plain(event.nickname) or "a peer"
        self._line("check", f"measuring again “{plain(event.title)}” by {by}", "bold")
        self._line("", event.why, _DIM)

    def _check_finished(self, event: events.CheckFinished) -> None:
        self._drop_bars(event.number)
        seen = f"not measured: {event.reason}" if event.seen is None else _interval(event.seen)
        self._line(
            "check",
            f"“{plain(event.title)}”: said {event.said:+.4f}, seen here {seen} "
            f"[{event.seconds:.0f} s]",
        )

    def _win(self, event: events.WinAccepted) -> None:
        who = "own win" if event.own else f"win by {event.nickname or 'a peer'}"
        self._line("board", f"{who}: “{plain(event.title)}” {event.record[-8:]}", "green")

    def _drop_bars(self, number: int) -> None:
        for key in [key for key in self._bars if key[0] == number]:
            self._progress.remove_task(self._bars.pop(key))


def _interval(effect: Effect) -> str:
    return f"{effect.mean:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}]"

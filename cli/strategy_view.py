"""How a strategy looks to people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.hints import spelled
from cli.output import DIM, console, counted, facts
from cli.text import plain
from experiments.outlook import FamilyOutlook, Outlook
from swarm.hardware import in_words
from swarm.hypothesis import Hypothesis
from swarm.priors import Prior

if TYPE_CHECKING:
    from cli.strategy import Strategy

HOW = (
    "Every idea belongs to a family. The next family is drawn by odds: what it gained here "
    "for each second of compute, what peers saw of it, at no more than the weight of this "
    "node's own experiments, and where machines like this one begin. One draw in twenty is "
    "blind, so that nothing is given up."
)
_BAR = 12
_SURE = 0.005


def show(found: Strategy) -> None:
    """Print it."""
    screen = console()
    screen.print(facts(_rows(found)))
    screen.print()
    screen.print(Text(HOW, DIM))
    screen.print()
    if not found.outlook:
        screen.print("Everything that may be tried here has been tried; wins of peers are awaited.")
        return
    screen.print(_table(found.outlook, found.prior, screen.width))
    screen.print()
    _show_next(screen, found.ideas)
    if not found.snapshot.running:
        words = f"no node runs here; start one with `swarm {found.snapshot.start}`"
        screen.print(f"\n{spelled(words)}", soft_wrap=True)


def _rows(found: Strategy) -> dict[str, str]:
    machine, own = found.machine, counted(len(found.own), "experiment")
    speed = "" if machine.gflops is None else f", {machine.gflops:,.0f} GFLOP/s"
    told = counted(found.peer_trials, "experiment")
    rows = {
        "machine": f"{plain(in_words(machine))}{speed}",
        "class": f"{found.hardware_class}. {found.prior.why}",
        "builds on": "the baseline" if found.champion is None else f"“{plain(found.champion)}”",
        "seen here": f"{own}, {counted(found.wins, 'win')}",
        "by peers": f"{told} of {counted(found.peers, 'peer')}" if found.peers else "nothing yet",
    }
    if found.llm:
        rows["llm"] = plain(found.llm)
    if found.snapshot.now:
        rows["now"] = "\n".join(plain(title) for title in found.snapshot.now)
    return rows


def _show_next(screen: Console, ideas: Sequence[tuple[Hypothesis, str]]) -> None:
    if not ideas:
        return
    screen.print(Text("If it had to choose now, it might try", "bold"))
    for number, (hypothesis, why) in enumerate(ideas, 1):
        title = f"{number}. {plain(hypothesis.title)}"
        screen.print(Text.assemble(title, (f"  {hypothesis.family}", DIM)))
        screen.print(Text(f"   {plain(why)}", DIM))


def _table(outlook: Outlook, prior: Prior, width: int) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=DIM)
    table.add_column("family", no_wrap=True)
    table.add_column("odds", justify="right", no_wrap=True)
    if width >= 100:
        table.add_column("", no_wrap=True)
    table.add_column("here", no_wrap=True)
    table.add_column("peers", no_wrap=True)
    table.add_column("why", overflow="fold")
    most = max(each.probability for each in outlook)
    for each in outlook:
        bar = [Text("█" * round(_BAR * each.probability / most), "green")] if width >= 100 else []
        table.add_row(*_cells(each, bar, prior))
    return table


def _cells(each: FamilyOutlook, bar: list[Text], prior: Prior) -> list[Text | str]:
    odds = "< 1 %" if each.probability < _SURE else f"{each.probability:.0%}".replace("%", " %")
    width = prior.width(each.family)
    sweep = f" Started {width} at once." if width > 1 else ""
    return [
        each.family,
        odds,
        *bar,
        _tally(each.trials, each.wins),
        _tally(each.peer_trials, each.peer_wins),
        Text(each.why + sweep, DIM),
    ]


def _tally(trials: int, wins: int) -> str:
    return f"{wins}/{trials}" if trials else "-"

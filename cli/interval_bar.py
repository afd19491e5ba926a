"""
Effects as bars, all on one scale: where the mean lies, how far the interval reaches,
and on which side of zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.text import Text

from cli.output import DIM
from swarm.leaderboard import Entry
from swarm.statistics import Direction

WIDTH = 21
_REACH = 2.5
"""So many times the largest effect is shown; one wide interval would hide all others."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From `low` to `high`, in the metric's unit; zero is on it."""

    low: float
    high: float
    direction: Direction

    @classmethod
    def of(cls, entries: Iterable[Entry], direction: Direction) -> Scale:
        """The scale on which all of these have room."""
        shown = list(entries)
        lows = [each.effect if each.effect_low is None else each.effect_low for each in shown]
        highs = [each.effect if each.effect_high is None else each.effect_high for each in shown]
        reach = _REACH * max((abs(each.effect) for each in shown), default=0.0)
        low, high = min([0.0, *lows]), max([0.0, *highs])
        return cls(max(low, -reach), min(high, reach), direction)

    def bar(self, entry: Entry, width: int = WIDTH) -> Text:
        """One row of `width` characters; green or red where the interval leaves no doubt."""
        cells = [" "] * width
        low, high = entry.effect_low, entry.effect_high
        if low is not None and high is not None:
            first, last = self._at(low, width), self._at(high, width)
            cells[first : last + 1] = "━" * (last + 1 - first)
        zero = self._at(0.0, width)
        cells[zero] = "┿" if cells[zero] == "━" else "│"
        cells[self._at(entry.effect, width)] = "●"
        text = Text("".join(cells), self._style(entry))
        if cells[zero] == "│":
            text.stylize(DIM, zero, zero + 1)
        return text

    def _at(self, value: float, width: int) -> int:
        span = (self.high - self.low) or 1.0
        share = (min(max(value, self.low), self.high) - self.low) / span
        return round(share * (width - 1))

    def _style(self, entry: Entry) -> str:
        low, high = entry.effect_low, entry.effect_high
        if entry.state not in ("claimed", "replicated") or low is None or high is None:
            return DIM
        better, worse = (high < 0, low > 0) if self.direction == "minimize" else (low > 0, high < 0)
        return "green" if better else "red" if worse else ""

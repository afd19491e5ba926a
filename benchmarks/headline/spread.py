"""
How fast the first big win of a swarm is passed on.

A node has it once its champion is built of it, and is past it once its champion is as good:
whoever adopts what is better still never needs the first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from swarm.board import Claim
from swarm.lineage import ancestors
from swarm.records import RecordId, Win, from_nano

MANY = 2 / 3
"""The share of nodes whose time is told: 23 of 35, as in the night that Hyperspace tells of."""

Champions = Sequence[tuple[float, RecordId]]
"""What a node built on, and from which minute; a minute is the time of a whole run."""


@dataclass(frozen=True, slots=True)
class Spread:
    """
    Where the win went that any node built on first.

    Attributes:
        nodes_with: Nodes that built on it at some time.
        nodes_past: Nodes whose champion came to be as good, through it or without it.
        minutes_past: From when its finder built on it until `MANY` nodes were past it; None:
            they never were so many.
    """

    title: str
    nodes_with: int
    nodes_past: int
    minutes_past: float | None


def spread_of(wins: Mapping[RecordId, Claim], nodes: Sequence[Champions]) -> Spread | None:
    """How the first win went through the nodes of a task whose metric is minimised."""
    start, first = min((each[0] for each in nodes if each), default=(0.0, ""))
    if first not in wins:
        return None
    level = value_of(wins[first])

    def has(record: RecordId) -> bool:
        return record == first or first in ancestors(record, wins)

    having = [_since(each, has) for each in nodes]
    past = sorted(_since(each, lambda record: value_of(wins[record]) <= level) for each in nodes)
    late = past[math.ceil(MANY * len(nodes)) - 1] - start
    return Spread(
        wins[first].title,
        sum(map(math.isfinite, having)),
        sum(map(math.isfinite, past)),
        late if math.isfinite(late) else None,
    )


def value_of(win: Claim | Win) -> float:
    """What its finder measured, in the mean."""
    return fmean(from_nano(pair[2]) for pair in win.pairs)


def _since(champions: Champions, holds: Callable[[RecordId], bool]) -> float:
    """From which minute on; infinite where never."""
    return next((minute for minute, record in champions if holds(record)), math.inf)

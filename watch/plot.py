"""
The progress picture as numbers: every experiment a dot, the best so far a staircase.

Law: the same records give the same picture. Only wins that nobody has refuted and
that can be rebuilt make a step; where each drawing library begins, this ends.

Source: the progress plot of Karpathy's autoresearch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from swarm.findings import State
from swarm.records import RecordId
from swarm.task import Metric
from watch.tried import Tried

BELIEVED: frozenset[State] = frozenset({"claimed", "replicated"})
_BELOW, _ABOVE = 0.10, 0.30
"""Room that is left beyond the best and beyond the baseline, as shares of what lies between."""

COLOURS = {
    "learning_rate": "#1f77b4",
    "schedule": "#17a2b8",
    "batch": "#6f42c1",
    "optimizer": "#d62728",
    "init": "#2ca02c",
    "norm": "#c08a00",
    "activation": "#d6569f",
    "position": "#8c564b",
    "attention": "#e8710a",
    "width_depth": "#4b5bd6",
    "regularisation": "#7f8f00",
    "simplify": "#20a07a",
    "fold": "#51607a",
    "code": "#b0007a",
}
OTHER_COLOUR = "#7f8790"
"""Of a family that a peer made up."""


@dataclass(frozen=True, slots=True)
class Dot:
    """An experiment that was measured: the how-manieth it was, and what came out."""

    number: int
    value: float
    tried: Tried
    state: State | None
    """Of a win; None for what was not kept."""


@dataclass(frozen=True, slots=True)
class Picture:
    """
    Everything that is drawn.

    Attributes:
        metric: What is measured, and which way is better.
        baseline: Median of the baseline over all experiments on it; None before the first.
        dots: In the order they were finished.
        failed: Numbers of those that ended without a value.
        steps: The dots that were better than all before; each a new best.
        bottom, top: The range of values that tells the story; dots may lie beyond.
    """

    metric: Metric
    baseline: float | None
    dots: tuple[Dot, ...]
    failed: tuple[int, ...]
    steps: tuple[Dot, ...]
    bottom: float
    top: float

    @property
    def experiments(self) -> int:
        """How many there are, measured or not."""
        return len(self.dots) + len(self.failed)

    @property
    def wins(self) -> tuple[Dot, ...]:
        """The dots that were kept."""
        return tuple(dot for dot in self.dots if dot.state is not None)

    @property
    def families(self) -> tuple[str, ...]:
        """The families seen, most tried first."""
        seen: dict[str, int] = {}
        for dot in self.dots:
            seen[dot.tried.family] = seen.get(dot.tried.family, 0) + 1
        return tuple(sorted(seen, key=lambda family: (-seen[family], family)))

    def line(self) -> tuple[list[float], list[float]]:
        """The corners of the best line, from the baseline to the last experiment."""
        xs: list[float] = []
        ys: list[float] = []
        level = self.baseline
        for step in self.steps:
            if level is not None:
                xs.append(step.number if xs else 0)
                ys.append(level)
                if xs[-1] != step.number:
                    xs.append(step.number)
                    ys.append(level)
            xs.append(step.number)
            ys.append(level := step.value)
        if level is not None:
            xs += [] if xs else [0]
            ys += [] if ys else [level]
            xs.append(self.experiments + 0.5)
            ys.append(level)
        return xs, ys


def picture(tried: Sequence[Tried], states: Mapping[RecordId, State], metric: Metric) -> Picture:
    """
    The picture of experiments in the order they were finished.

    Args:
        tried: Oldest first, as `watch.tried.in_order` gives them.
        states: Of every win.
    """
    dots: list[Dot] = []
    failed: list[int] = []
    for number, each in enumerate(tried, 1):
        state = states.get(each.record) if each.won and each.record is not None else None
        if each.value is None:
            failed.append(number)
        else:
            dots.append(Dot(number, each.value, each, state))
    baseline = _baseline(tried)
    steps = _steps(dots, baseline, metric)
    return Picture(
        metric,
        baseline,
        tuple(dots),
        tuple(failed),
        tuple(steps),
        *_range([dot.value for dot in dots], [step.value for step in steps], baseline, metric),
    )


def colour(family: str) -> str:
    """The colour of a family, as `#rrggbb`."""
    return COLOURS.get(family, OTHER_COLOUR)


def _baseline(tried: Iterable[Tried]) -> float | None:
    values = [
        each.base_value for each in tried if each.base is None and each.base_value is not None
    ]
    return median(values) if values else None


def _steps(dots: Iterable[Dot], baseline: float | None, metric: Metric) -> list[Dot]:
    steps: list[Dot] = []
    best = baseline
    for dot in dots:
        if dot.state in BELIEVED and (best is None or _better(dot.value, best, metric)):
            steps.append(dot)
            best = dot.value
    return steps


def _better(value: float, than: float, metric: Metric) -> bool:
    return value < than if metric.direction == "minimize" else value > than


def _range(
    values: Sequence[float], steps: Sequence[float], baseline: float | None, metric: Metric
) -> tuple[float, float]:
    """From a little beyond the best to a little beyond the baseline."""
    if not values:
        return 0.0, 1.0
    told = [*steps, *([baseline] if baseline is not None else []), median(values)]
    low, high = min(told), max(told)
    span = (high - low) or max(max(values) - min(values), abs(high) * 0.01, 1e-9)
    if metric.direction == "minimize":
        return low - _BELOW * span, high + _ABOVE * span
    return low - _ABOVE * span, high + _BELOW * span

"""
The progress picture as a PNG.

Law: text from peers is drawn as plain text, never as formulas. Drawing touches no
screen and no state shared with other pictures.
"""

from __future__ import annotations

import io
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from swarm.visible_text import plain, shortened
from watch.plot import BELIEVED, Dot, Picture, colour

Axes: TypeAlias = Any
"""`matplotlib.axes.Axes`; no keyword of that library has a type."""

DPI = 160
WIDTH_INCHES, HEIGHT_INCHES = 13.0, 7.0
LABELS_AT_MOST = 28
_TITLE_LENGTH = 44
_SLOPE_DEGREES = 30
_POINTS = 8.5
_ROOMY = 400
"""Experiments that have room for large dots."""
_INK, _QUIET, _GRID, _PAPER = "#1f2933", "#6b7680", "#e6e9ec", "#ffffff"


def png(picture: Picture, title: str) -> bytes:
    """
    The picture as the bytes of a PNG file.

    Args:
        title: What the task is called.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    figure: Any = Figure(figsize=(WIDTH_INCHES, HEIGHT_INCHES), dpi=DPI, facecolor=_PAPER)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.07, 0.1, 0.76, 0.78))
    _frame(axes, picture, title)
    _dots(axes, picture)
    _line(axes, picture)
    _legend(axes, picture)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box.
        warnings.filterwarnings("ignore", message="Glyph")
        canvas.draw()
        _labels(axes, picture)
        figure.savefig(file, format="png", metadata={"Software": "research-swarm"})
    return file.getvalue()


def _frame(axes: Axes, picture: Picture, title: str) -> None:
    metric = picture.metric
    aim = "lower" if metric.direction == "minimize" else "higher"
    axes.set_xlim(0, max(picture.experiments * 1.06, 4))
    axes.set_ylim(picture.bottom, picture.top)
    axes.set_xlabel("experiment", color=_QUIET)
    unit = f" in {metric.unit}" if metric.unit else ""
    axes.set_ylabel(plain(f"{metric.name}{unit}, {aim} is better"), color=_QUIET, parse_math=False)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_QUIET, length=0)
    axes.xaxis.get_major_locator().set_params(integer=True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    heading = {"transform": axes.transAxes, "parse_math": False, "va": "bottom"}
    axes.text(
        0, 1.065, shortened(plain(title), 70), fontsize=15, weight="bold", color=_INK, **heading
    )
    axes.text(0, 1.022, plain(_summary(picture)), fontsize=10.5, color=_QUIET, **heading)
    if metric.goal is not None and picture.bottom < metric.goal < picture.top:
        axes.axhline(metric.goal, color=_QUIET, linewidth=1, linestyle=(0, (1, 3)))
        axes.annotate(
            f"goal {metric.goal:g}",
            (1, metric.goal),
            xycoords=axes.get_yaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=_POINTS,
            color=_QUIET,
        )


def _summary(picture: Picture) -> str:
    words = f"{picture.experiments:,} experiments, {len(picture.wins):,} kept"
    if picture.baseline is not None and picture.steps:
        words += f", {picture.metric.name} {picture.baseline:.4g} → {picture.steps[-1].value:.4g}"
    return words


def _dots(axes: Axes, picture: Picture) -> None:
    size = _dot_size(picture)
    tried = [dot for dot in picture.dots if dot.state is None]
    kept = [dot for dot in picture.dots if dot.state in BELIEVED]
    doubtful = [dot for dot in picture.dots if dot.state not in (None, *BELIEVED)]
    _scatter(axes, _inside(tried, picture), s=26 * size, alpha=0.45, linewidths=0, zorder=2)
    _scatter(axes, _inside(doubtful, picture), s=44 * size, marker="x", linewidths=1.4, zorder=3)
    _scatter(
        axes,
        _inside(kept, picture),
        s=62 * size,
        edgecolors=_PAPER,
        linewidths=1.2 * size,
        zorder=5,
    )
    replicated = [dot for dot in kept if dot.state == "replicated"]
    xs, ys = _places(replicated)
    axes.scatter(
        xs,
        ys,
        s=150 * size,
        facecolors="none",
        edgecolors=_INK,
        linewidths=1.3,
        zorder=4,
        clip_on=False,
    )
    beyond = [dot for dot in tried if not picture.bottom <= dot.value <= picture.top]
    for above, marker in ((True, "^"), (False, "v")):
        side = [dot for dot in beyond if (dot.value > picture.top) == above]
        edge = picture.top if above else picture.bottom
        axes.scatter(
            [dot.number for dot in side],
            [edge] * len(side),
            c=[colour(dot.tried.family) for dot in side],
            s=18 * size,
            marker=marker,
            alpha=0.5,
            linewidths=0,
            clip_on=False,
        )
    worse = picture.top if picture.metric.direction == "minimize" else picture.bottom
    axes.scatter(
        picture.failed,
        [worse] * len(picture.failed),
        s=22 * size,
        marker="x",
        color=_QUIET,
        linewidths=1,
        clip_on=False,
    )


def _dot_size(picture: Picture) -> float:
    """Of a dot's area, so much is left where there are many."""
    return min(1.0, max(0.15, _ROOMY / max(picture.experiments, 1)))


def _scatter(axes: Axes, dots: Sequence[Dot], **style: Any) -> None:
    xs, ys = _places(dots)
    axes.scatter(xs, ys, c=[colour(dot.tried.family) for dot in dots], **style)


def _places(dots: Sequence[Dot]) -> tuple[list[int], list[float]]:
    return [dot.number for dot in dots], [dot.value for dot in dots]


def _inside(dots: Sequence[Dot], picture: Picture) -> list[Dot]:
    return [dot for dot in dots if picture.bottom <= dot.value <= picture.top]


def _line(axes: Axes, picture: Picture) -> None:
    xs, ys = picture.line()
    axes.plot(xs, ys, color=_INK, linewidth=1.8, alpha=0.85, zorder=3, solid_joinstyle="miter")


def _legend(axes: Axes, picture: Picture) -> None:
    from matplotlib.lines import Line2D

    def mark(label: str, marker: str, tint: str, size: float, **style: Any) -> Line2D:
        return Line2D(
            [], [], linestyle="", marker=marker, color=tint, markersize=size, label=label, **style
        )

    rows = [Line2D([], [], color=_INK, linewidth=1.8, label="best so far")]
    if any(dot.state == "replicated" for dot in picture.dots):
        ring = {"markerfacecolor": "none", "markeredgewidth": 1.3}
        rows.append(mark("replicated by others", "o", _INK, 10, **ring))
    if any(dot.state not in (None, *BELIEVED) for dot in picture.dots):
        rows.append(mark("refuted or broken", "x", _QUIET, 6))
    if picture.failed:
        rows.append(mark("stopped early or failed", "x", _QUIET, 5))
    if any(not picture.bottom <= dot.value <= picture.top for dot in picture.dots):
        rows.append(mark("far off", "^", _QUIET, 5))
    rows += [
        mark(plain(family).replace("_", " "), "o", colour(family), 7)
        for family in picture.families[:16]
    ]
    legend = axes.legend(
        handles=rows,
        loc="upper left",
        bbox_to_anchor=(1.035, 1.02),
        frameon=False,
        fontsize=9.5,
        labelcolor=_INK,
        labelspacing=0.75,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _labels(axes: Axes, picture: Picture) -> None:
    """Titles beside the steps, in parallel, as many as stay readable; the largest gains first."""
    sign = 1 if picture.metric.direction == "minimize" else -1
    for dot, title in _readable(axes, picture, sign):
        axes.annotate(
            title,
            (dot.number, dot.value),
            xytext=(5, 6 * sign),
            textcoords="offset points",
            rotation=_SLOPE_DEGREES * sign,
            rotation_mode="anchor",
            va="center",
            fontsize=_POINTS,
            color=colour(dot.tried.family),
            parse_math=False,
            annotation_clip=False,
            path_effects=[withStroke(linewidth=2.5, foreground=_PAPER)],
            zorder=6,
        )


def _readable(axes: Axes, picture: Picture, sign: int) -> Iterator[tuple[Dot, str]]:
    """The steps whose label crosses no other, with their titles."""
    slope = math.radians(_SLOPE_DEGREES * sign)
    line_pixels = 1.35 * _POINTS * DPI / 72
    letter_pixels = 0.62 * _POINTS * DPI / 72
    placed: list[tuple[float, float, float]] = []
    for dot in _by_gain(picture):
        title = shortened(plain(dot.tried.title), _TITLE_LENGTH)
        x, y = axes.transData.transform((dot.number, dot.value))
        along = x * math.cos(slope) + y * math.sin(slope)
        across = y * math.cos(slope) - x * math.sin(slope)
        end = along + letter_pixels * len(title)
        free = all(
            abs(across - other) > line_pixels or end < start or along > stop
            for start, stop, other in placed
        )
        if free and len(placed) < LABELS_AT_MOST:
            placed.append((along, end, across))
            yield dot, title


def _by_gain(picture: Picture) -> list[Dot]:
    levels = [picture.baseline, *(step.value for step in picture.steps)]
    gains = {
        step.number: math.inf if level is None else abs(step.value - level)
        for step, level in zip(picture.steps, levels, strict=False)
    }
    return sorted(picture.steps, key=lambda step: -gains[step.number])

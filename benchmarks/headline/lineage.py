"""
A swarm's wins as a picture: who built on whom, and how low each came.

Every dot is a win, at the time of its record and at what its finder measured, in the colour
of its finder; a line leads to the win it was built on, a dashed one to what was folded in.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from swarm.board import Claim
from swarm.records import PeerId, RecordId, from_nano


def draw(wins: Mapping[RecordId, Claim], path: Path) -> None:
    """Write the picture, as PNG."""
    figure: Any = Figure(figsize=(8, 4.5), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    start = min((win.created_at_ms for win in wins.values()), default=0)
    at = {
        record: ((win.created_at_ms - start) / 60_000, _value(win)) for record, win in wins.items()
    }
    colours = _colours(wins)
    for record, win in wins.items():
        for other, style in [(win.base, "-"), *((parent, "--") for parent in win.parents)]:
            if other in at:
                x, y = zip(at[other], at[record], strict=True)
                axes.plot(x, y, style, color="#868e96", linewidth=0.9, zorder=1)
        axes.plot(*at[record], "o", color=colours[win.author], markersize=7, zorder=2)
    axes.set_xlabel("minutes since the first win")
    axes.set_ylabel("bits per byte, as its finder measured it")
    axes.set_title(f"{len(wins)} wins of {len(colours)} nodes, and what each was built on")
    axes.grid(alpha=0.25)
    figure.tight_layout()
    figure.savefig(path)


def _value(win: Claim) -> float:
    return fmean(from_nano(tried) for _, _, tried in win.pairs)


def _colours(wins: Mapping[RecordId, Claim]) -> Mapping[PeerId, Any]:
    """A colour for each finder."""
    authors = sorted({win.author for win in wins.values()})
    return {author: colormaps["tab20"](number % 20) for number, author in enumerate(authors)}

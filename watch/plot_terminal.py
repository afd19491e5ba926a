"""
The progress picture in a terminal, drawn with characters.

Law: no text from a peer goes to the plotting library, which passes everything on
as it is; titles are for `swarm leaderboard`.
"""

from __future__ import annotations

from uniplot import plot_to_string  # pyright: ignore[reportUnknownVariableType]

from watch.plot import Picture

_LEAST_WIDTH, _LEAST_HEIGHT = 20, 6
_AXIS_COLUMNS, _AXIS_LINES = 14, 4
_SERIES = (("tried", "blue"), ("best so far", "yellow"), ("kept", "green"))


def drawn(picture: Picture, columns: int, lines: int, *, coloured: bool) -> str:
    """
    The picture as lines of text.

    Args:
        columns, lines: The room there is, axes and legend included.
        coloured: With escape sequences for colour.
    """
    shown = [dot for dot in picture.dots if picture.bottom <= dot.value <= picture.top]
    line_x, line_y = picture.line()
    tried = [(dot.number, dot.value) for dot in shown if dot.state is None]
    kept = [(dot.number, dot.value) for dot in shown if dot.state is not None]
    series = [
        ([x for x, _ in tried], [y for _, y in tried]),
        (line_x, line_y),
        ([x for x, _ in kept], [y for _, y in kept]),
    ]
    present = [index for index, (xs, _) in enumerate(series) if xs]
    if not present:
        return "nothing was measured yet"
    return plot_to_string(
        ys=[series[index][1] for index in present],
        xs=[series[index][0] for index in present],
        lines=[series[index][0] is line_x for index in present],
        color=[_SERIES[index][1] for index in present] if coloured else False,
        legend_labels=[_SERIES[index][0] for index in present] if coloured else None,
        character_set="braille",
        rounded_corners=True,
        width=max(columns - _AXIS_COLUMNS, _LEAST_WIDTH),
        height=max(lines - _AXIS_LINES, _LEAST_HEIGHT),
        x_min=0,
        x_max=picture.experiments + 1,
        y_min=picture.bottom,
        y_max=picture.top,
        x_gridlines=[],
        y_gridlines=[],
    )

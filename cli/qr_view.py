"""A QR code drawn in a terminal, two modules to a letter, dark on light whatever the theme."""

from __future__ import annotations

from rich.text import Text

from cli.output import console, warn
from swarm.qr import QrError, qr_code

_BORDER = 4
_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}


def draw(text: str) -> None:
    """Print the code of a text; where it is too wide for the terminal, say so instead."""
    try:
        grid = qr_code(text)
    except QrError as error:
        warn(f"no QR code: {error}")
        return
    screen = console()
    side = len(grid) + 2 * _BORDER
    if screen.is_terminal and screen.width < side:
        warn(f"no QR code: it needs {side} columns, and this terminal has {screen.width}")
        return
    bare = [False] * side
    rows = [bare] * _BORDER
    rows += [[False] * _BORDER + row + [False] * _BORDER for row in grid]
    rows += [bare] * (_BORDER + side % 2)
    for upper, lower in zip(rows[::2], rows[1::2], strict=True):
        line = "".join(_HALVES[pair] for pair in zip(upper, lower, strict=True))
        screen.print(Text(line, "black on white"), soft_wrap=True)

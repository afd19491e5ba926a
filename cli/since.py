"""How far back to look, as people type it."""

import re

from cli.failures import CommandError

_SPAN = re.compile(r"(\d{1,6}(?:\.\d{1,3})?) *(s|sec|m|min|h|d|w)")
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span_ms(text: str) -> int:
    """
    A time span in milliseconds: `8h`, `45min`, `2d`, `1.5 h`.

    Raises:
        CommandError: It is none, or nothing long.
    """
    found = _SPAN.fullmatch(text.strip().lower())
    span = round(float(found[1]) * _SECONDS[found[2]] * 1000) if found else 0
    if span <= 0:
        raise CommandError(f"{text!r} is no time span: write 8h, 45min or 2d")
    return span

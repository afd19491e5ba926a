"""
How the reading commands speak: JSON for programs, a few quiet lines for people.

Law: with `--json`, stdout carries one document and nothing else; warnings go to
stderr.
"""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

DIM = "bright_black"


def console() -> Console:
    """The screen, without guessing at numbers or markup in what is printed."""
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=False)


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=True, allow_nan=False, indent=2) + "\n")


def warn(message: str) -> None:
    """Say something on stderr that does not stop the command."""
    print(f"warning: {message}", file=sys.stderr)


def facts(rows: Mapping[str, Text | str]) -> Table:
    """Names on the left, values on the right."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return table


def iso_time(milliseconds: int) -> str:
    """ISO 8601 in UTC, to the millisecond, of Unix epoch milliseconds."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number(value: float) -> str:
    """A measured value: four decimals, or four digits where those would hide it."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.4g}"


def signed(value: float) -> str:
    """A difference of measured values, always with its sign."""
    return f"{'+' if value >= 0 else ''}{number(value)}"


def age(seconds: float) -> str:
    """A duration in its largest whole unit: 42 s, 5 min, 3 h, 2 d."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def counted(count: int, word: str) -> str:
    """A count and its noun: 1 peer, 2 peers."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def size(count: float) -> str:
    """Bytes for people, in powers of 1024: 3.2 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"

"""Rows of a journal, for tests that look at the file and not at records."""

import random
from pathlib import Path

from gossip.journal import Journal, Stored


def item(number: int, kind: str = "win", size: int = 900) -> Stored:
    """A record-shaped row; `number` alone decides every byte."""
    rng = random.Random(number)
    return Stored(
        f"b{number:058d}", kind, "12D3KooW", 1_700_000_000_000 + number, rng.randbytes(size)
    )


def filled(path: Path, count: int) -> list[Stored]:
    """A closed journal at `path` with `count` rows; the rows."""
    items = [item(number) for number in range(count)]
    with Journal.open(path) as journal:
        journal.append(items)
    return items

"""
What stopping at other margins would have saved and lost in searches of `benchmarks.bench_headline`.

Their runs are kept whole, in the order in which they were asked for. Each run of a recipe that
was new then is held against the best run that was finished by then, a round of all nodes
earlier, and stopped by the rule of `swarm.stopping`. What is saved is a share of the tokens of
all runs. An improvement is a run that ended below all that were finished before it; of those
that are lost, the most is said that one was better by, as a share.

Usage: python -m benchmarks.headline.margins HOME…; writes `results/margins.json`. Each HOME
holds one search: `python -m benchmarks.bench_headline HOME 333 35 1 16384 swarm` makes one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.bench_headline import BUDGET_TOKENS, FRESH_SEEDS, NODES
from benchmarks.headline.training import ROWS
from benchmarks.result import Figure, write_result
from swarm.stopping import Curve, raised, stopped_at

MARGINS = (0.2, 0.15, 0.1, 0.07, 0.05)
Row: TypeAlias = Mapping[str, Any]


def main(homes: Sequence[Path]) -> None:
    """Replay each search at each margin."""
    searches = [_search(home) for home in homes]
    figures: dict[str, Figure] = {
        "budget_tokens": BUDGET_TOKENS,
        "searches": len(searches),
        "by_margin": {str(each): [dict(_at(rows, each)) for rows in searches] for each in MARGINS},
    }
    write_result("margins", figures, command="python -m benchmarks.headline.margins HOME…")


def _search(home: Path) -> list[Row]:
    """The runs of a search itself, in their order."""
    rows = [json.loads(line) for line in (home / ROWS).read_text().splitlines()]
    return [row for row in rows if row["split"] == "val" and row["seed"] < FRESH_SEEDS[0]]


def _at(rows: Sequence[Row], margin: float) -> Mapping[str, Figure]:
    saved, stopped, improvements = 0, 0, 0
    lost = list[float]()
    for row, best in _new_ones(rows):
        end = stopped_at(row["curve"], raised(_curve(best), margin), BUDGET_TOKENS)
        better = 1 - row["value_nano"] / best["value_nano"]
        improvements += better > 0
        if end is not None:
            stopped, saved = stopped + 1, saved + BUDGET_TOKENS - end
            lost += [better] if better > 0 else []
    return {
        "runs": len(rows),
        "stopped": stopped,
        "saved": round(saved / (BUDGET_TOKENS * len(rows)), 3),
        "improvements": improvements,
        "improvements_lost": len(lost),
        "most_lost": round(max(lost, default=0.0), 3),
    }


def _new_ones(rows: Sequence[Row]) -> Iterator[tuple[Row, Row]]:
    """Each completed run of a recipe that was new, and the best that was finished by then."""
    seen = set[str]()
    for at, row in enumerate(rows):
        key = json.dumps(row["settings"], sort_keys=True)
        done = [each for each in rows[: max(0, at - NODES)] if each["status"] == "completed"]
        if key not in seen and done and row["status"] == "completed":
            yield row, min(done, key=lambda each: each["value_nano"])
        seen.add(key)


def _curve(row: Row) -> Curve:
    return tuple((tokens, loss) for tokens, loss in row["curve"])


if __name__ == "__main__":
    main([Path(each) for each in sys.argv[1:]])

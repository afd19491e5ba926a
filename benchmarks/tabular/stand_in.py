"""
Training that is not done: its results are guessed from a table of real runs.

A search over it takes seconds instead of an hour, so its strategy can be tuned; whatever
is claimed is measured on real runs. A run's noise depends on its settings and its seed,
and as in real runs a part of it is the seed's alone.

`benchmarks.bench_headline` keeps all that it runs in HOME/rows.jsonl; `ROWS` is made of it.
"""

from __future__ import annotations

import gzip
import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.headline.training import TASK, Trainer
from benchmarks.tabular.surface import Surface
from experiments.run import Exam, RunRequest, RunResult, RunStatus, Score
from experiments.task_folder import load_task
from swarm.settings_block import Scalar
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of

WORST = 8.0
"""Bits per byte: knowing nothing. Runs that fail in the table count as this."""

FLOOR = 2.3
"""
Bits per byte: no settings give less within this budget. The logarithm of how far a run is
above it is what is guessed: of a fifth of the table kept aside, good runs (below 3.5) are then
half as far off as where the value itself is guessed, which goes on down far below all runs.
"""

MOST_ROWS = 900

ROWS = Path(__file__).parent / "rows.jsonl.gz"
"""What `benchmarks.headline.training` has written down of real runs, all of it at once."""


class StandIn(Trainer):
    """
    Answers as `Training` does, at once.

    Args:
        rows: Of the table, as `Training` writes them.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.loaded = load_task(TASK)
        usual = settings_of(self.loaded.task.baseline)
        kept = {json.dumps(row["settings"], sort_keys=True): row for row in rows if _counts(row)}
        self._rows = list(kept.values())[-MOST_ROWS:]
        self._settings = [{**usual, **row["settings"]} for row in self._rows]
        values = [math.log(_value(row) - FLOOR) for row in self._rows]
        self._surface = Surface(self.loaded.task.knobs, self._settings, values)
        self._guessed = lru_cache(maxsize=None)(self._guess)

    def __len__(self) -> int:
        """How many real runs it is made from."""
        return len(self._rows)

    def true_value(self, tree: Tree) -> float:
        """The metric of a tree without noise."""
        return self._guessed(tuple(sorted(settings_of(tree).items())))[0]

    def run(self, request: RunRequest) -> RunResult:
        """A guess at the result of a request."""
        settings = settings_of(request.tree)
        middle, curve = self._guessed(tuple(sorted(settings.items())))
        value = middle + self._noise(request.tree_hash, request.seed)
        nano = round(value * 1e9)
        scores = tuple(Score(exam, nano, ((1, nano),)) for exam in request.exams)
        return RunResult(
            RunStatus.COMPLETED,
            nano,
            ((1, nano),),
            4000,
            4000,
            1 << 28,
            0,
            "none",
            "",
            scores=scores,
            curve=tuple((tokens, loss * value / middle) for tokens, loss in curve),
        )

    def value(self, tree: Tree, seed: int, exam: Exam) -> float:
        """The metric of a tree, whatever the text."""
        result = self.run(RunRequest(tree, tree_hash(tree), seed, code=False, exams=(exam,)))
        assert result.value_nano is not None
        return result.value_nano / 1e9

    def _noise(self, tree: str, seed: int) -> float:
        """Differences of two trees on one seed have the task's sigma."""
        own = random.Random(f"{tree} {seed}").gauss(0, 0.5**0.5)
        return self.loaded.task.sigma * (own + random.Random(f"{seed}").gauss(0, 0.5))

    def _guess(
        self, items: tuple[tuple[str, Scalar], ...]
    ) -> tuple[float, Sequence[tuple[int, float]]]:
        """The value to be expected, and a loss curve like that of the nearest real run."""
        settings = dict(items)
        value = min(FLOOR + math.exp(self._surface.value(settings)), WORST)
        nearest = min(
            (index for index, row in enumerate(self._rows) if len(row["curve"]) > 1),
            key=lambda index: _distance(self._settings[index], settings),
        )
        share = value / _value(self._rows[nearest])
        return value, [(tokens, loss * share) for tokens, loss in self._rows[nearest]["curve"]]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a compressed file, one JSON object a line."""
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def _counts(row: Mapping[str, Any]) -> bool:
    return row["split"] == "val" and row["status"] != "stopped"


def _value(row: Mapping[str, Any]) -> float:
    return WORST if row["value_nano"] is None else min(row["value_nano"] / 1e9, WORST)


def _distance(left: Mapping[str, Scalar], right: Mapping[str, Scalar]) -> int:
    return sum(left[name] != value for name, value in right.items())

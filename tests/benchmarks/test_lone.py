"""Searches on many machines at once, over a small stand-in for training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from benchmarks.headline.lone import Tries, optuna_tpe, plain_loop
from benchmarks.headline.training import Tokens
from benchmarks.tabular.stand_in import ROWS, StandIn, read_rows
from experiments.run import RunRequest, RunResult
from swarm.turning import settings_of, turned

WORKERS, ROUNDS = 5, 4


class Watched(StandIn):
    """Keeps what was asked and what came of it."""

    def __init__(self, worth: int = 1) -> None:
        self._worth = worth
        self.seen: list[tuple[dict[str, object], int]] = []
        super().__init__(read_rows(ROWS)[:40])

    def run(self, request: RunRequest) -> RunResult:
        result = super().run(request)
        assert result.value_nano is not None
        value = self._worth * result.value_nano
        self.seen.append((dict(settings_of(request.tree)), value))
        return replace(result, value_nano=value)


@pytest.fixture
def watched() -> Watched:
    torch.set_num_threads(1)
    return Watched()


def test_a_round_is_asked_before_any_of_it_is_known(watched: Watched) -> None:
    """Every idea of a round turns one knob of what was best when the round began."""
    runs = 1 + WORKERS * ROUNDS
    found = plain_loop(watched, Tokens(runs * watched.budget_tokens), 1, WORKERS)
    assert found.experiments == len(watched.seen) == runs
    for start in range(1, runs, WORKERS):
        best, _ = min(watched.seen[:start], key=lambda each: each[1])
        for settings, _ in watched.seen[start : start + WORKERS]:
            assert sum(settings[name] != value for name, value in best.items()) == 1
    assert found.said == min(value for _, value in watched.seen) / 1e9


def test_what_optuna_suggests_does_not_depend_on_what_still_runs() -> None:
    """Where good is bad, another trial is suggested only once a worker's first has run."""
    workers = 20
    asked: list[list[dict[str, object]]] = []
    for worth in (1, -1):
        watched = Watched(worth)
        optuna_tpe(watched, Tokens(40 * watched.budget_tokens), 1, workers)
        asked.append([settings for settings, _ in watched.seen])
    assert asked[0][:workers] == asked[1][:workers]
    assert asked[0][workers:] != asked[1][workers:]


def test_what_was_tried_before_is_counted(watched: Watched) -> None:
    baseline, ten = watched.loaded.task.baseline, Tokens(10 * watched.budget_tokens)
    tries = Tries(watched, ten)
    for seed, changes in enumerate(({}, {"WIDTH": 16}, {}, {})):
        tries.run(turned(baseline, changes), seed)
    assert (tries.found.experiments, tries.found.repeated) == (4, 2), "on whatever seed"

"""
The arms of `benchmarks.bench_headline` over a stand-in for training: minutes, not hours.

The stand-in is made from the real runs in `benchmarks/tabular/rows.jsonl.gz`. It is there
to tune the search and to see what the number of nodes does at one budget of tokens;
what it says of an arm is a guess, and is claimed nowhere. `true` is the stand-in's value
without noise of what an arm calls best, over repetitions; `low` and `high` its 95 %
t-interval.

Usage: python -m benchmarks.bench_tabular [EXPERIMENTS REPETITIONS]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import torch

from benchmarks.headline.lone import Found, optuna_tpe, plain_loop, random_search
from benchmarks.headline.nodes import swarm
from benchmarks.headline.training import Tokens
from benchmarks.result import Figure, write_result
from benchmarks.tabular.stand_in import ROWS, StandIn, read_rows
from swarm.statistics import paired_effect

EXPERIMENTS, REPETITIONS = 333, 3
NODES = (3, 12, 35)

Arm = Callable[[StandIn, Tokens, int], Found]


def main(experiments: int, repetitions: int) -> None:
    """Run every arm and write the figures."""
    torch.set_num_threads(1)
    stand_in = StandIn(read_rows(ROWS))
    found = {
        name: measured(stand_in, arm, experiments, repetitions) for name, arm in arms().items()
    }
    write_result(
        "tabular",
        {
            "experiments_budget": experiments,
            "repetitions": repetitions,
            "rows": len(stand_in),
            "note": "over a stand-in made from real runs: guesses, for tuning",
            "arms": found,
        },
    )


def arms() -> dict[str, Arm]:
    """Every way to spend the budget, by name."""
    swarms = {f"swarm_{nodes}": partial(_swarm, nodes=nodes) for nodes in NODES}
    return {
        "plain_loop": plain_loop,
        "optuna_35": partial(_optuna, workers=35),
        "random": random_search,
        **swarms,
    }


def measured(stand_in: StandIn, arm: Arm, experiments: int, repetitions: int) -> Figure:
    """What an arm finds, over repetitions."""
    values: list[float] = []
    for seed in range(repetitions):
        tokens = Tokens(experiments * stand_in.budget_tokens)
        values.append(stand_in.true_value(arm(stand_in, tokens, seed).best))
        print(f"{values[-1]:.3f}", end=" ", file=sys.stderr, flush=True)
    effect = paired_effect(values)
    return {
        "true_mean": round(effect.mean, 3),
        "true_low": round(effect.low, 3),
        "true_high": round(effect.high, 3),
    }


def _swarm(stand_in: StandIn, tokens: Tokens, seed: int, *, nodes: int) -> Found:
    return swarm(stand_in, tokens, seed, nodes, gossip=True).found


def _optuna(stand_in: StandIn, tokens: Tokens, seed: int, *, workers: int) -> Found:
    return optuna_tpe(stand_in, tokens, seed, workers)


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*(given or (EXPERIMENTS, REPETITIONS)))

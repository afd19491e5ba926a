"""
What a swarm makes of a budget of training tokens, beside other ways to spend it.

Real training of the task `quick`. Every arm may train on as many tokens as so many plain
experiments, and pays for all it runs: baselines, extra seeds, folds, replications, runs
that fail or are stopped.

    swarm        NODES nodes of one lab that hear each other, in virtual time
    no_gossip    the same nodes, none of which hears another; the best of them
    uniform      the swarm, all nodes of one kind: the same priors everywhere
    plain_loop   one change at a time, one run each, kept if strictly lower
    parallel_loop  the same on as many machines as there are nodes, all from one best
    optuna       Optuna's TPE, with as many workers as there are nodes
    optuna_alone  the same with one worker, which knows all that came before
    random       every knob drawn anew each time

Afterwards the best tree of each arm is trained again on seeds that nobody has seen, and
scored on the validation text and on the holdout, which no arm was shown. `false_wins`
counts steps on its way that are no step down on those seeds.

A swarm's best is what was proven; `front_holdout_mean` is that of the best that any of its
nodes had measured by then, which is what the other arms call their best.

`parallel_efficiency` is the tokens that the plain loop needed to get as low as the swarm
said it got, over those the swarm had needed by then; null where the loop never got there.

Usage: python -m benchmarks.bench_headline [HOME [EXPERIMENTS NODES [REPETITIONS [TOKENS [ARM…]]]]]
A run trains on TOKENS. HOME, one for each number of them, keeps all runs, so a benchmark
that was stopped goes on where it was; what came of an arm is kept in
`results/headline.jsonl`, one line each. Who built on whom in the swarm's first repetition is
drawn in `results/lineage.png`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, TypeAlias

from benchmarks.headline.lineage import draw
from benchmarks.headline.lone import Found, optuna_tpe, plain_loop, random_search
from benchmarks.headline.nodes import CLASSES, Ended, swarm
from benchmarks.headline.training import Tokens, Training
from benchmarks.result import RESULTS, write_result
from experiments.run import HOLDOUT, VALIDATION, Exam
from swarm.statistics import paired_effect
from swarm.tree import Tree

EXPERIMENTS = 333
NODES = 35
REPETITIONS = 3
BUDGET_TOKENS = 16_384
RAW = RESULTS / "headline.jsonl"
Row: TypeAlias = dict[str, Any]
FRESH_SEEDS = range(900_000, 900_006)
"""Seeds of the last measurement, which no search has used."""
STEP_SEEDS = FRESH_SEEDS[:3]
KEYS = ("repetition", "experiments_budget", "nodes", "budget_tokens")
ARMS = (
    "swarm",
    "no_gossip",
    "uniform",
    "plain_loop",
    "parallel_loop",
    "optuna",
    "optuna_alone",
    "random",
)
LONE = ("plain_loop", "optuna_alone", "random")
"""Arms to which the number of nodes is all one."""


def main(
    home: Path, experiments: int, nodes: int, repetitions: int, tokens: int, arms: Sequence[str]
) -> None:
    """Run the arms that are missing, and write the figures."""
    size = {"experiments_budget": experiments, "nodes": nodes, "budget_tokens": tokens}
    done = read_rows(size)
    wanted = [(seed, arm) for seed in range(repetitions) for arm in arms]
    with Training(home, tokens) as training, RAW.open("a") as raw:
        for seed, name in wanted:
            if any((row["repetition"], row["arm"]) == (seed, name) for row in done):
                continue
            started = time.monotonic()
            row: Row = {"arm": name, **size, "repetition": seed}
            row |= run_arm(training, name, experiments, nodes, seed)
            done.append(row)
            raw.write(json.dumps(row) + "\n")
            raw.flush()
            minutes = (time.monotonic() - started) / 60
            said = f"{name} {seed}: {row['holdout_mean']} after {minutes:.1f} min"
            print(said, file=sys.stderr, flush=True)
    write_result("headline", size | figures(read_rows(size)))


def read_rows(size: Row) -> list[Row]:
    """What was measured so far with this budget; a lone arm's nodes do not matter."""
    lines = RAW.read_text().splitlines() if RAW.exists() else []
    rows: list[Row] = [json.loads(line) for line in lines]
    return [
        row
        for row in rows
        if all(
            row[key] == value or (key == "nodes" and row["arm"] in LONE)
            for key, value in size.items()
        )
    ]


def run_arm(training: Training, name: str, experiments: int, nodes: int, seed: int) -> Row:
    """Search, then measure what was found."""
    tokens = Tokens(experiments * training.budget_tokens)
    groups: dict[str, Callable[[], Ended]] = {
        "swarm": lambda: swarm(training, tokens, seed, nodes, gossip=True),
        "no_gossip": lambda: swarm(training, tokens, seed, nodes, gossip=False),
        "uniform": lambda: swarm(training, tokens, seed, nodes, gossip=True, classes=CLASSES[:1]),
    }
    lone: dict[str, Callable[[], Found]] = {
        "plain_loop": lambda: plain_loop(training, tokens, seed),
        "parallel_loop": lambda: plain_loop(training, tokens, seed, nodes),
        "optuna": lambda: optuna_tpe(training, tokens, seed, nodes),
        "optuna_alone": lambda: optuna_tpe(training, tokens, seed, workers=1),
        "random": lambda: random_search(training, tokens, seed),
    }
    if name in lone:
        alone = lone[name]()
        repeated = {"duplicates": round(alone.repeated / max(1, alone.experiments), 4)}
        return measured(training, alone) | spent(tokens) | repeated
    ended = groups[name]()
    if (name, seed) == ("swarm", 0):
        draw(ended.board.wins, RESULTS / "lineage.png")
    front = paired_effect(values(training, ended.front, FRESH_SEEDS, HOLDOUT))
    row = measured(training, ended.found) | spent(tokens) | of_a_group(ended)
    return row | {"front_holdout_mean": round(front.mean, 4)}


def measured(training: Training, found: Found) -> Row:
    """The best tree on fresh seeds, and how many steps on the way to it were none."""
    validation = values(training, found.best, FRESH_SEEDS, VALIDATION)
    holdout = paired_effect(values(training, found.best, FRESH_SEEDS, HOLDOUT))
    steps = [fmean(values(training, tree, STEP_SEEDS, VALIDATION)) for tree in found.kept]
    false = sum(after >= before for before, after in pairwise(steps))
    return {
        "val_mean": round(fmean(validation), 4),
        "holdout_mean": round(holdout.mean, 4),
        "holdout_seed_low": round(holdout.low, 4),
        "holdout_seed_high": round(holdout.high, 4),
        "said": round(found.said, 4),
        "experiments": found.experiments,
        "steps": len(steps) - 1,
        "false_wins": false,
        "reached": [[tokens, round(value, 4)] for tokens, value in found.reached],
    }


def values(training: Training, tree: Tree, seeds: Sequence[int], exam: Exam) -> list[float]:
    """The metric on each seed; a run that fails counts as knowing nothing, 8 bits a byte."""
    found = (training.value(tree, seed, exam) for seed in seeds)
    return [8.0 if value is None else value for value in found]


def spent(tokens: Tokens) -> Row:
    """Where the tokens went."""
    return {
        "tokens": tokens.spent,
        "tokens_baseline": tokens.baseline,
        "tokens_replication": tokens.checks,
        "tokens_again": tokens.again,
        "tokens_saved": tokens.saved,
    }


def of_a_group(ended: Ended) -> Row:
    """What only several nodes have."""
    spread = ended.spread
    shared = Counter(record for each in ended.lineages for record in each)
    return {
        "wins": len(ended.board.wins),
        "duplicates": round(ended.repeated.rate, 4),
        "refolds": ended.repeated.refolds,
        "made_by": ended.made_by,
        "first_big_win": spread.title if spread else None,
        "nodes_with_first_big_win": spread.nodes_with if spread else 0,
        "nodes_past_first_big_win": spread.nodes_past if spread else 0,
        "minutes_until_two_thirds_were": spread.minutes_past if spread else None,
        "nodes_with_most_shared_win": max(shared.values(), default=0),
        "nodes_with_a_win": sum(bool(each) for each in ended.lineages),
    }


def figures(done: Sequence[Row]) -> Row:
    """All arms side by side, over repetitions."""
    by_arm = {name: [row for row in done if row["arm"] == name] for name in ARMS}
    efficient = [
        efficiency(loop, each)
        for loop, each in zip(by_arm["plain_loop"], by_arm["swarm"], strict=False)
    ]
    reached = [each for each in efficient if each is not None]
    return {
        "repetitions": {name: len(rows) for name, rows in by_arm.items() if rows},
        "fresh_seeds": len(FRESH_SEEDS),
        "note": "intervals are over repetitions: null with one; means of the rest",
        "arms": {name: of_an_arm(rows) for name, rows in by_arm.items() if rows},
        "parallel_efficiency": round(fmean(reached), 3) if reached else None,
        "parallel_efficiency_each": efficient,
        "nodes_with_first_big_win": [row["nodes_with_first_big_win"] for row in by_arm["swarm"]],
        "nodes_past_first_big_win": [row["nodes_past_first_big_win"] for row in by_arm["swarm"]],
    }


def of_an_arm(rows: Sequence[Row]) -> Row:
    """Means over repetitions, and the interval of the holdout's."""
    held = [row["holdout_mean"] for row in rows]
    effect = paired_effect(held) if len(held) > 1 else None
    numbers = [
        key
        for key in rows[0]
        if key not in KEYS and all(type(row.get(key)) in (int, float) for row in rows)
    ]
    return {
        **{key: round(fmean(row[key] for row in rows), 4) for key in numbers},
        "holdout_each": held,
        "holdout_low": None if effect is None else round(effect.low, 4),
        "holdout_high": None if effect is None else round(effect.high, 4),
    }


def efficiency(loop: Row, group: Row) -> float | None:
    """The loop's tokens over the group's, to the level that the group said it reached last."""
    level = min((value for _, value in group["reached"]), default=None)
    if level is None:
        return 0.0
    needed = next((tokens for tokens, value in loop["reached"] if value <= level), None)
    took = next(tokens for tokens, value in group["reached"] if value <= level)
    return None if needed is None else round(needed / took, 3)


if __name__ == "__main__":
    _, *given = sys.argv
    place = Path(given[0]) if given else Path(tempfile.mkdtemp(prefix="headline-"))
    size = (int(given[1]), int(given[2])) if len(given) > 2 else (EXPERIMENTS, NODES)
    more = [int(each) for each in given[3:5]]
    repetitions, budget = [*more, *(REPETITIONS, BUDGET_TOKENS)[len(more) :]]
    main(place, *size, repetitions, budget, given[5:] or ARMS)

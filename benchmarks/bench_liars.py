"""
What a third of a swarm can do by lying.

35 nodes in virtual time, 11 of them liars under one will (`benchmarks/liars/`): the honest
ones are real in all but machine, disk and wire, and nobody in the swarm knows the truth.
Each run has a world of its own; afterwards what is believed is held against the truth.
The same worlds without the liars say what the lies cost.

`adopted_fabrications` counts made-up wins that an honest node's win names as its base or
among its parents, and `adopted_for_nothing` those of them that did not even gain anything
where they were adopted. `replicated_fabrications` is the shared board, where every name is
one voice and names cost nothing: the liars confirm each other there as often as they like.
`replicated_for_a_node` is the same from the viewpoint that guides each honest node, over
all nodes and runs.

What came of each world is kept in `results/liars.jsonl`, so that a run that was stopped goes
on where it was. `python -m benchmarks.bench_liars 2` does two runs, without writing figures.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev

from benchmarks.bench_false_wins import share
from benchmarks.liars.swarm import Outcome, Size, simulate
from benchmarks.liars.world import World, simulated_task
from benchmarks.result import RESULTS, Figure, write_result

RUNS = 20
NODES = 35
LIARS = 11
MINUTES = 60.0
RAW = RESULTS / "liars.jsonl"
"""What came of each world, one a line."""


def main(runs: int) -> None:
    """Simulate what is missing; write the figures of a full run."""
    done = read_worlds()
    missing = [seed for seed in range(runs) if seed not in done]
    with ProcessPoolExecutor(os.cpu_count()) as pool, RAW.open("a") as raw:
        for under_way in as_completed([pool.submit(one_world, seed) for seed in missing]):
            found = under_way.result()
            done[found.seed] = found
            raw.write(json.dumps(asdict(found)) + "\n")
            raw.flush()
            print(f"{len(done)} of {runs}: {found.told()}", file=sys.stderr, flush=True)
    found = figures([done[seed] for seed in range(runs)])
    if runs >= RUNS:
        write_result("liars", found)
    else:
        print(found)


@dataclass(frozen=True, slots=True)
class Both:
    """One world, with liars and without."""

    seed: int
    lying: Outcome
    honest: Outcome

    def told(self) -> str:
        """In a line."""
        return (
            f"{self.lying.fabrications} fabrications, {self.lying.adopted} adopted,"
            f" true gain {self.lying.progress:.3f} beside {self.honest.progress:.3f} without liars"
        )


def read_worlds(path: Path = RAW) -> dict[int, Both]:
    """The worlds simulated so far, by seed; remove the file to start afresh."""
    lines = path.read_text().splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return {
        row["seed"]: Both(row["seed"], Outcome(**row["lying"]), Outcome(**row["honest"]))
        for row in rows
    }


def one_world(seed: int) -> Both:
    """What comes of one world with liars, and without."""
    world = World.of(simulated_task(), seed)
    liars, none = Size(NODES - LIARS, LIARS, MINUTES), Size(NODES - LIARS, 0, MINUTES)
    return Both(seed, simulate(world, liars), simulate(world, none))


def figures(worlds: Sequence[Both]) -> dict[str, Figure]:
    """All figures; runs with liars beside the same worlds without."""
    lying, honest = [each.lying for each in worlds], [each.honest for each in worlds]
    fabrications, adopted = _sum(lying, "fabrications"), _sum(lying, "adopted")
    spent, own = _sum(lying, "liars_minutes"), _sum(lying, "own_minutes")
    return {
        "runs": len(lying),
        "nodes": NODES,
        "liars": LIARS,
        "simulated_minutes": MINUTES,
        "lies": _sum(lying, "lies"),
        "fabrications": fabrications,
        "adopted_fabrications": adopted,
        "adopted_fabrications_high": share(int(adopted), max(int(fabrications), 1))["high"],
        "adopted_for_nothing": _sum(lying, "adopted_unearned"),
        "replicated_fabrications": _sum(lying, "board_replicated"),
        "replicated_for_a_node": _sum(lying, "mine_replicated"),
        "true_gains_refuted_on_the_board": _sum(lying, "board_refuted_true"),
        "true_gains_refuted_for_a_node": _sum(lying, "mine_refuted_true"),
        "bylines_taken": _sum(lying, "bylines_taken"),
        "liars_trusted_share": round(
            _sum(lying, "liars_known") / (len(lying) * LIARS * (NODES - LIARS)), 4
        ),
        "refused_at_the_door": _sum(lying, "refused"),
        "honest_wins": _sum(lying, "honest_wins"),
        "honest_wins_without_gain": _sum(lying, "honest_nulls"),
        "compute_spent_on_lies": round(spent / (spent + own), 4),
        "true_gain": _with_error([each.progress for each in lying]),
        "true_gain_without_liars": _with_error([each.progress for each in honest]),
        "throughput_lost": _lost(lying, honest, "progress"),
        "experiments_lost": _lost(lying, honest, "experiments"),
        "best_lost": _lost(lying, honest, "best"),
        "without_liars": {
            "honest_wins": _sum(honest, "honest_wins"),
            "honest_wins_without_gain": _sum(honest, "honest_nulls"),
            "true_gains_refuted_on_the_board": _sum(honest, "board_refuted_true"),
        },
    }


def _sum(outcomes: Sequence[Outcome], name: str) -> float:
    return round(sum(each.document()[name] for each in outcomes), 1)


def _lost(lying: Sequence[Outcome], honest: Sequence[Outcome], name: str) -> Figure:
    """The share lost, world by world; a world in which there was nothing to lose is left out."""
    worlds = [
        (one.document()[name], other.document()[name])
        for one, other in zip(lying, honest, strict=True)
    ]
    return _with_error([1 - one / other for one, other in worlds if other] or [0.0])


def _with_error(values: Sequence[float]) -> Figure:
    error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"mean": round(fmean(values), 4), "standard_error": round(error, 4)}


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS)

"""
What early stopping saves, and what it loses.

Real experiments are recorded once, without stopping: on two bases of the task quick,
its baseline and a modern recipe, turns of single knobs are drawn as a node draws them
and measured pair by pair until the rule of the task decides. Every run's training
losses are kept in `results/early_stop_runs.jsonl`. Then the same experiments are
replayed from the record with and without stopping: the tokens that candidates trained
on, and which experiments end as wins. Losers that finish anyway, one in ten, are
counted as such. What is saved of all depends on how many win: here a third do, as they
do at the start of a search; so what is saved of the losers alone is said too.

The runs are remembered in HOME, the one argument; without it the committed record is
replayed.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

from benchmarks.bench_noise import BASES
from benchmarks.result import RESULTS, Figure, write_result
from experiments.proposers import Champion, Situation
from experiments.proposers.knobs import KnobProposer
from experiments.run_cache import RunCache
from experiments.runner import Runner, RunRequest, RunResult, RunStatus, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import load_task
from swarm.diff import apply_diff
from swarm.hypothesis import Hypothesis
from swarm.statistics import Decision, Rule, decide
from swarm.stopping import (
    FAR_MARGIN,
    FINISH_ANYWAY,
    MARGIN,
    margin_between,
    raised,
    stopped_at,
)
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.turning import turned

TASK = "quick"
EACH: Mapping[str, int] = {"naive": 20, "modern": 20}
"""Experiments on each base."""
RUNS = RESULTS / "early_stop_runs.jsonl"
MARGINS = (0.0, 0.0025, 0.005, 0.01, 0.02, 0.05)
REPLAYS = 2000
"""Draws of who finishes anyway."""
LEAST_SAVED = 0.3
"""Of what losing experiments cost; winning ones run to their end anyway."""


@dataclass(frozen=True, slots=True)
class Run:
    """
    One pair of an experiment.

    Attributes:
        base: Name of the base, and `title` what was turned on it.
        compared: Whether its losses mean the same as the base's, and a small margin says enough.
        candidate: The candidate's value, None where it has none.
        curve, base_curve: Tokens and training losses of both arms.
    """

    base: str
    title: str
    compared: bool
    seed: int
    base_value: float
    candidate: float | None
    curve: tuple[tuple[int, float], ...]
    base_curve: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one experiment came to, and the tokens its candidate was trained on."""

    won: bool
    tokens: int


async def record(home: Path) -> list[Run]:
    """Run all experiments to their end, and give what every pair measured."""
    loaded = load_task(TASK)
    found: list[Run] = []
    async with open_runner(
        loaded,
        cache=home / "cache",
        scratch=home / "scratch",
        runs=RunCache(home / "runs.sqlite"),
        workers=1,
        sandbox=best_sandbox(),
        niceness=0,
    ) as runner:
        for name, settings in BASES.items():
            base = turned(loaded.task.baseline, settings)
            await runner.calibrate(_request(loaded.task.baseline, 0))
            for idea in ideas(loaded.task, base, EACH[name]):
                found += await _experiment(runner, loaded.task, name, base, idea)
                print(f"{name}: {idea.title}: {len(found)} runs in all", file=sys.stderr)
    return found


def ideas(task: Task, base: Tree, count: int) -> list[Hypothesis]:
    """Turns of single knobs, drawn as a node draws them that knows nothing yet."""
    tried: set[str] = set()
    draw = random.Random(1)
    place = Situation(
        task, Champion(None, base, None), (), False, lambda _, tree: tree in tried, draw.random
    )
    proposer, drawn = KnobProposer(), list[Hypothesis]()
    while len(drawn) < count:
        idea = proposer.propose(place, draw.choice(sorted(proposer.families(place))))
        assert idea is not None
        tried.add(idea.tree)
        drawn.append(idea)
    return drawn


async def _experiment(
    runner: Runner, task: Task, name: str, base: Tree, idea: Hypothesis
) -> list[Run]:
    candidate = apply_diff(base, idea.diff, task.editable)
    compared = margin_between(base, candidate, task) == MARGIN
    runs: list[Run] = []
    for seed in range(Rule.of(task).looks[-1]):
        first = await runner.run(_request(base, seed))
        second = await runner.run(_request(candidate, seed))
        assert first.status is RunStatus.COMPLETED, first.log_tail
        value = _value(first)
        assert value is not None
        row = (name, idea.title, compared, seed, value, _value(second))
        runs.append(Run(*row, second.curve, first.curve))
        if second.value_nano is None or _decided(task, runs) is not Decision.CONTINUE:
            break
    return runs


def _request(tree: Tree, seed: int) -> RunRequest:
    return RunRequest(tree, tree_hash(tree), seed, code=False)


def _value(result: RunResult) -> float | None:
    return None if result.value_nano is None else result.value_nano / 1e9


def _decided(task: Task, runs: Sequence[Run]) -> Decision:
    differences = [run.candidate - run.base_value for run in runs if run.candidate is not None]
    return decide(differences, Rule.of(task), task.metric.direction)


def write_runs(runs: Sequence[Run], path: Path = RUNS) -> None:
    """One line of JSON per run; losses to four digits."""
    lines: list[str] = []
    for run in runs:
        row = asdict(run)
        for name in ("curve", "base_curve"):
            row[name] = [[tokens, round(loss, 4)] for tokens, loss in row[name]]
        lines.append(json.dumps(row))
    path.write_text("\n".join(lines) + "\n")


def read_runs(path: Path = RUNS) -> list[Run]:
    """The runs on record."""
    runs: list[Run] = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        for name in ("curve", "base_curve"):
            row[name] = tuple((tokens, loss) for tokens, loss in row[name])
        runs.append(Run(**row))
    return runs


def experiments_of(runs: Sequence[Run]) -> dict[tuple[str, str], list[Run]]:
    """The runs by base and title, in the order in which they were made."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault((run.base, run.title), []).append(run)
    return found


def replay(task: Task, runs: Sequence[Run], margin: float | None) -> Outcome:
    """An experiment as it goes when runs that are behind by `margin` stop; None: none does."""
    budget = task.budget.tokens
    assert budget is not None
    tokens = 0
    for run in runs:
        against = run.base_curve if run.compared else raised(run.base_curve, FAR_MARGIN)
        stops = None if margin is None else stopped_at(run.curve, against, budget, margin)
        if stops is not None:
            return Outcome(False, tokens + stops)
        tokens += run.curve[-1][0] if run.candidate is None and run.curve else budget
    finished = runs[-1].candidate is not None
    return Outcome(finished and _decided(task, runs) is Decision.WIN, tokens)


def summary(task: Task, experiments: Sequence[Sequence[Run]], margin: float) -> dict[str, Figure]:
    """What stopping at a margin saves of the candidates' tokens, and which wins it loses."""
    full = [replay(task, runs, None) for runs in experiments]
    short = [replay(task, runs, margin) for runs in experiments]
    stopped = [was for was, now in zip(full, short, strict=True) if was.tokens > now.tokens]
    spent, left = (sum(each.tokens for each in found) for found in (full, short))
    saved = (1 - FINISH_ANYWAY) * (1 - left / spent)
    losers = [(was, now) for was, now in zip(full, short, strict=True) if not was.won]
    lost = sum(was.tokens for was, _ in losers)
    of_losers = (1 - FINISH_ANYWAY) * (1 - sum(now.tokens for _, now in losers) / lost)
    return {
        "saved": round(saved, 4),
        "saved_of_losers": round(of_losers, 4),
        "stopped": len(stopped),
        "wins": sum(each.won for each in full),
        "wins_lost": sum(was.won and not now.won for was, now in zip(full, short, strict=True)),
    }


def same_end(task: Task, experiments: Mapping[tuple[str, str], Sequence[Run]]) -> float:
    """Share of draws of who finishes anyway in which both arms keep the same best change."""
    draw = random.Random(2)
    won = {
        (key, margin): replay(task, runs, margin).won
        for key, runs in experiments.items()
        for margin in (None, MARGIN)
    }
    same = 0
    for _ in range(REPLAYS):
        ends: list[list[str | None]] = [[], []]
        for base in BASES:
            best: list[tuple[float, str] | None] = [None, None]
            for (name, title), runs in experiments.items():
                if name != base:
                    continue
                margin = None if draw.random() < FINISH_ANYWAY else MARGIN
                for arm, at in enumerate((None, margin)):
                    if won[(name, title), at]:
                        gained = (_effect(runs), title)
                        best[arm] = min(gained, best[arm] or gained)
            for arm in (0, 1):
                found = best[arm]
                ends[arm].append(found[1] if found else None)
        same += ends[0] == ends[1]
    return same / REPLAYS


def _effect(runs: Sequence[Run]) -> float:
    return sum((run.candidate or 0.0) - run.base_value for run in runs) / len(runs)


def main() -> int:
    """Record where a home is given, replay, write the figures; 1 where too little is saved."""
    if len(sys.argv) > 1:
        write_runs(trio.run(record, Path(sys.argv[1])))
    task = load_task(TASK).task
    experiments = experiments_of(read_runs())
    everything = list(experiments.values())
    chosen = summary(task, everything, MARGIN)
    figures: dict[str, Figure] = {
        "experiments": len(everything),
        "runs": sum(map(len, everything)),
        "compared": sum(runs[0].compared for runs in everything),
        "margin": MARGIN,
        **chosen,
        "same_best_change": same_end(task, experiments),
        "by_base": {
            base: summary(
                task, [runs for (name, _), runs in experiments.items() if name == base], MARGIN
            )
            for base in BASES
        },
        "by_margin": {str(margin): summary(task, everything, margin) for margin in MARGINS},
    }
    write_result("early_stop", figures)
    saved = chosen["saved_of_losers"]
    return 0 if isinstance(saved, float) and saved >= LEAST_SAVED else 1


if __name__ == "__main__":
    sys.exit(main())

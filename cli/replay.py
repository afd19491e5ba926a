"""
`swarm replay`: run a win again here, and hold what is seen against what was said.

Seeds and text are drawn at random now, so that nothing in the win can have been
made for them. Every run is new: no result that a node remembers is used, and
nothing is published.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from cli.choice import choose
from cli.failures import CommandError
from cli.output import DIM, console, facts, print_json
from cli.snapshot import loaded_task, take_snapshot
from cli.text import plain
from experiments.furnishing import known_seats
from experiments.measure import differences
from experiments.replicate import Replicated, replicate
from experiments.run import RunRequest, RunResult
from experiments.run_cache import RunCache
from experiments.runner import open_runner
from experiments.sandbox import best_sandbox
from experiments.seats import Seats
from experiments.task_folder import LoadedTask
from gossip.home import Home
from gossip.journal import Journal
from gossip.wins import JournalWins
from swarm.challenge import Challenge, select
from swarm.grade import grade
from swarm.ladder import ladder_round, step_nano
from swarm.lineage import Incomplete, InvalidWin, resolve_tree
from swarm.records import Pair, RecordId, Replication, Win, from_nano
from swarm.remeasure import MEANINGS, SIMPLER_MEANINGS, Outcome, compare
from swarm.settings import NodeSettings
from swarm.simplicity import allowed_loss, is_simplification
from swarm.statistics import Effect, paired_effect
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.verdict import Yardstick


@dataclass(frozen=True, slots=True)
class Replayed:
    """A win, what was measured of it now, and what that makes of its word."""

    id: RecordId
    win: Win
    found: Replicated
    outcome: Outcome


def replay(root: Path, part: str, *, seeds: int, as_json: bool) -> int:
    """
    Run the win whose id starts or ends with `part`, or the one that such a replication is of.

    Args:
        seeds: How many pairs to run, two or more.

    Returns:
        The exit status: 0 where the win is confirmed, else 1.

    Raises:
        CommandError: There is no such win, or its tree cannot be rebuilt.
        JournalError, TaskError, RunnerError: What a person must see to.
    """
    snapshot = take_snapshot(root)
    loaded = loaded_task(snapshot.task)
    with Journal.open(snapshot.journal, read_only=True) as journal:
        record = _win_id(journal, choose(journal, part))
        wins = JournalWins(journal)
        base, tree = _trees(record, wins, loaded.task)
        win = wins[record]
    drawn = select(secrets.token_bytes(64), loaded.task, seeds)
    found = trio.run(partial(_measure, snapshot.home, loaded, base, tree, drawn, not as_json))
    replayed = Replayed(record, win, found, _outcome(win, found, loaded.task))
    if as_json:
        print_json(document(replayed, loaded.task))
    else:
        _print(replayed, loaded.task)
    return 0 if replayed.outcome == "confirmed" else 1


def document(replayed: Replayed, task: Task) -> dict[str, object]:
    """The replay as `--json` shows it; what is not known is null."""
    win, found = replayed.win, replayed.found
    return {
        "record": replayed.id,
        "title": win.title,
        "author": win.author,
        "nickname": win.nickname,
        "outcome": replayed.outcome,
        "meaning": _meaning(replayed, task),
        "said": _numbers(win.pairs),
        "seen": _numbers(found.challenge_pairs),
        "seen_on_validation": _numbers(found.pairs),
        "pairs": [
            {"seed": seed, "base": from_nano(base), "candidate": from_nano(candidate)}
            for seed, base, candidate in found.challenge_pairs
        ],
        "holdout": _holdout(found, task),
        "isolation": found.isolation,
        "reason": found.reason,
    }


def _win_id(journal: Journal, record: RecordId) -> RecordId:
    found = journal.read(journal.get_many([record])[0])
    if isinstance(found, Replication):
        if not journal.has(found.win):
            raise CommandError(f"the win {found.win} that it is a replication of is not here yet")
        return found.win
    if not isinstance(found, Win):
        raise CommandError(f"{record} is a batch of trials, which claim nothing: name a win")
    return record


def _trees(record: RecordId, wins: JournalWins, task: Task) -> tuple[Tree, Tree]:
    """The trees of a win's base and of the win."""
    base = wins[record].base
    try:
        tree = resolve_tree(record, wins, task.baseline, task.editable, {})
        if base is None:
            return task.baseline, tree
        return resolve_tree(base, wins, task.baseline, task.editable, {}), tree
    except (Incomplete, InvalidWin) as error:
        raise CommandError(f"it cannot be run: {error}") from error


def _seats(loaded: LoadedTask, home: Home) -> Seats | None:
    """The devices that nodes of this home use for the task, if they do."""
    seats = known_seats(loaded, NodeSettings(), home.cache)
    if loaded.task.accelerator and seats is None:
        raise CommandError(
            f"task {loaded.task.name} is made for a GPU: run a node on it here once, which finds "
            "out what the GPU is good for"
        )
    return seats


async def _measure(
    home: Home, loaded: LoadedTask, base: Tree, tree: Tree, drawn: Challenge, shown: bool
) -> Replicated:
    """Calibrate on the baseline, then run base and candidate on every seed."""
    task = loaded.task
    with tempfile.TemporaryDirectory(prefix="swarm-replay-") as folder:
        seats = _seats(loaded, home)
        runner = open_runner(
            loaded,
            cache=home.cache,
            scratch=Path(folder) / "scratch",
            runs=RunCache(Path(folder) / "runs.sqlite"),
            workers=max(1, min(2, os.cpu_count() or 1)),
            sandbox=best_sandbox(task.harness),
            niceness=0,
            seats=seats,
        )
        with _progress(shown) as progress:
            bar = progress.add_task("", total=1 + 2 * len(drawn.seeds))

            async def run(request: RunRequest, arm: str) -> RunResult:
                result = await runner.run(request)
                progress.advance(bar)
                return result

            async with runner:
                baseline = RunRequest(
                    task.baseline, tree_hash(task.baseline), drawn.seeds[0], code=False
                )
                await runner.calibrate(baseline)
                progress.advance(bar)
                return await replicate(
                    base,
                    tree,
                    drawn,
                    task=task,
                    code=grade(task.baseline, tree, task) == "code",
                    run=run,
                    with_baseline=False,
                    on_seed=_teller(progress) if shown else _silent,
                )


def _progress(shown: bool) -> Progress:
    screen = console()
    return Progress(
        TextColumn("running again"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed:.0f}/{task.total:.0f} runs"),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
        disable=not (shown and screen.is_terminal),
    )


def _teller(progress: Progress) -> Callable[[Replicated], None]:
    def tell(found: Replicated) -> None:
        seed, base, candidate = found.challenge_pairs[-1]
        change = from_nano(candidate - base)
        progress.console.print(
            f"seed {seed}: {from_nano(base):.4f} → {from_nano(candidate):.4f} ({change:+.4f})"
        )

    return tell


def _silent(found: Replicated) -> None:
    """For programs."""


def _outcome(win: Win, found: Replicated, task: Task) -> Outcome:
    if found.cheated:
        return "refuted"
    if len(found.challenge_pairs) < 2:
        return "undecided"
    said = differences(win.pairs)
    seen = differences(found.challenge_pairs)
    yardstick = Yardstick.of(task)
    simpler = is_simplification(win.family, win.pairs, yardstick)
    allowed = allowed_loss(yardstick, simpler=simpler)
    return compare(sum(said) / len(said), seen, yardstick, allowed).outcome


def _meaning(replayed: Replayed, task: Task) -> str:
    if replayed.found.reason:
        return replayed.found.reason
    win = replayed.win
    simpler = is_simplification(win.family, win.pairs, Yardstick.of(task))
    return (SIMPLER_MEANINGS if simpler else MEANINGS)[replayed.outcome]


def _numbers(pairs: Sequence[Pair]) -> dict[str, object] | None:
    if not pairs:
        return None
    effect = _effect(pairs)
    known = effect.n > 1
    return {
        "effect": effect.mean,
        "effect_low": effect.low if known else None,
        "effect_high": effect.high if known else None,
        "pairs": effect.n,
    }


def _effect(pairs: Sequence[Pair]) -> Effect:
    found = differences(pairs)
    return paired_effect(found) if len(found) > 1 else Effect(found[0], found[0], found[0], 1)


def _holdout(found: Replicated, task: Task) -> float | None:
    if not found.holdouts:
        return None
    mean = sum(found.holdouts) // len(found.holdouts)
    return from_nano(ladder_round(mean, step_nano(Yardstick.of(task))))


def _print(replayed: Replayed, task: Task) -> None:
    found, win = replayed.found, replayed.win
    where = "the challenge slice" if task.harness == "stream" else "seeds"
    rows: dict[str, Text | str] = {
        "win": f"“{plain(win.title)}” by {plain(win.nickname) or win.author}",
        "said": f"{_told(win.pairs)}, on its author's machine",
        "seen here": f"{_told(found.challenge_pairs)}, on {where} drawn just now",
    }
    if task.harness == "stream":
        rows["on validation"] = _told(found.pairs)
    style = {"confirmed": "bold green", "refuted": "bold red"}.get(replayed.outcome, "bold")
    screen = console()
    screen.print(facts(rows))
    screen.print(Text.assemble((replayed.outcome, style), f": {plain(_meaning(replayed, task))}"))
    unit = plain(task.metric.unit)
    screen.print(Text(f"candidate − base in {unit}, with the 95 % interval", DIM))


def _told(pairs: Sequence[Pair]) -> str:
    if not pairs:
        return "nothing"
    effect = _effect(pairs)
    count = f"{effect.n} pair{'' if effect.n == 1 else 's'}"
    if effect.n == 1:
        return f"{effect.mean:+.4f} over {count}"
    return f"{effect.mean:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}] over {count}"

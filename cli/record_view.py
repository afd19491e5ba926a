"""
One record as a page for people: what changed, why, and the evidence for it.

Law: draws what it is given, reads nothing.
"""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.diff_view import coloured
from cli.output import DIM, age, facts, iso_time, number, signed, size
from cli.snapshot import TaskHeader
from cli.text import plain, plain_lines, short_id
from swarm.records import Environment, Pair, Replication, Trials, Win, from_nano
from swarm.statistics import paired_effect
from swarm.text_noise import LEAST_FILES, text_noise

HEADING = "bold"
_KEPT_PAIRS = 2


def win_page(win: Win, task: TaskHeader) -> Iterator[RenderableType]:
    """A win's reason, its diff and its evidence, part by part."""
    yield heading("why")
    yield Text("\n".join(plain_lines(win.rationale)) or "its author gave no reason")
    yield heading("what changed")
    yield coloured(win.diff)
    yield heading("evidence")
    yield from _evidence(win.pairs, task)
    if sum(block.bytes > 0 for block in win.blocks) >= LEAST_FILES:
        noise = text_noise(win.blocks, len(win.pairs))
        words = f"over {noise.files} files its standard error is {noise.error:.4f}: another draw "
        yield Text(words + "of text would move it by about so much", DIM)
    yield heading("measured on")
    yield facts(_environment(win.environment))


def replication_page(replication: Replication, task: TaskHeader) -> Iterator[RenderableType]:
    """What another peer measured of a win."""
    yield heading("evidence, on the author's seeds or fresh ones")
    yield from _evidence(replication.pairs, task)
    yield heading("evidence, on the slice that its signature drew")
    yield from _evidence(replication.challenge_pairs, task)
    if replication.holdout_nano is not None:
        yield Text(
            f"\nholdout {number(from_nano(replication.holdout_nano))} {plain(task.unit)}", DIM
        )
    yield heading("measured on")
    yield facts(_environment(replication.environment))


def trials_page(trials: Trials, task: TaskHeader) -> Iterator[RenderableType]:
    """A batch of finished experiments, whatever came of them."""
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for name in ("outcome", "tried", "family", "pairs", "effect"):
        table.add_column(name, justify="right" if name in ("pairs", "effect") else "left")
    for trial in trials.trials:
        table.add_row(
            plain(trial.outcome.replace("_", " ")),
            Text(plain(trial.title)),
            Text(plain(trial.family)),
            str(len(trial.pairs)),
            change(_mean_change(trial.pairs), task),
        )
    yield heading(f"{len(trials.trials)} experiments on {plain(trials.hardware_class)}")
    yield table


def title_of(record: Win | Replication | Trials, now_ms: int) -> Text:
    """What the record is, who made it, and when."""
    what = {
        Win: "win",
        Replication: "replication",
        Trials: "trials",
    }[type(record)]
    title = f"“{plain(record.title)}”" if isinstance(record, Win) else what
    made = age((now_ms - record.created_at_ms) / 1000)
    return Text.assemble(
        (title, "bold"),
        f" by {author(record.nickname, record.author)}, ",
        (f"{made} ago, {iso_time(record.created_at_ms)}", DIM),
    )


def author(nickname: str, peer_id: str) -> str:
    """A peer by its nickname, which anyone may take, and the end of its id, which is its own."""
    name = plain(nickname)
    return f"{name} ({short_id(peer_id)})" if name else short_id(peer_id)


def heading(words: str) -> Text:
    """The name of a part, with a line before it."""
    return Text(f"\n{words}", HEADING)


def change(value: float | None, task: TaskHeader) -> Text:
    """A difference, green where it is for the better."""
    if value is None:
        return Text("—", DIM)
    better = value < 0 if task.direction == "minimize" else value > 0
    return Text(signed(value), "green" if better else "red" if value else "")


def _evidence(pairs: Sequence[Pair], task: TaskHeader) -> Iterator[RenderableType]:
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for name in ("seed", "base", "candidate", "change"):
        table.add_column(name, justify="right")
    for pair in pairs:
        base, candidate = from_nano(pair.base_nano), from_nano(pair.candidate_nano)
        moved = change(candidate - base, task)
        table.add_row(str(pair.seed), number(base), number(candidate), moved)
    yield table
    yield _summary(pairs, task)


def _summary(pairs: Sequence[Pair], task: TaskHeader) -> Text:
    better = "lower" if task.direction == "minimize" else "higher"
    scale = f"{plain(task.unit)}; {better} is better"
    if len(pairs) < _KEPT_PAIRS:
        return Text(f"{len(pairs)} pair, too few for an interval; {scale}", DIM)
    effect = paired_effect([_difference(pair) for pair in pairs])
    return Text.assemble(
        "mean ",
        change(effect.mean, task),
        f", 95 % interval {signed(effect.low)} to {signed(effect.high)} ",
        (f"({scale})", DIM),
    )


def _difference(pair: Pair) -> float:
    return from_nano(pair.candidate_nano - pair.base_nano)


def _mean_change(pairs: Sequence[Pair]) -> float | None:
    return sum(map(_difference, pairs)) / len(pairs) if pairs else None


def _environment(environment: Environment) -> dict[str, Text | str]:
    return {
        "hardware": f"{plain(environment.hardware_class)}, {plain(environment.device)}",
        "software": f"torch {plain(environment.torch_version)}",
        "cost": f"{age(environment.milliseconds / 1000)}, "
        f"{size(environment.peak_memory_bytes)} at most",
        "isolation": plain(environment.isolation),
    }

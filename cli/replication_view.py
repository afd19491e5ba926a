"""
What others measured of a win, pair by pair, and what that makes of it.

Law: draws what it is given, reads nothing.
"""

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cli.output import DIM, counted, number, signed
from cli.record_view import author, change
from cli.snapshot import TaskHeader
from cli.text import plain, short_id
from swarm.ranking import Ranked
from swarm.records import Pair, Replication, from_nano
from swarm.verdict import LEAST_VOICES, Verdict
from watch.found import Check

_HEADINGS = ("seed", "base", "candidate", "change", "on the challenge: base", "candidate", "change")


def checks_page(
    checks: Sequence[Check], place: Ranked | None, task: TaskHeader
) -> Iterator[RenderableType]:
    """The verdict, then every replication with its pairs."""
    if not checks:
        yield Text("nobody yet", DIM)
        return
    if place is not None:
        yield _sentence(place.finding.verdict, task)
        if place.gain is not None:
            yield _over_baseline(place, task)
    for check in checks:
        yield _title(check)
        yield _table(check.replication, task)
        if check.replication.holdout_nano is not None:
            value = from_nano(check.replication.holdout_nano)
            yield Text(f"holdout {number(value)} {plain(task.unit)}", DIM)


def _sentence(verdict: Verdict, task: TaskHeader) -> Text:
    effect = verdict.effect
    if effect is None:
        return Text("none of these counts", DIM)
    words = Text.assemble(
        (verdict.state, {"replicated": "bold green", "refuted": "red"}.get(verdict.state, "bold")),
        f": {verdict.confirming} of {counted(verdict.voices, 'other')} saw the gain, in the mean ",
        change(effect.mean, task),
        f", 95 % interval {signed(effect.low)} to {signed(effect.high)}",
    )
    if verdict.voices < LEAST_VOICES:
        words.append(f"; a verdict needs {LEAST_VOICES}", DIM)
    elif verdict.p is not None:
        words.append(f"; p = {verdict.p:.2g}", DIM)
    return words


def _over_baseline(place: Ranked, task: TaskHeader) -> Text:
    assert place.gain is not None
    sign = -1 if task.direction == "minimize" else 1
    ends = sorted((sign * place.gain.low, sign * place.gain.high))
    return Text.assemble(
        "over the task's baseline ",
        change(sign * place.gain.mean, task),
        f", 90 % interval {signed(ends[0])} to {signed(ends[1])}, ",
        ("fitted over all replications: the rank goes by its worse end", DIM),
    )


def _title(check: Check) -> Text:
    """Who measured it, where, and whether it counts."""
    made = check.replication
    title = Text.assemble(
        "\n",
        author(made.nickname, made.author),
        f" on {plain(made.environment.hardware_class)} ",
        (short_id(check.record), DIM),
    )
    if not check.counts:
        title.append("  not counted: the win's own author, a second one by the same author, ", DIM)
        title.append("a copy, or not on the seeds it had to use", DIM)
    return title


def _table(made: Replication, task: TaskHeader) -> Table:
    """A row for each seed: the pair on validation beside that on the challenge slice."""
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for name in _HEADINGS:
        table.add_column(name, justify="right")
    validation = {pair.seed: pair for pair in made.pairs}
    challenge = {pair.seed: pair for pair in made.challenge_pairs}
    for seed in dict.fromkeys([*challenge, *validation]):
        cells = (*_cells(validation.get(seed), task), *_cells(challenge.get(seed), task))
        table.add_row(str(seed), *cells)
    return table


def _cells(pair: Pair | None, task: TaskHeader) -> tuple[Text, Text, Text]:
    if pair is None:
        return Text("—", DIM), Text("—", DIM), Text("—", DIM)
    base, candidate = from_nano(pair.base_nano), from_nano(pair.candidate_nano)
    return Text(number(base)), Text(number(candidate)), change(candidate - base, task)

"""The wear gauge in words: how far the texts everyone looks at flatter wins."""

from collections.abc import Iterator

from rich.text import Text

from cli.output import DIM, counted, number, signed
from swarm.statistics import Effect
from swarm.wear import Wear

_WARNING = "bold yellow"


def wear_lines(wear: Wear, unit: str) -> Iterator[Text]:
    """
    One line of what was found, before it a warning for each text that wears out.

    Nothing where nobody has replicated a win yet.

    Args:
        unit: Of the metric, printable.
    """
    if wear.worn:
        yield Text(
            "the validation set is wearing out: wins gain less on text nobody could choose",
            _WARNING,
        )
    if wear.holdout_worn:
        yield Text(
            "the holdout is wearing out: wins gain less on text nobody could choose", _WARNING
        )
    if wear.checks == 0:
        return
    looks = f"{counted(wear.queries, 'look')} at the holdout so far"
    if wear.validation is None:
        yield Text(f"{counted(wear.checks, 'win')} checked on fresh text; {looks}", DIM)
        return
    where = f"{_gap(wear.validation)} on validation"
    if wear.holdout is not None:
        where += f", {_gap(wear.holdout)} on the holdout"
    yield Text(
        f"gained beyond what fresh text shows, a win: {where} {unit} "
        f"(the latest {counted(wear.checks, 'win')} checked); {looks}",
        DIM,
    )


def _gap(effect: Effect) -> str:
    return f"{signed(effect.mean)} ±{number((effect.high - effect.low) / 2)}"

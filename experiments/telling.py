"""How a run and a pair are told as events."""

from __future__ import annotations

from collections.abc import Callable

from experiments.measure import Measured, differences
from experiments.run import Progress
from swarm import events
from swarm.records import from_nano
from swarm.statistics import Effect, paired_effect

Report = Callable[[events.Event], None]
"""Where events go; must not block."""


def progress_of(report: Report, number: int, arm: str, seed: int) -> Callable[[Progress], None]:
    """Tells how far a run has come; `number` is that of its experiment."""

    def tell(progress: Progress) -> None:
        report(
            events.RunProgress(
                number,
                arm,
                seed,
                progress.phase,
                progress.tokens,
                progress.budget_tokens,
                progress.loss,
            )
        )

    return tell


def pairs_of(report: Report, number: int) -> Callable[[Measured], None]:
    """Tells the last of an experiment's pairs."""

    def tell(measured: Measured) -> None:
        last = measured.pairs[-1]
        base, candidate = from_nano(last.base_nano), from_nano(last.candidate_nano)
        report(events.PairMeasured(number, len(measured.pairs), base, candidate))

    return tell


def effect_of(measured: Measured) -> Effect | None:
    """The paired effect where at least two pairs were completed."""
    return paired_effect(differences(measured.pairs)) if len(measured.pairs) > 1 else None

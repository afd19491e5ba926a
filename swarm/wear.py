"""
Whether the validation text is wearing out.

Every decision looks at the validation text, so a long search fits it by chance:
wins then gain more there than on text that nobody could choose. For each win that
was replicated the gauge takes its gain on validation, and on the holdout, beyond
that on the challenge slices of the same runs. All gains are on fresh seeds, so luck
with seeds is not in them. Texts differ in difficulty; gains are therefore taken in
proportion to the base's value on the same text.

Law: display only. A function of the board; one voice per win, the latest wins count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from swarm.board import Board
from swarm.findings import Finding
from swarm.ladder import lower_median
from swarm.records import RecordId
from swarm.statistics import Effect, paired_effect
from swarm.verdict import Pairs, Yardstick

LATEST = 20
"""How many of the latest replicated wins the gauge looks at: wear is of now."""
SHOWN = 200
"""How many of the latest gaps programs are given."""
LEAST = 3
"""From fewer wins than this nothing is concluded."""


class Levels(NamedTuple):
    """Mean metric of a base and a candidate on one text, in nano-units."""

    base: float
    candidate: float


class Check(NamedTuple):
    """
    One win, seen on three texts.

    Attributes:
        validation, challenge: Means over its replications.
        holdout: The win's and its base's; None where either is unknown.
    """

    record: RecordId
    created_at_ms: int
    validation: Levels
    challenge: Levels
    holdout: Levels | None


@dataclass(frozen=True, slots=True)
class Wear:
    """
    The gauge. Gaps are in the metric's unit, positive where a text flatters.

    Attributes:
        validation: Mean gap validation − challenge over the latest wins with its
            95 % interval; None with too few.
        holdout: The same of the holdout.
        queries: Looks at the holdout so far, by all replicators.
        checks: How many wins the gap of the validation is from.
        over_time: (created_at_ms, gap validation − challenge) of every win, the
            oldest first.
        worn: Wins gain significantly more on validation than elsewhere, together by
            at least the smallest effect worth keeping.
        holdout_worn: The same of the holdout.
    """

    validation: Effect | None
    holdout: Effect | None
    queries: int
    checks: int
    over_time: tuple[tuple[int, float], ...]
    worn: bool
    holdout_worn: bool

    def document(self) -> dict[str, object]:
        """The gauge as one JSON object."""
        return {
            "validation_gap": _interval(self.validation),
            "holdout_gap": _interval(self.holdout),
            "holdout_queries": self.queries,
            "checked_wins": self.checks,
            "worn": self.worn,
            "holdout_worn": self.holdout_worn,
            "over_time": [
                {"created_at_ms": at, "validation_gap": gap} for at, gap in self.over_time[-SHOWN:]
            ],
        }


def wear(board: Board, found: Sequence[Finding], yardstick: Yardstick) -> Wear:
    """
    How far gains on the texts that are looked at exceed gains on text nobody chose.

    Args:
        found: `swarm.findings.findings` of the board.
    """
    seen = sorted(_checks(board, found), key=lambda check: (check.created_at_ms, check.record))
    sign = 1.0 if yardstick.direction == "minimize" else -1.0
    gaps = [sign * flattery(check.validation, check.challenge) for check in seen]
    on_holdout = [
        sign * flattery(check.holdout, check.challenge) for check in seen if check.holdout
    ]
    looks = [voice for voice in board.replications.values() if voice.holdout_nano is not None]
    validation, holdout = _latest(gaps), _latest(on_holdout)
    return Wear(
        validation=validation,
        holdout=holdout,
        queries=len(looks),
        checks=len(gaps[-LATEST:]),
        over_time=tuple((c.created_at_ms, gap) for c, gap in zip(seen, gaps, strict=True)),
        worn=_matters(validation, yardstick),
        holdout_worn=_matters(holdout, yardstick),
    )


def flattery(seen: Levels, challenge: Levels) -> float:
    """
    How much further a value fell on a text than on the challenge slices, in the metric's unit.

    The fall on the text is first scaled to the difficulty of the slices, where both
    bases are positive and within a factor of two.
    """
    scale = 1.0
    if seen.base > 0 and challenge.base > 0 and 0.5 <= challenge.base / seen.base <= 2.0:
        scale = challenge.base / seen.base
    fall = scale * (seen.base - seen.candidate)
    return (fall - (challenge.base - challenge.candidate)) / 1e9


def _checks(board: Board, found: Sequence[Finding]) -> Iterator[Check]:
    heard = [finding for finding in found if finding.voices]
    holdouts = {record: _holdout(each) for each in heard for record in each.records}
    for finding in heard:
        validation = _levels(voice.validation for voice in finding.voices)
        challenge = _levels(voice.pairs for voice in finding.voices)
        if validation is not None and challenge is not None:
            yield Check(
                record=finding.records[0],
                created_at_ms=board.wins[finding.records[0]].created_at_ms,
                validation=validation,
                challenge=challenge,
                holdout=_on_holdout(finding, holdouts),
            )


def _levels(measured: Iterable[Pairs]) -> Levels | None:
    count = bases = candidates = 0
    for pairs in measured:
        for _, base, candidate in pairs:
            count, bases, candidates = count + 1, bases + base, candidates + candidate
    return Levels(bases / count, candidates / count) if count else None


def _holdout(finding: Finding) -> float | None:
    values = [voice.holdout_nano for voice in finding.voices if voice.holdout_nano is not None]
    return lower_median(values) if values else None


def _on_holdout(finding: Finding, holdouts: Mapping[RecordId, float | None]) -> Levels | None:
    base = None if finding.base is None else holdouts.get(finding.base)
    candidate = holdouts[finding.records[0]]
    return None if base is None or candidate is None else Levels(base, candidate)


def _latest(gaps: Sequence[float]) -> Effect | None:
    return paired_effect(gaps[-LATEST:]) if len(gaps) >= LEAST else None


def _matters(gap: Effect | None, yardstick: Yardstick) -> bool:
    return gap is not None and gap.low > 0 and gap.mean * gap.n >= yardstick.min_effect


def _interval(effect: Effect | None) -> dict[str, float] | None:
    if effect is None:
        return None
    return {"mean": effect.mean, "low": effect.low, "high": effect.high}

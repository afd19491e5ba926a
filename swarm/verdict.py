"""
What replications say of a win: claimed, replicated or refuted.

A replication states data; every reader judges it here. Only the paired gain on
the challenge slice counts, measured on the seeds that the replicator's signature
selected, by other authors than the win's, one voice per author, equal
measurements once. All voices are pooled. With k of them, each test has the level
0.02 / (k (k + 1)), and these sum to 0.01 over k = 2, 3, …: judging anew after
every replication keeps the error over a win's whole life below 1 %.

- replicated: the gain is above zero at that level, and at least half of `min_effect`;
- refuted, the mirror: the gain is below half of `min_effect` at that level;
- claimed: anything else, and always with fewer than two voices.

A win that is simpler than its base promises no gain, only to lose less than
`min_effect` (`swarm.simplicity`). It is judged as a gain is, from so much lower down.

Law: a function of the records and the viewpoint; no clock, no order of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from swarm.challenge import CHALLENGE_SEEDS, select_seeds
from swarm.records import Pair, PeerId, RecordId, Replication
from swarm.statistics import Direction, Effect, mean_and_spread, paired_effect, t_tail

if TYPE_CHECKING:
    from swarm.task import Task

Pairs: TypeAlias = tuple[tuple[int, int, int], ...]
VerdictState: TypeAlias = Literal["claimed", "replicated", "refuted"]

LEAST_VOICES = 2
"""With fewer, a win stays claimed, whatever they say."""
LEVEL = 0.02
"""Twice the most that each test may err over a win's whole life."""


class Evidence(NamedTuple):
    """
    The part of a replication that can count, in nano-units.

    Attributes:
        challenge: The author's signature, which selects seeds and slice.
        pairs: (seed, base, candidate) on the challenge slice.
        validation: The same runs on the validation text: shown, never judged by.
        baseline: (seed, value) of the task's baseline on the challenge slice.
        holdout_nano: The candidate's holdout, Ladder-rounded: shown, never judged by.
    """

    author: PeerId
    win: RecordId
    challenge: bytes
    pairs: Pairs
    validation: Pairs
    baseline: tuple[tuple[int, int], ...]
    holdout_nano: int | None

    @classmethod
    def of(cls, replication: Replication) -> Evidence:
        """What of a replication can count."""
        return cls(
            author=replication.author,
            win=replication.win,
            challenge=replication.challenge,
            pairs=_plain(replication.challenge_pairs),
            validation=_plain(replication.pairs),
            baseline=replication.baseline,
            holdout_nano=replication.holdout_nano,
        )


@dataclass(frozen=True, slots=True)
class Yardstick:
    """
    What a verdict must know of the task.

    Attributes:
        direction: Whether a smaller or a larger metric is better.
        sigma: The known standard deviation of paired differences.
        min_effect: The smallest gain worth keeping. Both in the metric's unit.
        seeds: Runs use seeds 0 … seeds − 1.
    """

    direction: Direction
    sigma: float
    min_effect: float
    seeds: int

    @classmethod
    def of(cls, task: Task) -> Yardstick:
        """The yardstick of a task."""
        return cls(task.metric.direction, task.sigma, task.min_effect, task.seeds)

    @property
    def bar(self) -> float:
        """The gain at which a win's word is half kept."""
        return self.min_effect / 2

    def gains(self, evidence: Evidence) -> list[float]:
        """How much better the candidate was, seed by seed, in the metric's unit."""
        sign = -1e-9 if self.direction == "minimize" else 1e-9
        return [sign * (candidate - base) for _, base, candidate in evidence.pairs]


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    What replications say of a win.

    Attributes:
        state: What to call the win.
        voices: How many replications count, one per author; the k of the level.
        confirming: How many of them alone show at least half of `min_effect`.
        effect: Pooled candidate − base on the challenge slices, in the metric's
            unit, with its 95 % interval; None without a voice.
        p: Chance of so large a gain where there is none; None with too few voices.
        p_refuted: Chance of so small a gain where there is half of `min_effect`.
            Both from as far below as the win may lose.
    """

    state: VerdictState
    voices: int
    confirming: int
    effect: Effect | None
    p: float | None
    p_refuted: float | None


NOT_REPLICATED = Verdict("claimed", 0, 0, None, None, None)


def voices(
    replications: Iterable[tuple[RecordId, Evidence]],
    authors: Collection[PeerId],
    yardstick: Yardstick,
) -> tuple[Evidence, ...]:
    """
    The replications of one finding that count, sorted by record id.

    Args:
        replications: All there are of the finding's wins, by record id.
        authors: Who claimed the finding: their own word is no replication.
    """
    counted: dict[PeerId, Evidence] = {}
    seen: set[tuple[tuple[int, int], ...]] = set()
    for _, evidence in sorted(replications):
        values = tuple(sorted(pair[1:] for pair in evidence.pairs))
        known = evidence.author in authors or evidence.author in counted or values in seen
        if not known and _is_selected(evidence, yardstick):
            counted[evidence.author] = evidence
            seen.add(values)
    return tuple(counted.values())


def verdict(counted: Iterable[Evidence], yardstick: Yardstick, allowed: float = 0.0) -> Verdict:
    """What the voices on one finding, as `voices` gives them, say together; see `judge`."""
    return judge([yardstick.gains(evidence) for evidence in counted], yardstick, allowed)


def judge(gains: Sequence[Sequence[float]], yardstick: Yardstick, allowed: float = 0.0) -> Verdict:
    """
    The verdict on gains alone: one row per voice, one gain per seed, better is positive.

    A win that may lose up to `allowed` is judged by its gains and so much more.

    Pairs of one voice share its text, which may suit the change or not. `min_effect`
    is at least three times the error that text makes in a gain, so a sixth of it is
    granted to every voice. The spread of pairs is never taken to be below half the
    task's known sigma: few pairs that happen to agree prove nothing.
    """
    if not gains:
        return NOT_REPLICATED
    pooled = [gain for row in gains for gain in row]
    sign = -1.0 if yardstick.direction == "minimize" else 1.0
    effect = paired_effect([sign * gain for gain in pooled])
    bar = yardstick.bar - allowed
    confirming = sum(math.fsum(row) / len(row) >= bar for row in gains)
    if len(gains) < LEAST_VOICES:
        return Verdict("claimed", len(gains), confirming, effect, None, None)
    mean, spread = mean_and_spread(pooled)
    seeds = max(spread, yardstick.sigma / 2) / math.sqrt(len(pooled))
    texts = yardstick.min_effect / 6 / math.sqrt(len(gains))
    error = math.hypot(seeds, texts)
    p = t_tail((mean + allowed) / error, len(pooled) - 1)
    p_refuted = t_tail((bar - mean) / error, len(pooled) - 1)
    state = _state(len(gains), mean >= bar, p, p_refuted)
    return Verdict(state, len(gains), confirming, effect, p, p_refuted)


def _state(count: int, worth: bool, p: float, p_refuted: float) -> VerdictState:
    level = LEVEL / (count * (count + 1))
    if worth:
        return "replicated" if p < level else "claimed"
    return "refuted" if p_refuted < level else "claimed"


def _plain(pairs: tuple[Pair, ...]) -> Pairs:
    return tuple((pair.seed, pair.base_nano, pair.candidate_nano) for pair in pairs)


def _is_selected(evidence: Evidence, yardstick: Yardstick) -> bool:
    """Whether it was measured on just the seeds that its signature selects."""
    measured = [pair[0] for pair in evidence.pairs]
    return len(measured) == CHALLENGE_SEEDS and set(measured) == set(
        select_seeds(evidence.challenge, yardstick)
    )

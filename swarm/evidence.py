"""
What has been seen of each family of ideas, weighed by whose word it is.

An experiment's reward is its gain as a share of the headroom its base had left.
Its weight fades: with each later experiment of the same author, where it was
measured on another base (signs flip with the context), and for peers also with
age and where it ran on another class of hardware.

Law: pure. On any family all peers together never weigh more than this node's own
experiments, or than a single one where it has fewer: what others say, true or not,
tilts the odds and cannot decide them. What an idea costs here is read from own
experiments alone, as seconds do not compare across machines.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from swarm.records import PROMISING, PeerId, TreeHash, Trial
from swarm.seen import SeenTrial
from swarm.statistics import Direction

DISCOUNT = 0.95
"""How much of an experiment's weight is left after each later one of its author."""

OTHER_BASE = 0.5
"""What is left of it on another base."""

OTHER_CLASS = 0.3
"""What is left of a peer's on another class of hardware."""

PEER_HALF_LIFE_MS = 6 * 60 * 60 * 1000
"""After so long half of a peer's is left."""

FULL_GAIN = 0.1
"""Share of the headroom that counts as a full success; more counts no more."""

UNTRIED_TRIALS = 1.0
"""What peers together may weigh on a family of which this node has tried less."""


@dataclass(frozen=True, slots=True)
class Arm:
    """
    Weighed sums over a family's experiments.

    Attributes:
        trials: How many.
        gain: Their gains, each a share of the headroom, from 0 to 1.
        reward: Their gains as shares of `FULL_GAIN`, each from 0 to 1.
        seconds: What they took; 0 for those of peers.
    """

    trials: float = 0.0
    gain: float = 0.0
    reward: float = 0.0
    seconds: float = 0.0

    def plus(self, other: Arm, weight: float = 1.0) -> Arm:
        """With another's sums added at this weight."""
        return Arm(
            self.trials + weight * other.trials,
            self.gain + weight * other.gain,
            self.reward + weight * other.reward,
            self.seconds + weight * other.seconds,
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of this node's recent experiments: those on folds, and all of them."""

    fold_seconds: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What is known of each family.

    Attributes:
        own: By family, this node's experiments; one without any may be absent.
        peers: The same of all its peers together, after all discounts.
        run_seconds: What one run takes here; no experiment counts as cheaper.
        typical_seconds: What an experiment takes here, whatever its family.
        spent: How the compute of late was used.
    """

    own: Mapping[str, Arm] = field(default_factory=dict[str, Arm])
    peers: Mapping[str, Arm] = field(default_factory=dict[str, Arm])
    run_seconds: float = 1.0
    typical_seconds: float = 1.0
    spent: Spent = field(default_factory=Spent)

    def arm(self, family: str) -> Arm:
        """A family's sums over this node's experiments and its peers'."""
        return self.own.get(family, Arm()).plus(self.peers.get(family, Arm()))


@dataclass(frozen=True, slots=True)
class Standpoint:
    """
    From where experiments are looked at.

    Attributes:
        base_tree: What is built on now.
        hardware_class: What kind of machine this is.
        now_ms: The time here, Unix epoch milliseconds.
        goal: What the metric could reach at best; None: zero when minimising,
            twice the base when maximising.
    """

    base_tree: TreeHash
    hardware_class: str
    now_ms: int
    direction: Direction
    goal: float | None = None


def evidence_of(trials: Sequence[SeenTrial], here: Standpoint) -> Evidence:
    """
    The evidence in finished experiments.

    Args:
        trials: This node's and its peers', oldest first.
    """
    own = [seen.trial for seen in trials if seen.own]
    run_seconds = _run_seconds(own)
    arms = _own_arms(own, here, run_seconds)
    said = _peer_arms([seen for seen in trials if not seen.own], here)
    total = total_of(arms)
    return Evidence(
        own=arms,
        peers=_bounded(said, arms),
        run_seconds=run_seconds,
        typical_seconds=total.seconds / total.trials if total.trials else run_seconds,
        spent=_spent(own, run_seconds),
    )


def total_of(arms: Mapping[str, Arm]) -> Arm:
    """The sums over all families."""
    return Arm(*(math.fsum(getattr(arm, name) for arm in arms.values()) for name in Arm.__slots__))


def relative_gain(trial: Trial, direction: Direction, goal: float | None) -> float:
    """The mean gain of a win, proven or not, as a share of its base's headroom, from 0 to 1."""
    if trial.outcome not in ("win", PROMISING) or not trial.pairs:
        return 0.0
    base = math.fsum(pair.base_nano for pair in trial.pairs) / len(trial.pairs)
    candidate = math.fsum(pair.candidate_nano for pair in trial.pairs) / len(trial.pairs)
    gain = base - candidate if direction == "minimize" else candidate - base
    headroom = abs(base) if goal is None else abs(base - goal * 1e9)
    return min(max(gain / headroom, 0.0), 1.0) if headroom else 0.0


def _own_arms(own: Sequence[Trial], here: Standpoint, run_seconds: float) -> dict[str, Arm]:
    arms: defaultdict[str, Arm] = defaultdict(Arm)
    weight = 1.0
    for trial in reversed(own):
        on_base = 1.0 if trial.base_tree == here.base_tree else OTHER_BASE
        seconds = max(trial.milliseconds / 1000, run_seconds)
        arms[trial.family] = arms[trial.family].plus(_arm(trial, here, seconds), weight * on_base)
        weight *= DISCOUNT
    return dict(arms)


def _peer_arms(said: Sequence[SeenTrial], here: Standpoint) -> dict[str, Arm]:
    arms: defaultdict[str, Arm] = defaultdict(Arm)
    recency: defaultdict[PeerId, float] = defaultdict(lambda: 1.0)
    for seen in reversed(said):
        trial = seen.trial
        age_ms = max(0, here.now_ms - trial.finished_at_ms)
        weight = (
            recency[seen.author]
            * (1.0 if trial.base_tree == here.base_tree else OTHER_BASE)
            * (1.0 if seen.hardware_class == here.hardware_class else OTHER_CLASS)
            * 0.5 ** min(age_ms / PEER_HALF_LIFE_MS, 64)
        )
        arms[trial.family] = arms[trial.family].plus(_arm(trial, here, 0.0), weight)
        recency[seen.author] *= DISCOUNT
    return dict(arms)


def _bounded(peers: Mapping[str, Arm], own: Mapping[str, Arm]) -> dict[str, Arm]:
    """What peers say of each family, at no more than the weight of one's own experiments."""
    bounded: dict[str, Arm] = {}
    for family, arm in peers.items():
        allowed = max(own[family].trials if family in own else 0.0, UNTRIED_TRIALS)
        bounded[family] = Arm().plus(arm, min(1.0, allowed / max(arm.trials, 1e-9)))
    return bounded


def _arm(trial: Trial, here: Standpoint, seconds: float) -> Arm:
    gain = relative_gain(trial, here.direction, here.goal)
    return Arm(1.0, gain, min(gain / FULL_GAIN, 1.0), seconds)


def _run_seconds(own: Sequence[Trial]) -> float:
    """The mean seconds of one run, over the experiments that completed a pair."""
    runs = sum(2 * len(trial.pairs) for trial in own)
    milliseconds = sum(trial.milliseconds for trial in own if trial.pairs)
    return milliseconds / runs / 1000 if milliseconds else 1.0


def _spent(own: Sequence[Trial], run_seconds: float) -> Spent:
    folds = total = 0.0
    weight = 1.0
    for trial in reversed(own):
        seconds = weight * max(trial.milliseconds / 1000, run_seconds)
        folds += seconds if trial.family == "fold" else 0.0
        total += seconds
        weight *= DISCOUNT
    return Spent(folds, total)

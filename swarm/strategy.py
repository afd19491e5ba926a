"""
Which kind of idea to try next.

Every family of ideas is an arm of a bandit. An experiment's reward is its gain,
as a share of the headroom left. For each family that has something untried, a
plausible mean reward and a plausible mean cost in seconds are drawn from what this
node has seen; the best ratio is tried (Thompson sampling). Families
start with a prior that depends on the hardware, recent experiments count more,
and one choice in twenty is made blindly so that no family is ever given up.

Law: pure. Randomness comes in as `uniform`; only this node's own experiments are
evidence, so no stranger's word can close a family.

Source: Agrawal and Goyal, "Analysis of Thompson Sampling for the Multi-armed
Bandit Problem" (2012), whose Beta posterior holds for any reward in [0, 1].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from swarm.records import Trial

FAMILIES = (
    "learning_rate",
    "schedule",
    "batch",
    "optimizer",
    "init",
    "norm",
    "activation",
    "position",
    "attention",
    "width_depth",
    "regularisation",
    "simplify",
    "fold",
    "code",
)
"""Every kind of idea, and what each is called in records."""

DISCOUNT = 0.95
"""How much of an experiment's weight is left after each later one."""

UNIFORM_SHARE = 0.05
"""Share of choices made blindly among the families on offer."""

FULL_GAIN = 0.1
"""Share of the headroom that counts as a full success; more counts no more."""

PRIOR_TRIALS = 2.0
"""How many experiments' worth of belief a prior carries."""

PRIOR_REWARD = 0.15
"""What an experiment of weight 1 is first believed to bring, 1 being a full success."""

COST_CERTAINTY = 8.0
"""As how many costs seen the typical cost counts for a family never tried."""

FOLD_WEIGHT = 6.0
"""A waiting win was measured by somebody already, so it starts far ahead."""

_FAVOURITES: Mapping[str, Mapping[str, float]] = {
    "cpu-laptop": {"init": 3, "norm": 3, "activation": 3, "position": 3, "simplify": 2},
    "cpu-server": {"init": 2, "norm": 2, "activation": 2, "position": 2, "optimizer": 2},
    "apple-silicon": {"norm": 2, "activation": 2, "position": 2, "learning_rate": 2},
    "gpu-small": {"norm": 2, "position": 2, "optimizer": 2, "learning_rate": 2},
    "gpu-large": {"learning_rate": 2, "optimizer": 2, "schedule": 2, "attention": 2},
    "gpu-datacenter": {"learning_rate": 3, "batch": 3, "schedule": 3, "width_depth": 2},
}


@dataclass(frozen=True, slots=True)
class Arm:
    """
    Discounted sums over a family's experiments.

    Attributes:
        trials: How many.
        gain: Their gains, each a share of the headroom, from 0 to 1.
        reward: Their gains as shares of `FULL_GAIN`, each from 0 to 1.
        seconds: What they took.
    """

    trials: float = 0.0
    gain: float = 0.0
    reward: float = 0.0
    seconds: float = 0.0

    def after(self, gain: float, seconds: float) -> Arm:
        """With one more experiment, of full weight."""
        reward = min(gain / FULL_GAIN, 1.0)
        return Arm(self.trials + 1, self.gain + gain, self.reward + reward, self.seconds + seconds)

    def faded(self) -> Arm:
        """One experiment later."""
        return Arm(*(getattr(self, name) * DISCOUNT for name in Arm.__slots__))


@dataclass(frozen=True, slots=True)
class Evidence:
    """
    What this node has seen of each family.

    Attributes:
        arms: By family; a family without experiments may be absent.
        run_seconds: What one run takes here; no experiment counts as cheaper.
    """

    arms: Mapping[str, Arm] = field(default_factory=dict[str, Arm])
    run_seconds: float = 1.0

    def arm(self, family: str) -> Arm:
        """The sums of a family, empty ones where it was not tried."""
        return self.arms.get(family, Arm())

    @property
    def total(self) -> Arm:
        """The sums over all families."""
        arms = self.arms.values()
        return Arm(*(math.fsum(getattr(a, name) for a in arms) for name in Arm.__slots__))


@dataclass(frozen=True, slots=True)
class Choice:
    """A family, and in one plain sentence why it is its turn."""

    family: str
    why: str


def priors(hardware_class: str) -> dict[str, float]:
    """How promising each family is at first on this hardware; 1 is ordinary."""
    favourites = _FAVOURITES.get(hardware_class, {})
    weights = {family: favourites.get(family, 1.0) for family in FAMILIES}
    return weights | {"fold": FOLD_WEIGHT}


def evidence_of(
    trials: Sequence[Trial],
    direction: Literal["minimize", "maximize"],
    goal: float | None = None,
) -> Evidence:
    """
    The evidence in this node's own experiments.

    Args:
        trials: Own trials, oldest first.
        direction: Whether a smaller or a larger metric is better.
        goal: What the metric could reach at best; None: zero when minimising,
            twice the base when maximising.
    """
    run_seconds = _run_seconds(trials)
    arms: dict[str, Arm] = {}
    for trial in trials:
        arms = {family: arm.faded() for family, arm in arms.items()}
        seconds = max(trial.milliseconds / 1000, run_seconds)
        gain = _relative_gain(trial, direction, goal)
        arms[trial.family] = arms.get(trial.family, Arm()).after(gain, seconds)
    return Evidence(arms, run_seconds)


def choose(
    available: Collection[str],
    evidence: Evidence,
    hardware_class: str,
    *,
    fold_share: float,
    uniform: Callable[[], float],
) -> Choice:
    """
    The family to try next.

    Args:
        available: Families that have something untried.
        evidence: What this node has seen so far.
        hardware_class: Selects the prior.
        fold_share: Share of this node's compute that folds may take.
        uniform: A number in [0, 1), new at each call.

    Raises:
        ValueError: Nothing is available.
    """
    offered = sorted(_affordable(available, evidence, fold_share))
    if not offered:
        raise ValueError("no family has anything left to try")
    if uniform() < UNIFORM_SHARE:
        family = offered[min(int(uniform() * len(offered)), len(offered) - 1)]
        return Choice(family, "Picked blindly, as one in twenty is, so that nothing is given up.")
    weights = priors(hardware_class)
    rates = {each: _sampled_rate(each, weights, evidence, uniform) for each in offered}
    family = max(offered, key=lambda each: rates[each])
    return Choice(family, _why(family, evidence.arm(family), weights, hardware_class))


def _affordable(available: Collection[str], evidence: Evidence, fold_share: float) -> set[str]:
    """What is available, without folds once they have had their share."""
    offered = set(available)
    if offered == {"fold"}:
        return offered
    spent = evidence.arm("fold").seconds
    return offered - {"fold"} if spent > fold_share * evidence.total.seconds else offered


def _run_seconds(trials: Sequence[Trial]) -> float:
    """The mean seconds of one run, over the experiments that completed a pair."""
    runs = sum(2 * len(trial.pairs) for trial in trials)
    milliseconds = sum(trial.milliseconds for trial in trials if trial.pairs)
    return milliseconds / runs / 1000 if milliseconds else 1.0


def _relative_gain(
    trial: Trial, direction: Literal["minimize", "maximize"], goal: float | None
) -> float:
    """A win's mean gain as a share of the headroom its base had left, from 0 to 1."""
    if trial.outcome != "win" or not trial.pairs:
        return 0.0
    base = math.fsum(pair.base_nano for pair in trial.pairs) / len(trial.pairs)
    candidate = math.fsum(pair.candidate_nano for pair in trial.pairs) / len(trial.pairs)
    gain = base - candidate if direction == "minimize" else candidate - base
    headroom = abs(base) if goal is None else abs(base - goal * 1e9)
    return min(max(gain / headroom, 0.0), 1.0) if headroom else 0.0


def _sampled_rate(
    family: str, weights: Mapping[str, float], evidence: Evidence, uniform: Callable[[], float]
) -> float:
    """A plausible mean reward over a plausible mean of seconds; not a mean of ratios."""
    arm, total = evidence.arm(family), evidence.total
    prior = min(PRIOR_REWARD * weights.get(family, 1.0), 0.9)
    won = _gamma(PRIOR_TRIALS * prior + arm.reward, uniform)
    lost = _gamma(PRIOR_TRIALS * (1 - prior) + arm.trials - arm.reward, uniform)
    typical = total.seconds / total.trials if total.trials else evidence.run_seconds
    mean_seconds = (typical + arm.seconds) / (1 + arm.trials)
    certainty = COST_CERTAINTY + arm.trials
    seconds = mean_seconds * _gamma(certainty, uniform) / certainty
    return won / (won + lost) / max(seconds, evidence.run_seconds)


def _gamma(shape: float, uniform: Callable[[], float]) -> float:
    """
    A draw from the gamma distribution of this shape, scale 1; always above 0.

    Three uniforms and no rejection, so any `uniform` ends it. The approximation
    is taken one shape higher, where it is good to a percent.

    Source: Wilson and Hilferty, "The distribution of chi-square" (1931).
    """
    higher = shape + 1
    normal = math.sqrt(-2 * math.log(1 - uniform())) * math.cos(2 * math.pi * uniform())
    cube = 1 - 1 / (9 * higher) + normal / (3 * math.sqrt(higher))
    return max(higher * max(cube, 1e-3) ** 3 * (1 - uniform()) ** (1 / shape), 1e-300)


def _why(family: str, arm: Arm, weights: Mapping[str, float], hardware_class: str) -> str:
    if family == "fold":
        return "A win found elsewhere waits to be measured here."
    name = family.replace("_", " ")
    if arm.trials == 0 and weights.get(family, 1.0) > 1:
        return f"Not tried here yet, and {name} is a good first look on {hardware_class}."
    if arm.trials == 0:
        return f"Ideas about {name} have not been tried here yet."
    if arm.gain == 0:
        return f"Ideas about {name} have not helped here yet; one more look."
    share = arm.gain / arm.trials
    return f"Ideas about {name} brought {share:.1%} of the way to the goal each, here of late."

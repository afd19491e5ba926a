"""
Which kind of idea to try next.

Every family of ideas is an arm of a bandit. For each family that has something
untried, a plausible mean reward and a plausible mean cost in seconds are drawn from
what is known of it; the best ratio is tried (Thompson sampling). Families start
with a prior that depends on the hardware, and one choice in twenty is made blindly
so that no family is ever given up.

Law: pure. Randomness comes in as `uniform`. What peers say counts as much as
`swarm.evidence` lets it, so no stranger's word can close a family.

Source: Agrawal and Goyal, "Analysis of Thompson Sampling for the Multi-armed
Bandit Problem" (2012), whose Beta posterior holds for any reward in [0, 1].
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from swarm.evidence import Arm, Evidence
from swarm.priors import Prior

UNIFORM_SHARE = 0.05
"""Share of choices made blindly among the families on offer."""

PRIOR_TRIALS = 2.0
"""How many experiments' worth of belief a prior carries."""

PRIOR_REWARD = 0.1
"""What an experiment of weight 1 is first believed to bring, 1 being a full success."""

MOST_PRIOR = 0.9
"""No prior is surer of success than this."""

COST_CERTAINTY = 8.0
"""As how many costs seen the typical cost counts for a family never tried."""

DRAWS = 500
"""Choices that `odds` makes to count them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A family, in one plain sentence why it is its turn, and how many of its ideas to start."""

    family: str
    why: str
    at_once: int = 1


def choose(
    available: Collection[str],
    evidence: Evidence,
    prior: Prior,
    *,
    fold_share: float,
    uniform: Callable[[], float],
) -> Choice:
    """
    The family to try next.

    Args:
        available: Families that have something untried.
        fold_share: Share of this node's compute that folds may take.
        uniform: A number in [0, 1), new at each call.

    Raises:
        ValueError: Nothing is available.
    """
    offered = affordable(available, evidence, fold_share)
    if not offered:
        raise ValueError("no family has anything left to try")
    if uniform() < UNIFORM_SHARE:
        family = offered[min(int(uniform() * len(offered)), len(offered) - 1)]
        why = "Picked blindly, as one in twenty is, so that nothing is given up."
    else:
        rates = {each: _sampled_rate(each, prior, evidence, uniform) for each in offered}
        family = max(offered, key=lambda each: rates[each])
        why = reason(family, evidence, prior)
    return Choice(family, why, prior.width(family))


def affordable(available: Collection[str], evidence: Evidence, fold_share: float) -> list[str]:
    """What is available, in order, without folds once they have had their share."""
    offered = sorted(set(available))
    if offered == ["fold"]:
        return offered
    spent = evidence.spent
    room = spent.fold_seconds <= fold_share * spent.seconds
    return [family for family in offered if family != "fold" or room]


def odds(
    available: Collection[str],
    evidence: Evidence,
    prior: Prior,
    *,
    fold_share: float,
    uniform: Callable[[], float],
) -> Mapping[str, float]:
    """How likely each available family is to be chosen next, counted over `DRAWS` choices."""
    counts = Counter(
        choose(available, evidence, prior, fold_share=fold_share, uniform=uniform).family
        for _ in range(DRAWS if available else 0)
    )
    return {family: counts[family] / DRAWS for family in sorted(set(available))}


def reason(family: str, evidence: Evidence, prior: Prior) -> str:
    """In one plain sentence, what speaks for a family or against it."""
    if family == "fold":
        return "A win found elsewhere waits to be measured here."
    name = family.replace("_", " ")
    own, peers = evidence.own.get(family, Arm()), evidence.peers.get(family, Arm())
    if own.gain > 0:
        share = own.gain / own.trials
        return f"Ideas about {name} brought {share:.1%} of the way to the goal each, here of late."
    if own.trials:
        helped = ", though they helped peers" if peers.gain > 0 else ""
        return f"Ideas about {name} have not helped here yet{helped}; one more look."
    if peers.gain > 0:
        return f"Not tried here yet, and ideas about {name} helped peers."
    if peers.trials > 0:
        return f"Not tried here yet; ideas about {name} have not helped peers so far."
    if prior.weight(family) > 1:
        return f"Not tried here yet, and {name} is a good first look on this kind of machine."
    return f"Ideas about {name} have not been tried here yet."


def _sampled_rate(
    family: str, prior: Prior, evidence: Evidence, uniform: Callable[[], float]
) -> float:
    """A plausible mean reward over a plausible mean of seconds; not a mean of ratios."""
    arm, own = evidence.arm(family), evidence.own.get(family, Arm())
    expected = min(PRIOR_REWARD * prior.weight(family), MOST_PRIOR)
    won = _gamma(PRIOR_TRIALS * expected + arm.reward, uniform)
    lost = _gamma(PRIOR_TRIALS * (1 - expected) + arm.trials - arm.reward, uniform)
    mean_seconds = (evidence.typical_seconds + own.seconds) / (1 + own.trials)
    certainty = COST_CERTAINTY + own.trials
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
    exponent = 1 / max(shape, 1e-9)
    return max(higher * max(cube, 1e-3) ** 3 * (1 - uniform()) ** exponent, 1e-300)

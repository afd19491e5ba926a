"""
What a node would try next, and why: the strategy explaining itself.

Law: the odds are counted from the very choices the node would make.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from swarm.evidence import Evidence
from swarm.priors import Prior
from swarm.seen import SeenTrial
from swarm.strategy import odds, reason


@dataclass(frozen=True, slots=True)
class FamilyOutlook:
    """
    One family of ideas.

    Attributes:
        probability: That the next choice falls on it.
        trials, wins: This node's experiments with it, on any base.
        peer_trials, peer_wins: Those of its peers.
        weight: How promising it was before any of them, 1 being ordinary.
        why: What speaks for it or against it, in one plain sentence.
    """

    family: str
    probability: float
    trials: int
    wins: int
    peer_trials: int
    peer_wins: int
    weight: float
    why: str


Outlook = Sequence[FamilyOutlook]
"""Every family that has something untried, the likeliest first."""


def look_ahead(
    offers: Collection[str],
    evidence: Evidence,
    prior: Prior,
    trials: Sequence[SeenTrial],
    *,
    fold_share: float,
    uniform: Callable[[], float],
) -> Outlook:
    """The outlook of a node that has something untried in the families on offer."""
    chances = odds(offers, evidence, prior, fold_share=fold_share, uniform=uniform)
    found = [_family(family, chance, evidence, prior, trials) for family, chance in chances.items()]
    return sorted(found, key=lambda each: (-each.probability, each.family))


def _family(
    family: str,
    chance: float,
    evidence: Evidence,
    prior: Prior,
    trials: Sequence[SeenTrial],
) -> FamilyOutlook:
    own = [seen.trial.outcome for seen in trials if seen.own and seen.trial.family == family]
    peers = [seen.trial.outcome for seen in trials if not seen.own and seen.trial.family == family]
    return FamilyOutlook(
        family=family,
        probability=chance,
        trials=len(own),
        wins=own.count("win"),
        peer_trials=len(peers),
        peer_wins=peers.count("win"),
        weight=prior.weight(family),
        why=reason(family, evidence, prior),
    )

"""
Several proposers behind one: those that have something in a family take turns.

Law: a family is offered if any of them offers it, and whoever has nothing after all
passes on to the next.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from experiments.proposers import Proposer, Situation, one_of
from experiments.proposers.combine import CombineProposer
from experiments.proposers.fold import FoldProposer
from experiments.proposers.follow import FollowProposer
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.revisit import RevisitProposer
from experiments.proposers.simplify import SimplifyProposer
from swarm.hypothesis import Hypothesis

KNOBS_PER_REVISIT = 3.0
"""How often a family's knobs are turned anew for each time that a discard comes up again."""


COMBINED_PER_REVISIT = 12.0
"""How often several promising turns are made at once, likewise."""


class MixedProposer:
    """
    Draws one of its proposers, by their weights, for each idea.

    Args:
        proposers: Each with its weight, above 0.
    """

    name = "mixed"

    def __init__(self, proposers: Sequence[tuple[Proposer, float]]) -> None:
        self._proposers = list(proposers)

    def families(self, situation: Situation) -> Collection[str]:
        """Families in which any of them has something."""
        return {
            family for proposer, _ in self._proposers for family in proposer.families(situation)
        }

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """What one of them proposes."""
        left = [each for each in self._proposers if family in each[0].families(situation)]
        while left:
            drawn = one_of(situation, left, [weight for _, weight in left])
            if (found := drawn[0].propose(situation, family)) is not None:
                return found
            left.remove(drawn)
        return None


def every_proposer(llm: Proposer | None = None) -> tuple[Proposer, ...]:
    """
    All proposers that need nothing but this machine, and one that asks a model if there is.

    In a family in which the model has an idea, that comes first: its ideas are few and dear.
    """
    own_ideas = MixedProposer(
        [
            (KnobProposer(), KNOBS_PER_REVISIT),
            (RevisitProposer(), 1.0),
            (SimplifyProposer(), KNOBS_PER_REVISIT),
            (CombineProposer(), COMBINED_PER_REVISIT),
        ]
    )
    return FollowProposer(), own_ideas, FoldProposer(), *([] if llm is None else [llm])

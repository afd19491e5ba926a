"""
Several proposers behind one: those that have something in a family take turns.

Law: a family is offered if any of them offers it, and whoever has nothing after all
passes on to the next. While friends are clearly ahead of the champion, what starts from
where they are comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from experiments.proposers import Proposer, Situation, one_of
from experiments.proposers.combine import CombineProposer
from experiments.proposers.fold import FoldProposer
from experiments.proposers.follow import FollowProposer
from experiments.proposers.front import champion_is_behind
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
        from_front: The one of them that starts from the best that friends have measured.
    """

    name = "mixed"

    def __init__(
        self, proposers: Sequence[tuple[Proposer, float]], from_front: Proposer | None = None
    ) -> None:
        self._proposers = list(proposers)
        self._from_front = from_front

    def families(self, situation: Situation) -> Collection[str]:
        """Families in which any of them has something."""
        return {
            family for proposer, _ in self._proposers for family in proposer.families(situation)
        }

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """What one of them proposes."""
        left = [each for each in self._proposers if family in each[0].families(situation)]
        behind = champion_is_behind(situation)
        first = [each for each in left if behind and each[0] is self._from_front]
        while left:
            drawn = one_of(situation, first or left, [weight for _, weight in first or left])
            first = []
            if (found := drawn[0].propose(situation, family)) is not None:
                return found
            left.remove(drawn)
        return None


def every_proposer(llm: Proposer | None = None) -> tuple[Proposer, ...]:
    """
    All proposers that need nothing but this machine, and one that asks a model if there is.

    In a family in which the model has an idea, that comes first: its ideas are few and dear.
    """
    combine = CombineProposer()
    own_ideas = MixedProposer(
        [
            (KnobProposer(), KNOBS_PER_REVISIT),
            (RevisitProposer(), 1.0),
            (SimplifyProposer(), KNOBS_PER_REVISIT),
            (combine, COMBINED_PER_REVISIT),
        ],
        from_front=combine,
    )
    return FollowProposer(), own_ideas, FoldProposer(), *([] if llm is None else [llm])

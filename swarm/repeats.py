"""
Who else has tried an idea, or is at it.

Two nodes try the same when they measure the same tree on the same base; titles and
diffs may differ. What this node tried itself it never tries again. What others say
they tried, or try now, it leaves alone with odds of four in five and takes up when
nothing else is left: so a swarm seldom repeats itself, and no lie takes an idea away.

Law: pure.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarm.records import TreeHash
from swarm.seen import SeenTrial
from swarm.signals import Claim

LEAST_ODDS = 0.2
"""What is left of an idea's odds when others have it, however many say so."""

Key = tuple[TreeHash, TreeHash]
"""A base's tree and a changed one."""


def held_by_others(trials: Iterable[SeenTrial], claims: Iterable[Claim]) -> frozenset[Key]:
    """What peers say they have tried or are trying."""
    tried = ((seen.trial.base_tree, seen.trial.tree) for seen in trials if not seen.own)
    claimed = ((idea.base_tree, idea.tree) for claim in claims for idea in claim.ideas)
    return frozenset([*tried, *claimed])


def is_left_alone(held: bool, lot: float) -> bool:
    """Whether to look for something else first; `lot` in [0, 1) is drawn once per idea."""
    return held and lot >= LEAST_ODDS

"""
Who else has tried an idea, or is at it.

Two nodes try the same when they measure the same tree on the same base; titles and
diffs may differ. What this node tried itself it never tries again. What peers say they
tried, or try now, is left to them in most choices: in four of five where strangers say
so, in more where the author has earned some trust. So a swarm seldom repeats itself,
and no lie takes an idea away: a choice in five never heard it.

Law: pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from swarm.records import PeerId, TreeHash
from swarm.seen import SeenTrial
from swarm.signals import Claim

STRANGERS_ODDS = 0.2
"""What is left of an idea's odds when strangers have it, however many say so."""

KNOWN_ODDS = 0.02
"""What is left when an author has it of whom this node has seen something good."""

Key = tuple[TreeHash, TreeHash]
"""A base's tree and a changed one."""


def left_to_others(
    trials: Iterable[SeenTrial],
    claims: Iterable[Claim],
    known: Collection[PeerId],
    lot: float,
) -> frozenset[Key]:
    """
    What to leave alone in one choice.

    Args:
        trials: Finished experiments; this node's own are passed over.
        claims: What peers say they measure now.
        known: The authors who are no strangers.
        lot: A number in [0, 1), drawn once for the choice.
    """
    tried = (
        (seen.trial.base_tree, seen.trial.tree)
        for seen in trials
        if not seen.own and _is_heard(seen.author, known, lot)
    )
    claimed = (
        (idea.base_tree, idea.tree)
        for claim in claims
        if _is_heard(claim.author, known, lot)
        for idea in claim.ideas
    )
    return frozenset([*tried, *claimed])


def _is_heard(author: PeerId, known: Collection[PeerId], lot: float) -> bool:
    return lot >= (KNOWN_ODDS if author in known else STRANGERS_ODDS)

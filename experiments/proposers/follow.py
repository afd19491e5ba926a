"""
Measure what a friend has found to be clearly better.

Whoever finds a gain has chosen it by its luck too, and has to measure it anew. For a
friend all seeds are fresh: one pair there says as much, and whoever has run it can build
on it. So finds are proven by those who follow.

Law: only friends are followed, only where knobs were turned, and only to what is better
than all that this node builds on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from experiments.proposers import Situation, hypothesis
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.hypothesis import Hypothesis
from swarm.records import PROMISING, Trial
from swarm.seen import cost
from swarm.statistics import Rule
from swarm.tree import tree_hash
from swarm.turning import settings_of

FOLLOW = "follow"

FOLLOWERS = 1
"""So many are enough to prove a find, and whoever starts from it needs no proof."""


class FollowProposer:
    """Offers the best that friends have found to be clearly better."""

    name = FOLLOW

    def __init__(self) -> None:
        self._hashes = Hashes()

    def families(self, situation: Situation) -> Collection[str]:
        """`fold`, where there is something to follow."""
        return {"fold"} if self._best(situation) else set()

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The best find of a friend."""
        best = self._best(situation) if family == "fold" else None
        if best is None:
            return None
        trial, changes = best
        turns = Turns(situation, self._hashes)
        return hypothesis(
            situation,
            turns.tree(changes),
            title=trial.title,
            rationale="",
            family="fold",
            proposer=FOLLOW,
            knobs=tuple((name, repr(value)) for name, value in changes),
        )

    def _best(self, situation: Situation) -> tuple[Trial, Changes] | None:
        turns = Turns(situation, self._hashes)
        direction = situation.task.metric.direction
        found = [(cost(trial.pairs, direction), trial) for trial in _finds(situation)]
        for value, trial in sorted(found, key=lambda each: (each[0], each[1].tree)):
            if not _is_ahead(situation, value):
                return None
            if _followers(situation, trial) >= FOLLOWERS:
                return None
            changes = _towards(situation, turns, trial)
            if changes and turns.is_new(changes):
                return trial, changes
        return None


def _finds(situation: Situation) -> Iterator[Trial]:
    for seen in situation.trials:
        friends = seen.author in situation.friends and not seen.own
        if friends and seen.trial.outcome == PROMISING and seen.trial.pairs:
            yield seen.trial


def _towards(situation: Situation, turns: Turns, find: Trial) -> Changes | None:
    """The turns that lead from the champion to a find, whatever it was found on."""
    base = situation.tree_of(find.base)
    if base is None or not find.knobs:
        return None
    settings = {name: repr(value) for name, value in settings_of(base).items()} | dict(find.knobs)
    changes = turns.towards(settings)
    found = changes is not None and tree_hash(turns.tree(changes)) == find.tree
    return changes if found else None


def _followers(situation: Situation, find: Trial) -> int:
    """How many others than its finder have measured a find, or are at it."""
    tried = {each.author for each in situation.trials if each.trial.tree == find.tree}
    at_it = {
        claim.author
        for claim in situation.claims
        if claim.author in situation.friends and any(each.tree == find.tree for each in claim.ideas)
    }
    return len(tried & situation.friends | at_it) - 1


def _is_ahead(situation: Situation, value: float) -> bool:
    sign = 1.0 if situation.task.metric.direction == "minimize" else -1.0
    own = situation.champion.value
    return own is not None and Rule.of(situation.task).is_clear(sign * own - value)

"""
Fold wins of peers (and one's own side branches) into the champion.

A win is carried over by a three-way merge of the trees: its base, the champion,
the win. Several that do not collide are carried over at once, and where an author
stands far ahead, adopting their whole tree is offered too. Either way the result is
a new hypothesis to be measured here.

The greatest expected gain comes first. A claim that nobody confirmed counts half,
and gains found apart add up to less: each win more in a fold takes a fifth of it.

Law: nothing is built on because somebody said so; a fold only says what to
measure next. A merge that conflicts is skipped, and so is one whose wins friends have outdone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from experiments.proposers import KnownWin, Situation, hypothesis
from experiments.proposers.front import champion_cost, front_cost, need_not_catch_up
from experiments.proposers.may_run import CanBeTold, MayRun
from swarm.hypothesis import Hypothesis
from swarm.merge import merge_trees
from swarm.records import MAX_PARENTS, TreeHash
from swarm.statistics import Rule
from swarm.tree import Tree, tree_hash

CLAIM_COUNTS = 0.5
"""How much of a gain is expected that only its finder has measured."""

OVERLAP = 0.8
"""What is left of the expected gains for each further win that is folded in with them."""


@dataclass(frozen=True, slots=True)
class _Fold:
    """Wins to fold in at once, what that gives, and the gain to be expected of it."""

    wins: tuple[KnownWin, ...]
    gain: float
    tree: Tree
    adopt: bool = False


class FoldProposer:
    """Offers the fold with the greatest expected gain that was not tried yet."""

    name = "fold"

    def __init__(self) -> None:
        self._may_run, self._can_be_told = MayRun(), CanBeTold()
        self._base = ""
        self._merges: dict[tuple[TreeHash, TreeHash, TreeHash], Tree | None] = {}

    def families(self, situation: Situation) -> Collection[str]:
        """`fold`, where a foreign win can be merged or adopted."""
        return {"fold"} if next(self._untried(situation), None) else set()

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The untried fold of greatest expected gain."""
        fold = next(self._untried(situation), None) if family == "fold" else None
        if fold is None:
            return None
        verb = "Adopt" if fold.adopt else "Fold in"
        said = (f"{win.nickname or 'A peer'} measured {win.effect:+.4f}" for win in fold.wins)
        return hypothesis(
            situation,
            fold.tree,
            title=f"{verb}: {' + '.join(_plain(win.title) for win in fold.wins)}",
            rationale=f"{'; '.join(said)}."[:2000],
            family="fold",
            proposer=self.name,
            parents=tuple(win.record for win in fold.wins),
        )

    def _untried(self, situation: Situation) -> Iterator[_Fold]:
        base = tree_hash(situation.champion.tree)
        usable, front = list(self._usable(situation)), front_cost(situation)
        folds = [*self._merged(situation, base, usable), *_adopted(situation, usable)]
        for fold in sorted(folds, key=lambda fold: (-fold.gain, fold.wins[0].record)):
            tree = tree_hash(fold.tree)
            if tree == base or situation.tried(base, tree):
                continue
            if _is_outdone(situation, fold, front):
                continue
            if self._may_run(situation, fold.tree) and self._can_be_told(situation, fold.tree):
                yield fold

    def _merged(
        self, situation: Situation, base: TreeHash, usable: Sequence[KnownWin]
    ) -> Iterator[_Fold]:
        """Each win by itself, and the best of them together, more and more of them."""
        if base != self._base:
            self._base, self._merges = base, {}
        champion = situation.champion.tree
        together: list[KnownWin] = []
        tree = champion
        for win in sorted(usable, key=lambda win: (-_gain(situation, win), win.record)):
            alone = self._merge(win, champion)
            if alone is None:
                continue
            yield _Fold((win,), _gain(situation, win), alone)
            more = self._merge(win, tree) if len(together) < MAX_PARENTS else None
            if more is None or more == tree:
                continue
            together.append(win)
            tree = more
            if len(together) > 1:
                gains = math.fsum(_gain(situation, each) for each in together)
                share = OVERLAP ** (len(together) - 1)
                yield _Fold(tuple(together), share * gains, tree)

    def _usable(self, situation: Situation) -> Iterator[KnownWin]:
        """Wins that claim a gain and whose tree may run here."""
        for win in situation.wins:
            finite = math.isfinite(win.effect) and math.isfinite(win.value)
            if finite and not win.simpler and self._may_run(situation, win.tree):
                yield win

    def _merge(self, win: KnownWin, onto: Tree) -> Tree | None:
        key = (tree_hash(win.base_tree), tree_hash(win.tree), tree_hash(onto))
        if key not in self._merges:
            self._merges[key] = merge_trees(win.base_tree, onto, win.tree)
        return self._merges[key]


def _gain(situation: Situation, win: KnownWin) -> float:
    """What is to be expected of a win, better being positive."""
    gain = -win.effect if situation.task.metric.direction == "minimize" else win.effect
    return gain * (1.0 if win.confirmed else CLAIM_COUNTS)


def _adopted(situation: Situation, usable: Sequence[KnownWin]) -> Iterator[_Fold]:
    """Whole trees whose value is further ahead of the champion's than their own change gained."""
    sign = 1.0 if situation.task.metric.direction == "minimize" else -1.0
    value = situation.champion.value
    for win in usable:
        ahead = 0.0 if value is None else sign * (value - win.value)
        ahead *= 1.0 if win.confirmed else CLAIM_COUNTS
        if ahead > _gain(situation, win):
            yield _Fold((win,), ahead, win.tree, adopt=True)


def _is_outdone(situation: Situation, fold: _Fold, front: float) -> bool:
    """
    Whether friends have measured what is clearly better than all that a fold may come to;
    or, where their ideas start from there anyway, what is as good.
    """
    own = champion_cost(situation)
    if own is None:
        return False
    sign = 1.0 if situation.task.metric.direction == "minimize" else -1.0
    merged = own + math.fsum(sign * win.effect for win in fold.wins)
    least = min(merged, *(sign * win.value for win in fold.wins))
    rule = Rule.of(situation.task)
    if need_not_catch_up(situation):
        return not rule.is_clear(front - least)
    return rule.is_clear(least - front)


def _plain(title: str) -> str:
    """The title of the idea itself, without the folds it has been through."""
    return title.removeprefix("Fold in: ").removeprefix("Adopt: ")

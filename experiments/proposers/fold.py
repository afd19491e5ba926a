"""
Fold wins of peers (and one's own side branches) into the champion.

A win is carried over by a three-way merge of the trees: its base, the champion,
the win. Where the win's author stands far ahead, adopting their whole tree is
offered too. Either way the result is a new hypothesis to be measured here.

Law: nothing is built on because somebody said so; a fold only says what to
measure next. A merge that conflicts is skipped.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from experiments.proposers import KnownWin, Situation, hypothesis
from swarm.grade import grade
from swarm.hypothesis import Hypothesis
from swarm.merge import merge_trees
from swarm.records import TreeHash
from swarm.tree import Tree, TreeError, check_bounds, tree_hash


@dataclass(frozen=True, slots=True)
class _Fold:
    win: KnownWin
    tree: Tree
    gain: float
    adopt: bool


class FoldProposer:
    """Offers the fold with the greatest claimed gain that was not tried yet."""

    name = "fold"

    def __init__(self) -> None:
        self._base = ""
        self._merges: dict[str, Tree | None] = {}

    def families(self, situation: Situation) -> Collection[str]:
        """`fold`, where a foreign win can be merged or adopted."""
        return {"fold"} if next(self._untried(situation), None) else set()

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The untried fold of greatest claimed gain."""
        fold = next(self._untried(situation), None) if family == "fold" else None
        if fold is None:
            return None
        verb = "Adopt" if fold.adopt else "Fold in"
        return hypothesis(
            situation,
            fold.tree,
            title=f"{verb}: {_plain(fold.win.title)}",
            rationale=f"{fold.win.nickname or 'A peer'} measured {fold.win.effect:+.4f} with it.",
            family="fold",
            proposer=self.name,
            parents=(fold.win.record,),
        )

    def _untried(self, situation: Situation) -> Iterator[_Fold]:
        base = tree_hash(situation.champion.tree)
        for fold in sorted(_ideas(situation), key=lambda fold: (-fold.gain, fold.win.record)):
            if not _may_run(situation, fold.win.tree):
                continue
            tree = fold.tree if fold.adopt else self._merged(situation, base, fold.win)
            if tree is None or tree_hash(tree) == base or situation.tried(base, tree_hash(tree)):
                continue
            if _may_run(situation, tree):
                yield _Fold(fold.win, tree, fold.gain, fold.adopt)

    def _merged(self, situation: Situation, base: TreeHash, win: KnownWin) -> Tree | None:
        if base != self._base:
            self._base, self._merges = base, {}
        if win.record not in self._merges:
            self._merges[win.record] = merge_trees(win.base_tree, situation.champion.tree, win.tree)
        return self._merges[win.record]


def _ideas(situation: Situation) -> Iterator[_Fold]:
    sign = 1.0 if situation.task.metric.direction == "minimize" else -1.0
    value = situation.champion.value
    for win in situation.wins:
        gain = -sign * win.effect
        yield _Fold(win, win.tree, gain, adopt=False)
        ahead = 0.0 if value is None else sign * (value - win.value)
        if ahead > gain:
            yield _Fold(win, win.tree, ahead, adopt=True)


def _may_run(situation: Situation, tree: Tree) -> bool:
    if (
        not situation.code_allowed
        and grade(situation.task.baseline, tree, situation.task) == "code"
    ):
        return False
    try:
        check_bounds(tree, situation.task.baseline)
    except TreeError:
        return False
    return True


def _plain(title: str) -> str:
    """The title of the idea itself, without the folds it has been through."""
    return title.removeprefix("Fold in: ").removeprefix("Adopt: ")

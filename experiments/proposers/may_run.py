"""Whether a tree that a proposer thought of may be run on this node, and told of."""

from __future__ import annotations

from experiments.proposers import Situation
from swarm.diff import DiffError, make_diff
from swarm.grade import grade
from swarm.records import TreeHash
from swarm.tree import Tree, TreeError, check_bounds, tree_hash

_REMEMBERED = 1024


class MayRun:
    """Answers, and remembers what it costs to find out: the size and the grade of a tree."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, TreeHash], tuple[bool, bool]] = {}

    def __call__(self, situation: Situation, tree: Tree) -> bool:
        """Whether it has the right files and is small, safe here, and within a person's bounds."""
        key = (situation.task.id, tree_hash(tree))
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = _is_small(situation, tree), _is_code(situation, tree)
        small, code = self._known[key]
        champion = situation.champion.tree
        if not small or champion.keys() != tree.keys():
            return False
        return (situation.code_allowed or not code) and situation.bounds.permits(champion, tree)


class CanBeTold:
    """Whether a diff leads from the champion to a tree; remembered, as it takes a while."""

    def __init__(self) -> None:
        self._known: dict[tuple[TreeHash, TreeHash], bool] = {}

    def __call__(self, situation: Situation, tree: Tree) -> bool:
        """Whether a record can say how the tree comes about."""
        champion = situation.champion.tree
        key = (tree_hash(champion), tree_hash(tree))
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[key] = _has_diff(champion, tree)
        return self._known[key]


def _has_diff(champion: Tree, tree: Tree) -> bool:
    try:
        return bool(make_diff(champion, tree))
    except DiffError:
        return False


def _is_small(situation: Situation, tree: Tree) -> bool:
    try:
        check_bounds(tree, situation.task.baseline)
    except TreeError:
        return False
    return True


def _is_code(situation: Situation, tree: Tree) -> bool:
    return grade(situation.task.baseline, tree, situation.task) == "code"

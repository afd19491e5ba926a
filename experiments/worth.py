"""
Whether a change that looked better is worth its proof.

A proof takes several runs, and among nodes that trust each other only the best of what
was seen is built on. So a node with friends sleeps on a find: it tells of it as promising
and measures something else first. What then still beats all that its friends have seen
is proven; the rest is left to be combined.

Law: only friends are heard, the peers whom this node's owner named: what a stranger says
never keeps anything from being proven.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from experiments.history import Past
from experiments.measure import Measured
from experiments.outside import Swarm
from experiments.proposers import Champion
from swarm.hypothesis import Hypothesis
from swarm.records import PROMISING, Pair, PeerId, RecordId, TreeHash, Trial, to_nano
from swarm.seen import SeenTrial, cost
from swarm.statistics import Rule
from swarm.task import Task

FAR_BEHIND = 2 / 3
"""A proof is given up where it shows less than this share of what a friend has gained."""

SLEEP = 3
"""After so many more experiments of this node a find is proven here, if nobody has yet."""

SEASON = 8
"""Among so many of the latest experiments a clear gain means that more are to be had."""


class Find(NamedTuple):
    """A change that looked better, and how many experiments were finished by then."""

    hypothesis: Hypothesis
    measured: Measured
    finished: int


class Worth:
    """What friends have seen, against which a find of one's own is held."""

    def __init__(self, task: Task, swarm: Swarm, history: Past, own: PeerId) -> None:
        self._own = own
        self._history = history
        self._finds: list[Find] = []
        self._task = task
        self._swarm = swarm
        self._rule = Rule.of(task)

    def sleep_on(self, hypothesis: Hypothesis, measured: Measured, finished: int) -> bool:
        """Keep a find for later, where friends may prove it or know of better; else False."""
        if not self._friends():
            return False
        self._finds.append(Find(hypothesis, measured, finished))
        return True

    def due(self, champion: Champion, finished: float = math.inf) -> Find | None:
        """
        The best find that was slept on, if it is the best that is known.

        Args:
            finished: How many experiments were finished here; by default sleep is over.
        """
        self._finds = [
            find
            for find in self._finds
            if self.replaces(champion, find.hypothesis, find.measured.pairs)
            and self.overtaken(find.hypothesis, find.measured) is None
        ]
        slept_on = [find for find in self._finds if finished >= find.finished + SLEEP]
        best = min(slept_on, key=lambda find: self._value(find.measured.pairs), default=None)
        if best is not None:
            self._finds.remove(best)
        return best

    def replaces(self, champion: Champion, hypothesis: Hypothesis, pairs: Sequence[Pair]) -> bool:
        """Whether what was better than its base is better than what is built on now."""
        if hypothesis.base == champion.record:
            return True
        if champion.value is None:
            return False
        value = Pair(0, 0, to_nano(champion.value))
        return self._rule.is_clear(self._value([value]) - self._value(pairs))

    def overtaken(self, hypothesis: Hypothesis, measured: Measured) -> str | None:
        """Why what was measured is not worth a proof; None where it may be the best yet."""
        if not self.is_clear(measured.pairs) and self._clear_ones_are_found():
            return "a small gain, set aside while larger ones are found"
        return self._behind(hypothesis, measured, 1.0)

    def left_behind(self, hypothesis: Hypothesis, measured: Measured) -> str | None:
        """Why a proof that was begun is not worth going on with; None where it is."""
        return self._behind(hypothesis, measured, FAR_BEHIND)

    def _clear_ones_are_found(self) -> bool:
        """Whether one of the latest experiments, here or at a friend's, was a clear gain."""
        friends = self._friends()
        theirs = [each.trial for each in self._swarm.peer_trials() if each.author in friends]
        latest = [*self._history.all()[-SEASON:], *theirs[-SEASON:]]
        return any(
            trial.outcome in (PROMISING, "win") and self.is_clear(trial.pairs) for trial in latest
        )

    def is_clear(self, pairs: Sequence[Pair]) -> bool:
        """Whether what was seen needs no second look."""
        return self._rule.is_clear(self._base_value(pairs) - self._value(pairs))

    def win_of(self, tree: TreeHash) -> RecordId | None:
        """The win of a friend that has this tree, if there is one."""
        friends, wins = self._friends(), self._swarm.board.wins
        return next(
            (each for each, win in wins.items() if win.tree == tree and win.author in friends), None
        )

    def _behind(self, hypothesis: Hypothesis, measured: Measured, share: float) -> str | None:
        if self.win_of(hypothesis.tree) is not None:
            return "a friend has proven it"
        pairs = measured.pairs
        base = self._base_value(pairs)
        best, title = min(self._others(hypothesis.tree), default=(math.inf, ""))
        if base - self._value(pairs) < share * (base - best):
            return f"behind “{title}”, which a friend has found"
        return None

    def _others(self, tree: TreeHash) -> Iterator[tuple[float, str]]:
        """What friends found, other than this tree: how good it is, and what it is called."""
        friends = self._friends()
        for trial in _latest(each for each in self._swarm.peer_trials() if each.author in friends):
            if trial.outcome in (PROMISING, "win") and trial.pairs and trial.tree != tree:
                yield self._value(trial.pairs), trial.title
        for win in self._swarm.board.wins.values():
            if win.author in friends and win.pairs and win.tree != tree:
                yield self._value([Pair(*pair) for pair in win.pairs]), win.title

    def _friends(self) -> frozenset[PeerId]:
        return self._swarm.anchors() - {self._own}

    def _value(self, pairs: Sequence[Pair]) -> float:
        return cost(pairs, self._task.metric.direction)

    def _base_value(self, pairs: Sequence[Pair]) -> float:
        return self._value([pair._replace(candidate_nano=pair.base_nano) for pair in pairs])


def _latest(trials: Iterable[SeenTrial]) -> Iterable[Trial]:
    """Of each experiment the last that was said."""
    found = {(seen.author, seen.trial.base_tree, seen.trial.tree): seen.trial for seen in trials}
    return found.values()

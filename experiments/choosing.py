"""
What to measure next: the strategy picks a family, a proposer an idea in it.

Law: nothing this node has tried is tried again on the same base. What was
interrupted comes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from experiments.findings import Author
from experiments.history import History
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.outside import Swarm
from experiments.priors import load_priors
from experiments.proposers import Champion, Proposer, Situation
from experiments.proposers.known import foldable_wins
from swarm.evidence import Standpoint, evidence_of
from swarm.hypothesis import Hypothesis
from swarm.newcomers import Piece, Spending
from swarm.priors import prior_of
from swarm.seen import SeenTrial
from swarm.settings import SearchSettings
from swarm.strategy import choose
from swarm.task import Task
from swarm.tree import tree_hash


class Chooser:
    """
    Chooses hypotheses, each once.

    Args:
        search: What the person set about the search.
        opinions: What this node thinks of the board.
        spending: What this node's time goes into.
        code_allowed: This node has the isolation that a code diff needs.
        uniform: A number in [0, 1), new at each call.

    Attributes:
        interrupted: What an earlier life of this node had begun and nobody took up yet.
    """

    def __init__(
        self,
        task: Task,
        history: History,
        proposers: Sequence[Proposer],
        swarm: Swarm,
        memory: Memory,
        author: Author,
        search: SearchSettings,
        opinions: Opinions,
        spending: Spending,
        *,
        code_allowed: bool,
        uniform: Callable[[], float],
    ) -> None:
        self._task = task
        self._history = history
        self._proposers = proposers
        self._swarm = swarm
        self._memory = memory
        self._author = author
        self._search = search
        self._opinions = opinions
        self._spending = spending
        self._code_allowed = code_allowed
        self._uniform = uniform
        self._tried = {(trial.base_tree, trial.tree) for trial in history.all()}
        self.interrupted = memory.interrupted()

    def next(self, champion: Champion) -> tuple[Hypothesis, str] | None:
        """A hypothesis that counts as tried from now on, and why; None where none is left."""
        chosen = self._again() or self._choose(champion)
        if chosen is not None:
            self._tried.add((chosen[0].base_tree, chosen[0].tree))
        return chosen

    def _again(self) -> tuple[Hypothesis, str] | None:
        while self.interrupted:
            hypothesis = self.interrupted.pop()
            untried = (hypothesis.base_tree, hypothesis.tree) not in self._tried
            if untried and self._memory.is_here(hypothesis):
                return hypothesis, "It was interrupted when this node last stopped."
        return None

    def _choose(self, champion: Champion) -> tuple[Hypothesis, str] | None:
        everything = self._situation(champion)
        situation = self._sparing(everything)
        if not (offers := self._offers(situation)):
            situation = everything
            offers = self._offers(situation)
        if not offers:
            return None
        choice = choose(
            offers,
            evidence_of(situation.trials, self._standpoint(champion)),
            prior_of(load_priors(), self._author.hardware_class),
            fold_share=self._search.fold_share,
            uniform=self._uniform,
        )
        hypothesis = offers[choice.family].propose(situation, choice.family)
        return None if hypothesis is None else (hypothesis, choice.why)

    def _offers(self, situation: Situation) -> dict[str, Proposer]:
        return {
            family: proposer
            for proposer in self._proposers
            for family in proposer.families(situation)
            if family not in self._search.exclude_families
        }

    def _sparing(self, situation: Situation) -> Situation:
        """The same, with no more wins to fold than folds and newcomers have a share for."""
        if not self._spending.has_room(_is_fold, self._search.fold_share):
            return replace(situation, wins=())
        known, wins = self._opinions.known(), self._swarm.board.wins
        if self._spending.has_room_for_newcomers(known):
            return situation
        trusted = [win for win in situation.wins if wins[win.record].author in known]
        return replace(situation, wins=trusted)

    def _standpoint(self, champion: Champion) -> Standpoint:
        metric = self._task.metric
        return Standpoint(
            base_tree=tree_hash(champion.tree),
            hardware_class=self._author.hardware_class,
            now_ms=self._swarm.now_ms(),
            direction=metric.direction,
            goal=metric.goal,
        )

    def _situation(self, champion: Champion) -> Situation:
        return Situation(
            task=self._task,
            champion=champion,
            wins=foldable_wins(
                self._swarm.board,
                champion.record,
                self._opinions.mine(),
                self._task.metric.direction,
                self._swarm.tree_of,
            ),
            code_allowed=self._code_allowed,
            tried=lambda base, tree: (base, tree) in self._tried,
            uniform=self._uniform,
            trials=[
                SeenTrial(self._author.peer_id, self._author.hardware_class, True, trial)
                for trial in self._history.all()
            ],
        )


def _is_fold(piece: Piece) -> bool:
    return bool(piece.authors) and not piece.check

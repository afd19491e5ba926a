"""
Ideas of a language model, as far as it has answered.

Asking takes seconds to minutes, so it is not done here: `experiments.proposers.llm_service`
asks in the background, and this proposer offers what has come back and still fits.

Law: an idea is for one champion. It passes every gate that other proposers' ideas pass,
once when it comes and once more whenever it is offered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

from experiments.proposers import Situation, hypothesis
from experiments.proposers.llm_answer import Answer, AnswerError, edited
from experiments.proposers.llm_pending import Waiting
from experiments.proposers.may_run import CanBeTold, MayRun
from swarm.bounds import same_or_absent
from swarm.grade import grade
from swarm.hypothesis import Hypothesis
from swarm.records import TreeHash
from swarm.settings_block import SettingsBlockError
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of, turned

NAME = "llm"
_MAX_KNOBS = 32


@dataclass(frozen=True, slots=True)
class LlmIdea:
    """An answer, and the tree (hash `key`) it makes of the champion's (hash `base`)."""

    base: TreeHash
    key: TreeHash
    tree: Tree
    answer: Answer


class LlmProposer:
    """
    Offers the ideas that are ready, the oldest first.

    Args:
        excluded: Families that the person does not want, whose knobs stay as they are.

    Attributes:
        given: How many ideas have been proposed.
    """

    name = NAME

    def __init__(self, excluded: Collection[str] = ()) -> None:
        self._excluded = frozenset(excluded)
        self._ready: list[LlmIdea] = []
        self.given = 0
        self._may_run, self._can_be_told = MayRun(), CanBeTold()

    def take(self, situation: Situation, answer: Answer) -> TreeHash:
        """
        Keep an answer as an idea for the champion.

        Returns:
            The hash of its tree.

        Raises:
            AnswerError: It does not fit the champion, may not run here, or is not new.
        """
        task, champion = situation.task, situation.champion.tree
        tree = edited(champion, answer.edits, task.baseline)
        if not situation.code_allowed and grade(task.baseline, tree, task) == "code":
            raise AnswerError("only settings may change here, to values that are listed")
        if not self._may_run(situation, tree):
            raise AnswerError("a setting leaves the bounds that the person set")
        if unwanted := self._unwanted(situation, tree, answer):
            raise AnswerError(f"the person does not want changes of the family {unwanted}")
        if not self._can_be_told(situation, tree):
            raise AnswerError("the change cannot be written as a diff: keep to plain text")
        idea = LlmIdea(tree_hash(champion), tree_hash(tree), tree, answer)
        known = {(each.base, each.key) for each in self._ready}
        if (idea.base, idea.key) in known or situation.tried(idea.base, idea.key):
            raise AnswerError("that change was tried already, or waits for its turn")
        self._ready.append(idea)
        return idea.key

    def waiting(self, situation: Situation) -> int:
        """How many ideas are ready; those for another champion are made for it, or dropped."""
        base = tree_hash(situation.champion.tree)
        left = [idea for idea in self._ready if not situation.tried(idea.base, idea.key)]
        self._ready = [idea for idea in left if idea.base == base]
        for idea in left:
            if idea.base != base:
                with suppress(AnswerError):
                    self.take(situation, idea.answer)
        return len(self._ready)

    def pending(self) -> tuple[Waiting, ...]:
        """The ideas that are ready, the oldest first."""
        return tuple(Waiting(idea.base, idea.answer) for idea in self._ready)

    def titles(self) -> Sequence[str]:
        """What the ideas that are ready are called."""
        return [idea.answer.title for idea in self._ready]

    def families(self, situation: Situation) -> Collection[str]:
        """The families of ideas that are ready."""
        return {idea.answer.family for idea in self._offered(situation)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The oldest idea of this family that is ready."""
        found = [each for each in self._offered(situation) if each.answer.family == family]
        if not found:
            return None
        idea = found[0]
        self.given += 1
        return hypothesis(
            situation,
            idea.tree,
            title=idea.answer.title,
            rationale=idea.answer.rationale,
            family=family,
            proposer=self.name,
            knobs=_knobs(situation, idea.tree),
        )

    def _offered(self, situation: Situation) -> Sequence[LlmIdea]:
        base = tree_hash(situation.champion.tree)
        return [
            idea
            for idea in self._ready
            if idea.base == base
            and not situation.tried(base, idea.key)
            and self._may_run(situation, idea.tree)
            and self._can_be_told(situation, idea.tree)
        ]

    def _unwanted(self, situation: Situation, tree: Tree, answer: Answer) -> str:
        """A family that is excluded and that this change belongs to; "" if there is none."""
        turned_names = _turned(situation, tree)
        families = {knob.family for knob in situation.task.knobs if knob.name in turned_names}
        return min(self._excluded & {answer.family, *families}, default="")


def _turned(situation: Situation, tree: Tree) -> list[str]:
    """The names of knobs that have another value in a tree than in the champion."""
    was, now = settings_of(situation.champion.tree), settings_of(tree)
    names = (knob.name for knob in situation.task.knobs)
    return [name for name in names if not same_or_absent(was.get(name), now.get(name))]


def _knobs(situation: Situation, tree: Tree) -> tuple[tuple[str, str], ...]:
    """The knobs that make all of the change; none where code changed too."""
    now = settings_of(tree)
    changes = {name: now[name] for name in _turned(situation, tree) if name in now}
    try:
        is_all = turned(situation.champion.tree, changes) == tree
    except SettingsBlockError:
        return ()
    if not is_all or len(changes) > _MAX_KNOBS:
        return ()
    return tuple((name, repr(value)) for name, value in sorted(changes.items()))

"""
Leave something out of the champion, in the hope that nothing is lost.

A setting goes back to its default, a size of the model one step down, a change of code
is taken back or a statement left out; and what a peer found to be as good and simpler
is carried over by a three-way merge. Whether it is as good is measured; whether it is
simpler is counted (`swarm.simplicity`), the trained weights included.

Law: what cannot be simpler by the count is not offered. Code is left out only where
changed code may run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from experiments.proposers import Situation, hypothesis
from experiments.proposers.code_cuts import cuts
from experiments.proposers.may_run import CanBeTold, MayRun
from experiments.proposers.turns import Changes, Turns, is_ordered
from swarm.bounds import same
from swarm.hypothesis import Hypothesis
from swarm.merge import merge_trees
from swarm.records import RecordId, TreeHash
from swarm.simplicity import FAMILY, size_of, why_simpler
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of

_REMEMBERED = 1024

SIZES = "width_depth"
"""The family of knobs whose smaller values make a smaller model."""


@dataclass(frozen=True, slots=True)
class _Idea:
    tree: Tree
    title: str
    rationale: str
    parents: tuple[RecordId, ...] = ()
    knobs: tuple[tuple[str, str], ...] = ()


class SimplifyProposer:
    """Offers the champion without one thing, the surest to lose nothing first."""

    name = "simplify"

    def __init__(self) -> None:
        self._may_run, self._can_be_told = MayRun(), CanBeTold()
        self._base = ""
        self._cuts: list[_Idea] = []
        self._hopeful: dict[tuple[TreeHash, TreeHash, bool], bool] = {}

    def families(self, situation: Situation) -> Collection[str]:
        """`simplify`, where something can be left out."""
        return {FAMILY} if next(self._untried(situation), None) else set()

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The next thing to leave out."""
        idea = next(self._untried(situation), None) if family == FAMILY else None
        if idea is None:
            return None
        return hypothesis(
            situation,
            idea.tree,
            title=idea.title,
            rationale=idea.rationale,
            family=FAMILY,
            proposer=self.name,
            parents=idea.parents,
            knobs=idea.knobs,
        )

    def _untried(self, situation: Situation) -> Iterator[_Idea]:
        base = situation.champion.tree
        base_hash = tree_hash(base)
        for idea in self._ideas(situation):
            tree = tree_hash(idea.tree)
            if tree == base_hash or situation.tried(base_hash, tree):
                continue
            runs = self._may_run(situation, idea.tree) and self._can_be_told(situation, idea.tree)
            if runs and self._is_hopeful(situation, base_hash, idea):
                yield idea

    def _is_hopeful(self, situation: Situation, base: TreeHash, idea: _Idea) -> bool:
        key = (base, tree_hash(idea.tree), bool(idea.knobs or idea.parents))
        if key not in self._hopeful:
            if len(self._hopeful) >= _REMEMBERED:
                self._hopeful.clear()
            self._hopeful[key] = _may_be_simpler(situation, idea)
        return self._hopeful[key]

    def _ideas(self, situation: Situation) -> Iterator[_Idea]:
        turns = Turns(situation)
        yield from _found_by_peers(situation)
        yield from _defaults(situation, turns)
        yield from _smaller(turns)
        if situation.code_allowed:
            yield from self._shorter(situation, turns)

    def _shorter(self, situation: Situation, turns: Turns) -> Iterator[_Idea]:
        if turns.base != self._base:
            self._base, self._cuts = turns.base, list(_shorter(situation, turns))
        yield from self._cuts


def _may_be_simpler(situation: Situation, idea: _Idea) -> bool:
    """Whether it is by the count, or could be once its weights are counted."""
    baseline = situation.task.baseline
    before = size_of(situation.champion.tree, baseline)
    after = size_of(idea.tree, baseline)
    if why_simpler(before, after):
        return True
    return bool(idea.knobs or idea.parents) and (after.nodes or 0) <= (before.nodes or 0)


def _found_by_peers(situation: Situation) -> Iterator[_Idea]:
    for win in situation.wins:
        if not win.simpler:
            continue
        tree = merge_trees(win.base_tree, situation.champion.tree, win.tree)
        if tree is not None:
            who = win.nickname or "A peer"
            title = f"Also here: {win.title.removeprefix('Also here: ')}"
            yield _Idea(tree, title, f"{who} found that it loses nothing.", (win.record,))


def _defaults(situation: Situation, turns: Turns) -> Iterator[_Idea]:
    """Each setting back at the default, as far as its bounds allow, idle ones first."""
    usual = settings_of(situation.task.baseline)
    knobs = turns.knobs
    settings = turns.settings
    for name in sorted(settings, key=lambda each: each in knobs and knobs[each].matters(settings)):
        value = settings[name]
        default = usual.get(name)
        if default is None or same(default, value) or name not in knobs:
            continue
        if situation.bounds.admits(name, default):
            yield _turned(turns, ((name, default),), "Back at its default.")


def _smaller(turns: Turns) -> Iterator[_Idea]:
    """One step down in each size of the model."""
    for knob in turns.knobs.values():
        values, now = turns.values(knob), turns.settings[knob.name]
        if knob.family != SIZES or not is_ordered(values) or not knob.matters(turns.settings):
            continue
        place = next(i for i, value in enumerate(values) if same(value, now))
        if place:
            yield _turned(turns, ((knob.name, values[place - 1]),), "A smaller model.")


def _turned(turns: Turns, changes: Changes, rationale: str) -> _Idea:
    title = ", ".join(f"{name} {turns.settings[name]} → {value}" for name, value in changes)
    knobs = tuple((name, repr(value)) for name, value in changes)
    return _Idea(turns.tree(changes), f"Simpler: {title}", rationale, knobs=knobs)


def _shorter(situation: Situation, turns: Turns) -> Iterator[_Idea]:
    """Code left out, where that alone makes it simpler."""
    champion, baseline = situation.champion.tree, situation.task.baseline
    before = size_of(champion, baseline)
    for path in sorted(champion):
        if not path.endswith(".py"):
            continue
        for cut in cuts(champion[path], baseline.get(path, b""), turns.settings):
            tree = {**champion, path: cut.source}
            if settings_of(tree) == turns.settings and why_simpler(before, size_of(tree, baseline)):
                yield _Idea(tree, f"Simpler: {cut.what}", "Less code may do as well.")

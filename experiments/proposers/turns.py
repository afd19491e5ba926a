"""
What turning knobs of a champion can give.

Law: only knobs that change something are turned, only to values that the task and
the person allow, and a knob that another one's turn has made idle is no longer there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from experiments.proposers import Situation
from experiments.proposers.grid import grid
from swarm.bounds import same
from swarm.grade import grade
from swarm.knob import Knob
from swarm.records import TreeHash, Trial
from swarm.settings_block import Scalar
from swarm.signals import Idea
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of, turned

Changes: TypeAlias = tuple[tuple[str, Scalar], ...]
"""Settings by name and their new values, sorted by name."""


class Hashes:
    """Hashes of turned trees, remembered for as long as the champion is the same."""

    def __init__(self) -> None:
        self._base = ""
        self._known: dict[tuple[tuple[str, str], ...], TreeHash] = {}

    def of(self, base: TreeHash, tree: Tree, changes: Changes) -> TreeHash:
        """The hash of a tree, whose own hash is `base`, with some changes."""
        if base != self._base:
            self._base, self._known = base, {}
        key = tuple((name, repr(value)) for name, value in changes)
        if key not in self._known:
            self._known[key] = tree_hash(turned(tree, dict(changes)))
        return self._known[key]


class Turns:
    """
    The champion of a situation and what its knobs can be turned to.

    Args:
        hashes: Where hashes are remembered from one situation to the next.

    Attributes:
        base: Hash of the champion's tree.
        settings: The champion's.
        knobs: By name, all that the champion has a setting for; none where it may not run.
    """

    def __init__(self, situation: Situation, hashes: Hashes | None = None) -> None:
        self._situation = situation
        self._hashes = hashes or Hashes()
        self._tree = situation.champion.tree
        self._values: dict[str, list[Scalar]] = {}
        self.base = tree_hash(self._tree)
        self.settings: Mapping[str, Scalar] = settings_of(self._tree)
        named = {knob.name: knob for knob in situation.task.knobs}
        runs = situation.code_allowed or _is_turned_only(situation)
        self.knobs = {name: each for name, each in named.items() if runs and name in self.settings}

    def values(self, knob: Knob) -> list[Scalar]:
        """The values that a knob may have: of its grid and the person's, and the champion's."""
        if knob.name not in self._values:
            bounds = self._situation.bounds
            own = bounds.knobs.get(knob.name)
            extra = [] if own is None else [*own.values, *([] if own.pin is None else [own.pin])]
            allowed: list[Scalar] = []
            for value in (*grid(knob), *extra):
                if knob.admits(value) and bounds.admits(knob.name, value):
                    allowed += [] if _among(value, allowed) else [value]
            now = self.settings[knob.name]
            allowed += [] if _among(now, allowed) else [now]
            self._values[knob.name] = sorted(allowed) if is_ordered(allowed) else allowed
        return self._values[knob.name]

    def singles(self, family: str | None = None) -> Iterator[tuple[Knob, Scalar]]:
        """Every turn of one knob, of one family or of all, whether it was tried or not."""
        for knob in self.knobs.values():
            if family in (None, knob.family) and knob.matters(self.settings):
                now = self.settings[knob.name]
                yield from ((knob, each) for each in self.values(knob) if not same(each, now))

    def changes(self, wanted: Mapping[str, Scalar]) -> Changes:
        """What differs from the champion of these settings, without knobs that would be idle."""
        here: dict[str, Scalar] = {**self.settings, **wanted}
        return tuple(
            (name, value)
            for name, value in sorted(wanted.items())
            if not same(value, self.settings[name]) and self.knobs[name].matters(here)
        )

    def tree(self, changes: Changes) -> Tree:
        """The champion with these changes."""
        return turned(self._tree, dict(changes))

    def is_new(self, changes: Changes) -> bool:
        """Whether these changes give a tree that was not tried on this champion."""
        return bool(changes) and not self._situation.tried(
            self.base, self._hashes.of(self.base, self._tree, changes)
        )

    def read(self, said: Trial | Idea) -> Changes | None:
        """
        What a trial turned, or is said to turn, as turns of this champion; it may be anybody's.

        Returns:
            None where it turned no knobs, or one that is unknown here, is idle, or may
            not have that value; empty where the champion has it all.
        """
        wanted: dict[str, Scalar] = {}
        for name, literal in said.knobs:
            value = self._read(name, literal)
            if value is None:
                return None
            wanted[name] = value
        here: dict[str, Scalar] = {**self.settings, **wanted}
        if not wanted or not all(self.knobs[name].matters(here) for name in wanted):
            return None
        return self.changes(wanted)

    def towards(self, literals: Mapping[str, str]) -> Changes | None:
        """The turns that give all these settings; None where one is not to be had here."""
        wanted: dict[str, Scalar] = {}
        for name, literal in literals.items():
            if name in self.settings and repr(self.settings[name]) != literal:
                value = self._read(name, literal)
                if value is None:
                    return None
                wanted[name] = value
        return tuple(sorted(wanted.items()))

    def _read(self, name: str, literal: str) -> Scalar | None:
        """The value of this knob that is spelled so, if it is one it may have here."""
        knob = self.knobs.get(name)
        if knob is None:
            return None
        return next((each for each in self.values(knob) if repr(each) == literal), None)


def _is_turned_only(situation: Situation) -> bool:
    task = situation.task
    return grade(task.baseline, situation.champion.tree, task) == "knob"


def is_ordered(values: list[Scalar]) -> bool:
    """Whether values are numbers, which have an order and neighbours."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _among(value: Scalar, others: list[Scalar]) -> bool:
    return any(same(value, other) for other in others)

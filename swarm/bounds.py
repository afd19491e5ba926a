"""
What a person allows the search to turn, and how far.

A knob can be excluded, pinned to one value, or held to a range or to some of its
values. What was there before stays allowed: bounds stop changes, they make none.

Law: bounds narrow what is proposed here. What a tree may be, and how it is graded,
stays the task's business, so that peers agree on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from swarm.settings_block import Scalar
from swarm.toml_table import is_number
from swarm.tree import Tree
from swarm.turning import settings_of


class BoundsError(ValueError):
    """What a person bounded is not there; the message names it and what there is."""


@dataclass(frozen=True, slots=True)
class KnobBounds:
    """
    What one knob may be turned to.

    Attributes:
        exclude: It is not turned at all.
        pin: The only value it may be turned to.
        low, high: The range it may be turned within, both ends included; numbers only.
        values: Some of its values, which alone it may be turned to.
    """

    exclude: bool = False
    pin: Scalar | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[Scalar, ...] = ()

    def admits(self, value: Scalar) -> bool:
        """Whether the knob may be turned to a value."""
        if self.exclude:
            return False
        wanted = (*self.values, *(() if self.pin is None else (self.pin,)))
        if wanted and not any(same(value, each) for each in wanted):
            return False
        if self.low is None and self.high is None:
            return True
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        return is_number(value) and low <= float(value) <= high


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a person allows, by the name of the knob; what is not named is free."""

    knobs: Mapping[str, KnobBounds] = field(default_factory=dict[str, KnobBounds])

    def admits(self, name: str, value: Scalar) -> bool:
        """Whether a knob may be turned to a value."""
        return name not in self.knobs or self.knobs[name].admits(value)

    def for_knobs(self, names: Collection[str]) -> Bounds:
        """
        The same, for a task with knobs of these names.

        Raises:
            BoundsError: A knob is bounded that the task does not have.
        """
        if unknown := sorted(self.knobs.keys() - set(names)):
            known = ", ".join(sorted(names))
            raise BoundsError(f"search.knobs.{unknown[0]}: the task has no such knob, but {known}")
        return self

    def permits(self, before: Tree, after: Tree) -> bool:
        """Whether one tree may be changed to another: no bounded setting leaves its bounds."""
        if not self.knobs:
            return True
        was, now = settings_of(before), settings_of(after)
        return all(
            same_or_absent(was.get(name), now.get(name)) or self._allows(name, now.get(name))
            for name in self.knobs
        )

    def _allows(self, name: str, value: Scalar | None) -> bool:
        return value is not None and self.admits(name, value)


UNBOUNDED = Bounds()


def same(value: Scalar, other: Scalar) -> bool:
    """Equal and of a kind: 1 and 1.0 are, 1 and True are not."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def same_or_absent(value: Scalar | None, other: Scalar | None) -> bool:
    """The same, or a setting that neither has."""
    if value is None or other is None:
        return value is other
    return same(value, other)

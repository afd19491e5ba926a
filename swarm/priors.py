"""
What each kind of machine tries first.

A prior says how promising a family of ideas is before anything was tried, which
families are swept on a class of hardware (several of their ideas started at once),
and why, in words. Priors are data: a TOML document with a table per class and one,
`every`, that holds for all of them.

Law: every class has a prior with a weight for every family; an unknown class has
that of `every` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.families import FAMILIES
from swarm.hardware import HARDWARE_CLASSES
from swarm.toml_table import Table, TableError

MOST_WEIGHT = 20.0
MOST_AT_ONCE = 64

EVERY = "every"
"""The table of the document that holds for every class."""


class PriorsError(ValueError):
    """The document with the priors cannot be used; the message names the key."""


@dataclass(frozen=True, slots=True)
class Prior:
    """
    Where a class of hardware begins.

    Attributes:
        weights: By family; 1 is ordinary, 0 leaves it to chance.
        at_once: How many ideas of a swept family are started together.
        sweeps: The families that are swept.
        why: What this kind of machine is good at, in one plain sentence.
    """

    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    at_once: int = 1
    sweeps: frozenset[str] = frozenset()
    why: str = ""

    def weight(self, family: str) -> float:
        """How promising a family is at first."""
        return self.weights.get(family, 1.0)

    def width(self, family: str) -> int:
        """How many ideas of a family to start together."""
        return self.at_once if family in self.sweeps else 1


Priors = Mapping[str, Prior]
"""The prior of every class of hardware."""


def parse_priors(document: bytes) -> Priors:
    """
    The priors in a TOML document.

    Raises:
        PriorsError: Not TOML, or a key that is missing, unknown or out of bounds.
    """
    try:
        root = Table.parse(document)
        every = _prior(root.table(EVERY), Prior())
        found = {name: _prior(root.table(name), every) for name in HARDWARE_CLASSES}
        root.done()
    except TableError as error:
        raise PriorsError(str(error)) from error
    return {EVERY: every, **found}


def prior_of(priors: Priors, hardware_class: str) -> Prior:
    """The prior of a class; that of `every` where the class is unheard of."""
    return priors.get(hardware_class) or priors.get(EVERY, Prior())


def _prior(table: Table, above: Prior) -> Prior:
    why = table.text("why")
    at_once = table.integer("at_once", 1, MOST_AT_ONCE, above.at_once)
    sweeps = table.texts("sweeps", [])
    if strangers := sorted(set(sweeps) - set(FAMILIES)):
        raise TableError(table.key("sweeps"), f"{strangers[0]!r} is no family")
    inner = table.table("weights")
    weights = {
        family: inner.number(family, 0.0, MOST_WEIGHT, above.weight(family)) for family in FAMILIES
    }
    inner.done()
    table.done()
    return Prior(weights, at_once, frozenset(sweeps), why)

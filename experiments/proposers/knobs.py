"""
Change one knob of the champion.

Law: values come from a fixed grid inside the range the task declares, so "what
is left to try" has an answer and two nodes mean the same by a value. Numbers on
a logarithmic scale step 1, 2, 5, 10; integers on one step by doubling.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator

from experiments.proposers import Situation, hypothesis
from swarm.hypothesis import Hypothesis
from swarm.knob import Knob
from swarm.settings_block import Scalar, SettingsBlockError, read_settings, write_settings
from swarm.tree import Tree, tree_hash

_MAX_STEPS = 8


class KnobProposer:
    """Offers every grid value of every knob that the champion does not have yet."""

    name = "knobs"

    def families(self, situation: Situation) -> Collection[str]:
        """Families with at least one untried value."""
        return {knob.family for knob, _, _ in _untried(situation)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """A knob of the family first, then a value of it, each with equal odds."""
        options = [option for option in _untried(situation) if option[0].family == family]
        if not options:
            return None
        names = sorted({knob.name for knob, _, _ in options})
        name = names[int(situation.uniform() * len(names))]
        of_knob = [option for option in options if option[0].name == name]
        knob, value, tree = of_knob[int(situation.uniform() * len(of_knob))]
        return _hypothesis(situation, knob, value, tree)


def grid(knob: Knob) -> list[Scalar]:
    """
    The values of a knob that are worth telling apart.

    Returns:
        All choices of a choice; for a range at most a few per decade (log) or
        `_MAX_STEPS` evenly spaced ones (linear), in rising order.
    """
    if knob.kind == "choice":
        return list(knob.choices)
    assert knob.low is not None and knob.high is not None
    values = list(_log_steps(knob)) if knob.log else _even_steps(knob.low, knob.high)
    if knob.kind == "int":
        return [*sorted({round(value) for value in values})]
    return [*sorted({float(f"{value:.3g}") for value in values})]


def _log_steps(knob: Knob) -> Iterator[float]:
    assert knob.low is not None and knob.high is not None
    yield from (knob.low, knob.high)
    if knob.kind == "int":
        power = 1
        while power <= knob.high:
            if power >= knob.low:
                yield power
            power *= 2
        return
    for exponent in range(math.floor(math.log10(knob.low)), math.ceil(math.log10(knob.high)) + 1):
        yield from (
            step * 10.0**exponent
            for step in (1, 2, 5)
            if knob.low <= step * 10.0**exponent <= knob.high
        )


def _even_steps(low: float, high: float) -> list[float]:
    return [low + (high - low) * step / (_MAX_STEPS - 1) for step in range(_MAX_STEPS)]


def _untried(situation: Situation) -> list[tuple[Knob, Scalar, Tree]]:
    tree = situation.champion.tree
    base = tree_hash(tree)
    found: list[tuple[Knob, Scalar, Tree]] = []
    for path, source in sorted(tree.items()):
        try:
            current = read_settings(source)
        except SettingsBlockError:
            continue
        for knob in situation.task.knobs:
            if knob.name not in current or not knob.matters(current):
                continue
            for value in grid(knob):
                if current[knob.name] == value:
                    continue
                candidate = {**tree, path: write_settings(source, {knob.name: value})}
                if not situation.tried(base, tree_hash(candidate)):
                    found.append((knob, value, candidate))
    return found


def _hypothesis(situation: Situation, knob: Knob, value: Scalar, tree: Tree) -> Hypothesis:
    before = _value_of(situation.champion.tree, knob.name)
    source = knob.source_of(value)
    return hypothesis(
        situation,
        tree,
        title=f"{knob.name} {before} → {value}",
        rationale=source or f"One step in {knob.family}: {knob.name} at {value}.",
        family=knob.family,
        proposer=KnobProposer.name,
        knobs=((knob.name, repr(value)),),
    )


def _value_of(tree: Tree, name: str) -> Scalar | None:
    for _, source in sorted(tree.items()):
        try:
            return read_settings(source)[name]
        except (SettingsBlockError, KeyError):
            continue
    return None

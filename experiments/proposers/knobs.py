"""
Turn knobs of the champion: each value once by itself, then what the results suggest.

A value that this node never turned to is fair game, any knob of the family and any
of its values with equal odds. The more results there are and the fewer new values,
the more often one to three knobs are turned at once, to where a model of all trials
expects a gain (`experiments.proposers.tpe`).

Law: what peers say they tried is counted as `experiments.proposers.results` says. It
tilts the odds and decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from experiments.proposers import Situation, hypothesis, one_of
from experiments.proposers.results import FAR, Result, pending, results
from experiments.proposers.tpe import Point, Space, suggestions
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.hypothesis import Hypothesis
from swarm.knob import Knob
from swarm.settings_block import Scalar

NEW_VALUES_WEIGH = 2.0
"""How many results a value never turned to outweighs when the model is chosen."""


class KnobProposer:
    """Offers turns of one knob that were not made yet, and turns of a few at once."""

    name = "knobs"

    def __init__(self) -> None:
        self._hashes = Hashes()

    def families(self, situation: Situation) -> Collection[str]:
        """Families with at least one untried turn."""
        turns = Turns(situation, self._hashes)
        named = sorted({knob.family for knob in turns.knobs.values()})
        return {family for family in named if next(_untried(turns, family), None)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """A new value of one knob, or what the model of all results suggests."""
        turns = Turns(situation, self._hashes)
        known = results(situation, turns)
        new = list(_new_values(situation, turns, family))
        share = len(known) / (len(known) + NEW_VALUES_WEIGH * len(new)) if known else 0.0
        if new and situation.uniform() >= share:
            return _proposal(situation, turns, _drawn(situation, new), family)
        suggested = _suggested(situation, turns, family, known)
        if suggested is not None:
            rationale = f"{len(known)} results with these settings suggest it."
            return _proposal(situation, turns, suggested, family, rationale)
        rest = next(_untried(turns, family), None)
        return None if rest is None else _proposal(situation, turns, rest, family)


def _new_values(situation: Situation, turns: Turns, family: str) -> Iterator[tuple[Knob, Scalar]]:
    """Turns of one knob that this node has made on no base; of the one swept, if it has any."""
    made = {seen.trial.knobs for seen in situation.trials if seen.own}
    new = [
        (knob, value)
        for knob, value in turns.singles(family)
        if ((knob.name, repr(value)),) not in made and turns.is_new(((knob.name, value),))
    ]
    swept = [turn for turn in new if turn[0].name == situation.sweep]
    yield from swept or new


def _drawn(situation: Situation, turns: Sequence[tuple[Knob, Scalar]]) -> Changes:
    """A knob first, then a value of it, each with equal odds."""
    name = one_of(situation, sorted({knob.name for knob, _ in turns}))
    return ((name, one_of(situation, [value for knob, value in turns if knob.name == name])),)


def _untried(turns: Turns, family: str) -> Iterator[Changes]:
    """Turns of one knob of a family, then of one of its and any other."""
    for knob, value in turns.singles(family):
        if turns.is_new(((knob.name, value),)):
            yield ((knob.name, value),)
    for knob, value in turns.singles(family):
        for other, its_value in turns.singles():
            pair = turns.changes({knob.name: value, other.name: its_value})
            if len(pair) == 2 and turns.is_new(pair):
                yield pair


def _suggested(
    situation: Situation, turns: Turns, family: str, known: Sequence[Result]
) -> Changes | None:
    """What the model suggests for a knob of the family and up to two others."""
    space = _space(situation, turns, family, known)
    if not known or not space:
        return None
    seed = int(situation.uniform() * 2**32)
    points = [*_points(turns, space, known), *_under_way(situation, turns, space)]
    for values in suggestions(space, points, seed):
        changes = turns.changes(values)
        turned = {turns.knobs[name].family for name, _ in changes}
        if family in turned and turns.is_new(changes):
            return changes
    return None


def _space(situation: Situation, turns: Turns, family: str, known: Sequence[Result]) -> Space:
    """A knob of the family and none, one or two others; what did well is likelier among them."""
    best: dict[str, float] = {}
    for result in known:
        for name, _ in result.changes:
            best[name] = min(best.get(name, FAR), result.worse)
    knobs = list({knob.name: knob for knob, _ in turns.singles()}.values())
    wanted = [knob for knob in knobs if knob.family == family]
    chosen: list[Knob] = []
    for _ in range(1 + int(situation.uniform() * 3)):
        left = [knob for knob in (knobs if chosen else wanted) if knob not in chosen]
        if left:
            weights = [2 ** -max(-4.0, min(4.0, best.get(knob.name, 0.0))) for knob in left]
            chosen.append(one_of(situation, left, weights))
    return {knob.name: turns.values(knob) for knob in chosen}


def _points(turns: Turns, space: Space, known: Sequence[Result]) -> list[Point]:
    """Results that turned knobs of this space alone, and the champion itself."""
    here = {name: turns.settings[name] for name in space}
    points = [Point(here, 0.0)]
    for result in known:
        changes = dict(result.changes)
        if changes.keys() <= space.keys():
            points.append(Point({**here, **changes}, result.worse))
    return points


def _under_way(situation: Situation, turns: Turns, space: Space) -> Iterator[Point]:
    """What peers measure now in this space: no results, but places to keep away from."""
    here = {name: turns.settings[name] for name in space}
    for changes in pending(situation, turns):
        if dict(changes).keys() <= space.keys():
            yield Point({**here, **dict(changes)}, None)


def _proposal(
    situation: Situation, turns: Turns, changes: Changes, family: str, rationale: str = ""
) -> Hypothesis:
    [(name, value), *others] = changes
    step = "Two turns at once." if others else f"One step in {family}: {name} at {value}."
    known = None if others else turns.knobs[name].source_of(value)
    return hypothesis(
        situation,
        turns.tree(changes),
        title=", ".join(f"{name} {turns.settings[name]} → {value}" for name, value in changes),
        rationale=rationale or known or step,
        family=family,
        proposer=KnobProposer.name,
        knobs=tuple((name, repr(value)) for name, value in changes),
    )

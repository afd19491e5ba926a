"""
Turn many knobs of the champion at once, to what all experiments together speak for.

Gains that were seen one by one, here or by peers, are tried together: proving a large
step costs no more than proving a small one. What each setting is worth comes from
`experiments.proposers.additive`; plausible worths are drawn anew for each proposal, so
that nodes who know the same do not all try the same.

Law: what peers say is measured here before it counts; strangers' experiments count no
more than this node's own, and half.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache, partial
from typing import NamedTuple, TypeAlias

from experiments.proposers import Situation, hypothesis, one_of
from experiments.proposers.additive import Observation, Setting, Worths
from experiments.proposers.results import FAR, heard_trials, is_close, worse_of
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.families import FAMILIES
from swarm.hypothesis import Hypothesis
from swarm.records import PeerId, RecordId, TreeHash
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar
from swarm.turning import settings_of

MOST_AT_ONCE = 8
"""No more knobs are turned at once."""

WORTH_TURNING = 0.5
"""What a setting has to be worth in a draw, in `min_effect`, to be turned to."""

NEW_TOO = 0.3
"""How often a value that nobody has tried is turned to along with the others."""

STRANGERS_DOUBT = 2.0
OTHER_BASE_DOUBT = 2.0
"""How much surer is what was measured here, and on this base."""

ASKED_AT_MOST = 8

MOST_BETTER = 1000.0
"""No gain of this node or a friend counts as more, in `min_effect`."""


class _Turn(NamedTuple):
    gain: float
    name: str
    value: Scalar


_Heard: TypeAlias = tuple[TreeHash, frozenset[PeerId], list[SeenTrial]]


class CombineProposer:
    """Offers two turns at once or more, of knobs that are each promising."""

    name = "combine"

    def __init__(self) -> None:
        self._hashes = Hashes()
        self._last: tuple[_Heard, Worths | None] | None = None

    def families(self, situation: Situation) -> Collection[str]:
        """The families of all settings that are expected to be worth a turn, with another."""
        turns = Turns(situation, self._hashes)
        worths = self._worths(situation, turns)
        return {family for family in FAMILIES if next(_pairs(turns, worths, family), None)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """What a draw of plausible worths speaks for, with a knob of the family in it."""
        turns = Turns(situation, self._hashes)
        worths = self._worths(situation, turns)
        pair = next(_pairs(turns, worths, family), None)
        if pair is None or worths is None:
            return None
        for _ in range(ASKED_AT_MOST):
            changes = _changes(situation, turns, worths.drawn(_seed(situation)), family)
            if len(changes) > 1 and turns.is_new(changes):
                return _proposal(situation, turns, changes, family)
        return _proposal(situation, turns, pair, family)

    def _worths(self, situation: Situation, turns: Turns) -> Worths | None:
        """What settings are worth; as it was last time, if nothing has been heard since."""
        key = turns.base, situation.friends, heard_trials(situation)
        if self._last is None or self._last[0] != key:
            found = list(_observations(situation, turns, key[2]))
            self._last = key, Worths(found) if found else None
        return self._last[1]


def _observations(
    situation: Situation, turns: Turns, heard: Collection[SeenTrial]
) -> Iterator[Observation]:
    settings = cache(partial(_settings, situation))
    for seen in heard:
        trial, close = seen.trial, is_close(situation, seen)
        worse = worse_of(situation, trial, MOST_BETTER if close else FAR)
        before = settings(trial.base)
        if worse is None or not trial.knobs or before is None:
            continue
        if not all(name in before for name, _ in trial.knobs):
            continue
        doubt = 1.0 if close else STRANGERS_DOUBT
        doubt *= 1.0 if trial.base_tree == turns.base else OTHER_BASE_DOUBT
        yield Observation(
            now=trial.knobs,
            before=[(name, before[name]) for name, _ in trial.knobs],
            gain=-worse,
            doubt=doubt,
        )


def _pairs(turns: Turns, worths: Worths | None, family: str) -> Iterator[Changes]:
    """Two turns at once that are new, both expected to be worth it, one of the family."""
    good = [turn for turn in _better(turns, worths.expected()) if turn.gain > 0] if worths else []
    for turn in good:
        if turns.knobs[turn.name].family == family:
            for other in good:
                changes = turns.changes({turn.name: turn.value, other.name: other.value})
                if len(changes) > 1 and turns.is_new(changes):
                    yield changes


def _settings(situation: Situation, record: RecordId | None) -> dict[str, str] | None:
    """The literals of a base's settings; None where its tree is not here."""
    tree = situation.tree_of(record)
    return None if tree is None else {n: repr(v) for n, v in settings_of(tree).items()}


def _better(turns: Turns, worths: Mapping[Setting, float]) -> list[_Turn]:
    """For each knob the best of its other values that are known, the greatest gain first."""
    best: dict[str, _Turn] = {}
    for knob, value in turns.singles():
        setting, here = (knob.name, repr(value)), (knob.name, repr(turns.settings[knob.name]))
        if setting in worths:
            turn = _Turn(worths[setting] - worths.get(here, 0.0), knob.name, value)
            if knob.name not in best or turn.gain > best[knob.name].gain:
                best[knob.name] = turn
    return sorted(best.values(), key=lambda turn: (-turn.gain, turn.name))


def _changes(
    situation: Situation, turns: Turns, worths: Mapping[Setting, float], family: str
) -> Changes:
    """All turns that a draw finds worth it, one of the family at least."""
    better = _better(turns, worths)
    own = [turn for turn in better if turns.knobs[turn.name].family == family]
    rest = [turn for turn in better if turn.gain > WORTH_TURNING and turn not in own[:1]]
    chosen = {turn.name: turn.value for turn in (*own[:1], *rest[: MOST_AT_ONCE - 1])}
    if situation.uniform() < NEW_TOO:
        unknown = [
            (knob.name, value)
            for knob, value in turns.singles()
            if (knob.name, repr(value)) not in worths and knob.name not in chosen
        ]
        chosen |= dict([one_of(situation, unknown)] if unknown else [])
    return turns.changes(chosen)


def _seed(situation: Situation) -> int:
    return int(situation.uniform() * 2**32)


def _proposal(situation: Situation, turns: Turns, changes: Changes, family: str) -> Hypothesis:
    turned = ", ".join(f"{name} {turns.settings[name]} → {value}" for name, value in changes)
    return hypothesis(
        situation,
        turns.tree(changes),
        title=f"Together: {turned}",
        rationale=f"Each of these {len(changes)} settings is promising by what was measured.",
        family=family,
        proposer=CombineProposer.name,
        knobs=tuple((name, repr(value)) for name, value in changes),
    )

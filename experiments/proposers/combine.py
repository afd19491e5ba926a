"""
Turn many knobs at once, to what all experiments together speak for.

Gains that were seen one by one, here or by peers, are tried together: proving a large
step costs no more than proving a small one. It starts from the best that this node and
its friends have measured, though that is not proven yet. What each setting is worth comes
from `experiments.proposers.additive`; plausible worths are drawn anew for each proposal,
so that nodes who know the same do not all try the same.

A node with friends turns knobs to values that nobody has tried too: what each is worth then
comes out of all their experiments, which as single turns would cover less.
Where friends are many, the first idea of each draws every knob anew: the best of many random
settings is a better start than a poor baseline with a few turns.

Law: what peers say is measured here before it counts; strangers' experiments count no
more than this node's own, and half, and nobody starts from them.

Sources. Turning many at once to learn of each: Plackett & Burman, "The design of optimum
multifactorial experiments", Biometrika 33 (1946). Random settings first: Bergstra & Bengio,
"Random search for hyper-parameter optimization", JMLR 13 (2012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from experiments.proposers import Situation, hypothesis, one_of
from experiments.proposers.additive import Observation, Setting, Worths
from experiments.proposers.front import MANY, champion_cost, finds
from experiments.proposers.observed import observations, settings_at
from experiments.proposers.results import heard_trials, is_close
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.families import FAMILIES
from swarm.hypothesis import Hypothesis
from swarm.records import PeerId, TreeHash
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar

MOST_AT_ONCE = 10
FIRST_AT_ONCE = 2
"""No more knobs are turned at once, and before anything is known; each experiment adds one."""

ASKED_AT_MOST = 8


class _Turn(NamedTuple):
    gain: float
    name: str
    value: Scalar


_Heard: TypeAlias = tuple[TreeHash, frozenset[PeerId], list[SeenTrial]]


class CombineProposer:
    """Offers two turns at once or more: promising ones, and with friends untried ones too."""

    name = "combine"

    def __init__(self) -> None:
        self._hashes = Hashes()
        self._last: tuple[_Heard, Worths] | None = None

    def families(self, situation: Situation) -> Collection[str]:
        """The families of all settings that may be worth a turn, with another."""
        turns = Turns(situation, self._hashes)
        open_ones = _open(situation, turns, self._worths(situation, turns))
        return {family for family in FAMILIES if next(_pairs(turns, open_ones, family), None)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """What a draw of plausible worths speaks for, with a knob of the family in it."""
        turns = Turns(situation, self._hashes)
        worths = self._worths(situation, turns)
        pair = next(_pairs(turns, _open(situation, turns, worths), family), None)
        if pair is None:
            return None
        best, first = _best(situation, turns), _is_first(situation)
        for _ in range(ASKED_AT_MOST):
            changes = (
                _anew(situation, turns)
                if first
                else _changes(situation, turns, best, worths, family)
            )
            if _has(turns, changes, family) and len(changes) > 1 and turns.is_new(changes):
                return _proposal(situation, turns, changes, family)
        return _proposal(situation, turns, pair, family)

    def _worths(self, situation: Situation, turns: Turns) -> Worths:
        """What settings are worth; as it was last time, if nothing has been heard since."""
        heard = heard_trials(situation)
        key = turns.base, situation.friends, heard
        if self._last is None or self._last[0] != key:
            found = list(observations(situation, heard))
            self._last = key, Worths(found, _values(situation, turns, found))
        return self._last[1]


def _values(
    situation: Situation, turns: Turns, found: Sequence[Observation]
) -> Mapping[str, Sequence[Scalar]]:
    """What each knob may be turned to; alone only to what was tried."""
    every = {name: turns.values(knob) for name, knob in turns.knobs.items()}
    if _has_friends(situation):
        return every
    tried = {setting for each in found for setting in each.settings.items()}
    tried |= {(name, repr(turns.settings[name])) for name in every}
    return {name: [v for v in known if (name, repr(v)) in tried] for name, known in every.items()}


def _has_friends(situation: Situation) -> bool:
    return len(situation.friends) > 1


def _open(situation: Situation, turns: Turns, worths: Worths) -> Changes:
    """Every turn that may be made with another: with friends all, else what is promising."""
    if _has_friends(situation):
        return tuple((knob.name, value) for knob, value in turns.singles())
    return tuple((turn.name, turn.value) for turn in _better(turns, worths.expected()))


def _pairs(turns: Turns, good: Changes, family: str) -> Iterator[Changes]:
    """Two turns at once that are new, one of the family."""
    for name, value in good:
        if turns.knobs[name].family == family:
            for other in good:
                changes = turns.changes({name: value, other[0]: other[1]})
                if len(changes) > 1 and turns.is_new(changes):
                    yield changes


def _better(turns: Turns, worths: Mapping[Setting, float]) -> list[_Turn]:
    """For each knob the best of its other values, if that is a gain; the greatest first."""
    best: dict[str, _Turn] = {}
    for knob, value in turns.singles():
        setting, here = (knob.name, repr(value)), (knob.name, repr(turns.settings[knob.name]))
        gain = worths.get(setting, 0.0) - worths.get(here, 0.0)
        if gain > 0 and (knob.name not in best or gain > best[knob.name].gain):
            best[knob.name] = _Turn(gain, knob.name, value)
    return sorted(best.values(), key=lambda turn: (-turn.gain, turn.name))


def _best(situation: Situation, turns: Turns) -> Changes:
    """What leads to the best that was measured here or by a friend; none: the champion is it."""
    own = champion_cost(situation)
    if own is None:
        return ()
    for found, trial in finds(situation):
        if found >= own - situation.task.sigma:
            return ()
        settings = settings_at(situation, trial.base)
        changes = None if settings is None else turns.towards(settings | dict(trial.knobs))
        if changes:
            return changes
    return ()


def _is_first(situation: Situation) -> bool:
    """Whether many friends have just begun: fewer experiments are finished than they are."""
    many = len(situation.friends)
    return many >= MANY and many > sum(is_close(situation, seen) for seen in situation.trials)


def _anew(situation: Situation, turns: Turns) -> Changes:
    """Every knob drawn anew."""
    drawn = {name: one_of(situation, turns.values(knob)) for name, knob in turns.knobs.items()}
    return turns.changes(drawn)


def _changes(
    situation: Situation, turns: Turns, best: Changes, worths: Worths, family: str
) -> Changes:
    """The best, with the turns that a draw finds to be worth most, one of the family with them."""
    start = Turns(replace(situation, champion=replace(situation.champion, tree=turns.tree(best))))
    better = _better(start, worths.drawn(_seed(situation)))
    most = min(MOST_AT_ONCE, FIRST_AT_ONCE + worths.count)
    chosen = better[: 1 + int(situation.uniform() * most)]
    own = [turn for turn in better if turns.knobs[turn.name].family == family]
    changes = turns.changes(dict(best) | {turn.name: turn.value for turn in chosen})
    if own and not _has(turns, changes, family):
        chosen[-1] = own[0]
        changes = turns.changes(dict(best) | {turn.name: turn.value for turn in chosen})
    return changes if chosen else ()


def _has(turns: Turns, changes: Changes, family: str) -> bool:
    return any(turns.knobs[name].family == family for name, _ in changes)


def _seed(situation: Situation) -> int:
    return int(situation.uniform() * 2**32)


def _proposal(situation: Situation, turns: Turns, changes: Changes, family: str) -> Hypothesis:
    turned = ", ".join(f"{name} {turns.settings[name]} → {value}" for name, value in changes)
    return hypothesis(
        situation,
        turns.tree(changes),
        title=f"Together: {turned}",
        rationale="What was measured speaks for these settings, as far as they were tried.",
        family=family,
        proposer=CombineProposer.name,
        knobs=tuple((name, repr(value)) for name, value in changes),
    )

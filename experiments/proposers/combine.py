"""
Turn many knobs at once, to what all experiments together speak for.

Gains that were seen one by one, here or by peers, are tried together: proving a large
step costs no more than proving a small one. It starts from the best that this node and
its friends have measured, though that is not proven yet. What each setting is worth comes
from `experiments.proposers.additive`; plausible worths are drawn anew for each proposal,
so that nodes who know the same do not all try the same.

A node with friends turns a few knobs at random too, also where nothing is known: what each
is worth then comes out of all their experiments, which as single turns would cover less.
Where friends are many, the first idea of each draws every knob anew: the best of many random
settings is a better start than a poor baseline with a few turns.

Law: what peers say is measured here before it counts; strangers' experiments count no
more than this node's own, and half, and nobody starts from them.

Sources. Turning many at once to learn of each: Plackett & Burman, "The design of optimum
multifactorial experiments", Biometrika 33 (1946). Random settings first: Bergstra & Bengio,
"Random search for hyper-parameter optimization", JMLR 13 (2012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import NamedTuple, TypeAlias

from experiments.proposers import Situation, hypothesis, one_of
from experiments.proposers.additive import Observation, Setting, Worths
from experiments.proposers.front import champion_cost, finds
from experiments.proposers.results import FAR, heard_trials, is_close, leads, worse_of
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.families import FAMILIES
from swarm.hypothesis import Hypothesis
from swarm.records import PeerId, RecordId, TreeHash
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar
from swarm.turning import settings_of

MOST_AT_ONCE = 10
"""No more knobs are turned at once for what is known of them."""

WORTH_TURNING = 0.5
"""What a setting has to be worth in a draw, in `min_effect`, to be turned to."""

NEW_TOO = 0.7
MOST_NEW = 5
"""How often values that nobody has tried are turned to along with the others; how many."""

STRANGERS_DOUBT = 2.0
OTHER_BASE_DOUBT = 2.0
"""How much surer is what was measured here, and on this base."""

MANY = 8
"""So many friends first draw everything anew, each about once."""

ASKED_AT_MOST = 8

MOST_BETTER = 1000.0
"""No gain of this node or a friend counts as more, in `min_effect`."""


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
        self._last: tuple[_Heard, Worths | None] | None = None

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
            drawn: Mapping[Setting, float] = worths.drawn(_seed(situation)) if worths else {}
            changes = (
                _anew(situation, turns)
                if first
                else _changes(situation, turns, best, drawn, family)
            )
            fits = any(turns.knobs[name].family == family for name, _ in changes)
            if fits and len(changes) > 1 and turns.is_new(changes):
                return _proposal(situation, turns, changes, family)
        return _proposal(situation, turns, pair, family)

    def _worths(self, situation: Situation, turns: Turns) -> Worths | None:
        """What settings are worth; as it was last time, if nothing has been heard since."""
        key = turns.base, situation.friends, heard_trials(situation)
        if self._last is None or self._last[0] != key:
            found = list(_observations(situation, turns, key[2]))
            self._last = key, Worths(found) if found else None
        return self._last[1]


def _open(situation: Situation, turns: Turns, worths: Worths | None) -> Changes:
    """Every turn that may be made with another: with friends all, else what is promising."""
    if len(situation.friends) > 1:
        return tuple((knob.name, value) for knob, value in turns.singles())
    better = _better(turns, worths.expected()) if worths else []
    return tuple((turn.name, turn.value) for turn in better if turn.gain > 0)


def _observations(
    situation: Situation, turns: Turns, heard: Collection[SeenTrial]
) -> Iterator[Observation]:
    ahead = leads(situation, heard)
    settings = cache(partial(_settings, situation))
    for seen in heard:
        trial, close = seen.trial, is_close(situation, seen)
        worse = worse_of(situation, seen, ahead, MOST_BETTER if close else FAR)
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


def _pairs(turns: Turns, good: Changes, family: str) -> Iterator[Changes]:
    """Two turns at once that are new, one of the family."""
    for name, value in good:
        if turns.knobs[name].family == family:
            for other in good:
                changes = turns.changes({name: value, other[0]: other[1]})
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


def _best(situation: Situation, turns: Turns) -> Changes:
    """What leads to the best that was measured here or by a friend; none: the champion is it."""
    own = champion_cost(situation)
    if own is None:
        return ()
    for found, trial in finds(situation):
        if found >= own - situation.task.sigma:
            return ()
        settings = _settings(situation, trial.base)
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
    situation: Situation,
    turns: Turns,
    best: Changes,
    worths: Mapping[Setting, float],
    family: str,
) -> Changes:
    """The best, with some turns that a draw finds worth it and some that are new."""
    start = Turns(replace(situation, champion=replace(situation.champion, tree=turns.tree(best))))
    better = [turn for turn in _better(start, worths) if turn.gain > WORTH_TURNING]
    better.sort(key=lambda turn: turns.knobs[turn.name].family != family)
    most = 1 + int(situation.uniform() * MOST_AT_ONCE)
    chosen = {turn.name: turn.value for turn in better[:most]}
    for _ in range(_how_many_new(situation, bool(worths))):
        unknown = [
            (knob.name, value)
            for knob, value in start.singles()
            if (knob.name, repr(value)) not in worths and knob.name not in chosen
        ]
        own = [each for each in unknown if turns.knobs[each[0]].family == family]
        wanted = own if own and not _has(turns, chosen, family) else unknown
        chosen |= dict([one_of(situation, wanted)] if wanted else [])
    return turns.changes(dict(best) | chosen)


def _how_many_new(situation: Situation, known: bool) -> int:
    few = 1 + int(situation.uniform() * MOST_NEW)
    if not known:
        return few + 1
    return few if situation.uniform() < NEW_TOO else 0


def _has(turns: Turns, names: Iterable[str], family: str) -> bool:
    return any(turns.knobs[name].family == family for name in names)


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

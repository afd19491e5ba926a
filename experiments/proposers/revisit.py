"""
Try again what did not help, now that the base is another.

What a change is worth depends on what it is put on: a schedule that hurts the naive
recipe helps a good one. So a turn of knobs that was discarded on other bases comes up
again on this one, near misses first, and those that failed on few bases before those
that failed on many.

Law: what crashed is not revisited, and peers' discards are looked at in bounded number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from experiments.proposers import Situation, hypothesis
from experiments.proposers.results import FAR, leads, worse_of
from experiments.proposers.turns import Changes, Hashes, Turns
from swarm.hypothesis import Hypothesis
from swarm.records import TreeHash
from swarm.seen import SeenTrial

OWN = 400
PEERS = 100
"""Of own and of peers' discards, the latest so many are looked at."""

EACH_BASE = 2.0
"""How far, in `min_effect`, one more base on which it failed puts a discard back."""


@dataclass(slots=True)
class _Discard:
    """Turns of knobs that were no win, and on which bases; `worse` is the best of them."""

    changes: Changes
    family: str
    worse: float
    bases: set[TreeHash]

    @property
    def order(self) -> tuple[float, str]:
        return self.worse + EACH_BASE * (len(self.bases) - 1), repr(self.changes)


class RevisitProposer:
    """Offers discards of other bases, the nearest miss first."""

    name = "revisit"

    def __init__(self) -> None:
        self._hashes = Hashes()

    def families(self, situation: Situation) -> Collection[str]:
        """The families of discards that were not tried on this champion."""
        return {discard.family for discard in self._discards(situation)}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """The nearest miss of this family."""
        found = [each for each in self._discards(situation) if each.family == family]
        if not found:
            return None
        turns = Turns(situation, self._hashes)
        discard = min(found, key=lambda each: each.order)
        turned = (f"{name} {turns.settings[name]} → {value}" for name, value in discard.changes)
        bases = f"{len(discard.bases)} other base{'s' if len(discard.bases) > 1 else ''}"
        return hypothesis(
            situation,
            turns.tree(discard.changes),
            title=f"Again: {', '.join(turned)}",
            rationale=f"No gain on {bases}, but the base has changed since.",
            family=family,
            proposer=self.name,
            knobs=tuple((name, repr(value)) for name, value in discard.changes),
        )

    def _discards(self, situation: Situation) -> Sequence[_Discard]:
        turns = Turns(situation, self._hashes)
        found: dict[str, _Discard] = {}
        looked_at = list(_looked_at(situation))
        ahead = leads(situation, looked_at)
        for seen in looked_at:
            trial = seen.trial
            worse = worse_of(situation, seen, ahead)
            discarded = trial.outcome in ("no_gain", "diverged") and trial.base_tree != turns.base
            changes = turns.read(trial) if discarded and worse is not None else None
            if not changes or worse is None:
                continue
            families = sorted(turns.knobs[name].family for name, _ in changes)
            family = trial.family if trial.family in families else families[0]
            discard = found.setdefault(repr(changes), _Discard(changes, family, FAR, set()))
            discard.worse = min(discard.worse, worse)
            discard.bases.add(trial.base_tree)
        return [discard for discard in found.values() if turns.is_new(discard.changes)]


def _looked_at(situation: Situation) -> Iterator[SeenTrial]:
    own = [seen for seen in situation.trials if seen.own]
    yield from own[-OWN:]
    yield from [seen for seen in situation.trials if not seen.own][-PEERS:]

"""
What trials, own and of peers, say of turning knobs of the champion.

Law: no result is larger than a bound, whatever its author wrote; peers' count no more
experiments than this node made itself, or than a few, and half; so does what was
measured on another base.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from experiments.proposers import Situation
from experiments.proposers.turns import Changes, Turns
from swarm.records import Pair, PeerId, TreeHash
from swarm.seen import SeenTrial, cost

PEERS_AT_LEAST = 16
"""So many trials of peers are looked at however few this node has made."""

MOST_TRIALS = 400
"""Of this node's and its friends' trials, the latest so many are looked at."""

MOST_PENDING = 16
PENDING_OF_ONE = 4
"""What peers say they measure now counts no more experiments, in all and of one of them."""

FAR = 20.0
"""No result counts as more than so many `min_effect` better or worse; failures as these."""

BEHIND = 4.0
"""
How much worse than the best its author had by then is what was stopped in its first run
because it was clearly behind.
"""

HALF = 0.5
"""What is left of a result that a peer measured, or that was measured on another base."""


@dataclass(frozen=True, slots=True)
class Result:
    """What turns of this champion were worth, in `min_effect`; positive is worse."""

    changes: Changes
    worse: float


def results(situation: Situation, turns: Turns) -> list[Result]:
    """What is known of turning this champion's knobs: own results, then peers'."""
    return list(_read(situation, turns, heard_trials(situation)))


def heard_trials(situation: Situation) -> list[SeenTrial]:
    """Which trials are looked at: own ones and friends', then the latest of strangers."""
    close = [seen for seen in situation.trials if is_close(situation, seen)][-MOST_TRIALS:]
    others = reversed([seen for seen in situation.trials if not is_close(situation, seen)])
    return [*close, *islice(others, max(len(close), PEERS_AT_LEAST))]


def is_close(situation: Situation, seen: SeenTrial) -> bool:
    """Whether this node or a friend of it made a trial."""
    return seen.own or seen.author in situation.friends


def pending(situation: Situation, turns: Turns) -> list[Changes]:
    """What peers say they measure on this champion now; a few of each, the same once."""
    found: dict[str, Changes] = {}
    for claim in situation.claims:
        ideas = [idea for idea in claim.ideas if idea.base_tree == turns.base]
        for idea in ideas[:PENDING_OF_ONE]:
            if len(found) < MOST_PENDING and (changes := turns.read(idea)):
                found[repr(changes)] = changes
    return list(found.values())


Leads: TypeAlias = Mapping[tuple[PeerId, TreeHash, TreeHash], float]
"""By author, base and candidate: how far ahead of the base the author was, in `min_effect`."""


def leads(situation: Situation, heard: Iterable[SeenTrial]) -> Leads:
    """How far ahead of its base each author's best was when it stopped an experiment."""
    direction, unit = situation.task.metric.direction, situation.task.min_effect
    best: dict[PeerId, float] = {}
    bases: dict[tuple[PeerId, TreeHash], float] = {}
    found: dict[tuple[PeerId, TreeHash, TreeHash], float] = {}
    for seen in sorted(heard, key=lambda seen: seen.trial.finished_at_ms):
        trial, author = seen.trial, seen.author
        if trial.pairs:
            before = [Pair(pair.seed, 0, pair.base_nano) for pair in trial.pairs]
            bases[author, trial.base_tree] = cost(before, direction)
            best[author] = min(best.get(author, math.inf), cost(trial.pairs, direction))
        elif (base := bases.get((author, trial.base_tree))) is not None:
            ahead = (base - best[author]) / unit
            found[author, trial.base_tree, trial.tree] = max(0.0, min(FAR, ahead))
    return found


def worse_of(situation: Situation, seen: SeenTrial, ahead: Leads) -> float | None:
    """How much worse than its base the candidate was, in `min_effect`; None where unknown."""
    trial = seen.trial
    if trial.outcome == "dropped":
        return None
    if not trial.pairs:
        lead = ahead.get((seen.author, trial.base_tree, trial.tree), 0.0)
        return BEHIND - lead if trial.outcome == "no_gain" else FAR
    task = situation.task
    nano = sum(pair.candidate_nano - pair.base_nano for pair in trial.pairs) / len(trial.pairs)
    sign = 1e-9 if task.metric.direction == "minimize" else -1e-9
    return max(-FAR, min(FAR, sign * nano / task.min_effect))


def _read(situation: Situation, turns: Turns, trials: Sequence[SeenTrial]) -> Iterator[Result]:
    ahead = leads(situation, trials)
    for seen in trials:
        worse = worse_of(situation, seen, ahead)
        changes = None if worse is None else turns.read(seen.trial)
        if worse is None or not changes:
            continue
        for weaker in (not is_close(situation, seen), seen.trial.base_tree != turns.base):
            worse *= HALF if weaker else 1.0
        yield Result(changes, worse)

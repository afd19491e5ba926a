"""
What whole recipes cost, as far as experiments tell of it, on one scale.

An experiment says how far a candidate is from its base on the same seeds. That, counted
from where all who measured the base found it, is what the candidate costs. What was
stopped early cost more than its base or the best that its author had by then, or would have
been far behind the best that any friend had.

Law: where a base is, friends and this node say; strangers only where these have not measured it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from statistics import fmean

from experiments.proposers import Situation
from experiments.proposers.additive import Observation
from experiments.proposers.results import is_close
from swarm.records import Pair, PeerId, RecordId, TreeHash
from swarm.seen import SeenTrial, cost
from swarm.stopping import LEADER_MARGIN
from swarm.turning import settings_of

STRANGERS_DOUBT = 2.0
"""How much surer is what was measured here, or by friends."""


def observations(situation: Situation, heard: Iterable[SeenTrial]) -> Iterator[Observation]:
    """What came of experiments that turned knobs, and of the bases they were held against."""
    in_order = sorted(heard, key=lambda seen: seen.trial.finished_at_ms)
    settings, levels = cache(partial(settings_at, situation)), _levels(situation, in_order)
    told: set[TreeHash] = set()
    for seen, value in _costs(situation, in_order, levels):
        trial, before = seen.trial, settings(seen.trial.base)
        doubt = 1.0 if is_close(situation, seen) else STRANGERS_DOUBT
        if before is None:
            continue
        if trial.base_tree in levels and trial.base_tree not in told:
            told.add(trial.base_tree)
            yield Observation(before, levels[trial.base_tree], doubt=doubt)
        if trial.knobs:
            yield Observation(before | dict(trial.knobs), value, _was_stopped(seen), doubt)


def settings_at(situation: Situation, record: RecordId | None) -> dict[str, str] | None:
    """The literals of a base's settings; None where its tree is not here."""
    tree = situation.tree_of(record)
    return None if tree is None else {n: repr(v) for n, v in settings_of(tree).items()}


def _costs(
    situation: Situation, in_order: Sequence[SeenTrial], levels: Mapping[TreeHash, float]
) -> Iterator[tuple[SeenTrial, float]]:
    """What each experiment cost, or at least where it was stopped; infinite where it failed."""
    direction = situation.task.metric.direction
    best: dict[PeerId, float] = {}
    front = math.inf
    for seen in in_order:
        trial = seen.trial
        least = min(best.get(seen.author, math.inf), levels.get(trial.base_tree, math.inf))
        if trial.pairs:
            found = cost(trial.pairs, direction) - _base_cost(situation, trial.pairs)
            found += levels[trial.base_tree]
            best[seen.author] = min(least, found)
            front = min(front, found) if is_close(situation, seen) else front
            yield seen, found
        elif _was_stopped(seen):
            if is_close(situation, seen):
                least = min(least, front + LEADER_MARGIN * abs(front))
            if math.isfinite(least):
                yield seen, least
        elif trial.outcome != "dropped":
            yield seen, math.inf


def _was_stopped(seen: SeenTrial) -> bool:
    return not seen.trial.pairs and seen.trial.outcome == "no_gain"


def _levels(situation: Situation, heard: Sequence[SeenTrial]) -> Mapping[TreeHash, float]:
    """What each base cost, as the mean over all runs of it; strangers' where there are no other."""
    found: dict[tuple[bool, TreeHash], list[float]] = defaultdict(list)
    for seen in heard:
        if seen.trial.pairs:
            key = is_close(situation, seen), seen.trial.base_tree
            found[key].append(_base_cost(situation, seen.trial.pairs))
    return {tree: fmean(costs) for (_, tree), costs in sorted(found.items())}


def _base_cost(situation: Situation, pairs: Sequence[Pair]) -> float:
    bases = [pair._replace(candidate_nano=pair.base_nano) for pair in pairs]
    return cost(bases, situation.task.metric.direction)

"""
The front: the best that this node and its friends have measured, proven or not.

Law: strangers are not heard, and nothing that one of those heard saw fail is part of it.
"""

from __future__ import annotations

import math

from experiments.proposers import Situation
from experiments.proposers.results import is_close
from swarm.records import PROMISING, Trial
from swarm.seen import cost
from swarm.statistics import Rule
from swarm.tree import tree_hash

GOOD = (PROMISING, "win")

MANY = 8
"""So many friends know together what one that is behind need not measure again."""

PATIENCE = 8
"""After so many experiments on a champion that is behind, its node builds on another."""


def finds(situation: Situation) -> list[tuple[float, Trial]]:
    """What was measured to be good, by turned knobs, and at what cost; the best first."""
    direction = situation.task.metric.direction
    close = [seen.trial for seen in situation.trials if is_close(situation, seen)]
    failed = {trial.tree for trial in close if trial.outcome not in GOOD}
    good = [trial for trial in close if trial.pairs and trial.knobs and trial.tree not in failed]
    found = [(cost(trial.pairs, direction), trial) for trial in good]
    return sorted(found, key=lambda each: (each[0], each[1].tree))


def champion_cost(situation: Situation) -> float | None:
    """The champion's metric, turned so that smaller is better; None before its first run."""
    value = situation.champion.value
    if value is None:
        return None
    return value if situation.task.metric.direction == "minimize" else -value


def front_cost(situation: Situation) -> float:
    """What the best of them costs; infinite where there is none."""
    return min((cost for cost, _ in finds(situation)[:1]), default=math.inf)


def champion_is_behind(situation: Situation) -> bool:
    """Whether the front is clearly better than what this node builds on."""
    own = champion_cost(situation)
    return own is not None and Rule.of(situation.task).is_clear(own - front_cost(situation))


def need_not_catch_up(situation: Situation) -> bool:
    """
    Whether a node that is behind may go on from the front without building on it.

    Building on it takes a run, which tells many friends nothing new, and soon another front.
    """
    if len(situation.friends) < MANY or not champion_is_behind(situation):
        return False
    base = tree_hash(situation.champion.tree)
    here = sum(seen.own and seen.trial.base_tree == base for seen in situation.trials)
    return here < PATIENCE

"""
When a run is so far behind its base that the rest of it is not worth the compute.

Base and candidate train on the same text in the same order, so their training losses
can be held against each other at the same token, almost without noise. From a quarter
of the budget on, a candidate stops whose loss is a clear share above its base's and
does not come nearer. Where the two differ in settings that shape the schedule or add to the
loss, that share is large: only what is far behind stops. Where more than settings
differs, a loss may mean anything, and nothing stops.

Law: pure. Who stops a run loses it; that the rule costs few wins is shown by the
losers that finish all the same, one in ten, and by `benchmarks/bench_early_stop.py`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from swarm.settings_block import SettingsBlockError, read_literals, write_literals
from swarm.tree import Tree

if TYPE_CHECKING:
    from swarm.task import Task

Curve: TypeAlias = Sequence[tuple[int, float]]
"""(tokens seen, mean training loss since the point before), tokens rising."""

POINTS = 32
"""Points of a curve, evenly spread over the budget."""

EARLIEST = 0.25
"""Share of the budget before which nothing stops."""

WINDOW = 0.125
"""Share of the budget over which losses are averaged."""

MARGIN = 0.005
"""How far above the base's the loss has to be, as a share of it."""

FAR_MARGIN = 0.15
"""The same where schedules differ, or seeds: of 731 that ended better 15 had been so far behind."""

LEADER_MARGIN = 0.2
"""
The same against the best run that is known. Of two searches of 35 nodes, recorded whole, it
would have saved 27 and 34 % of the tokens, and stopped 0 and 4 runs that ended below all before
them; 0.15 would have saved 32 and 46 %, and stopped 0 and 16.
"""

FINISH_ANYWAY = 0.1
"""Share of experiments that are not stopped, so that the rule is seen to be wrong if it is."""

NOT_COMPARED = frozenset({"schedule", "regularisation"})
"""Families of settings after whose turn losses at the same token are not quite comparable."""


def is_behind(curve: Curve, base: Curve, budget_tokens: int, margin: float = MARGIN) -> bool:
    """
    Whether a run is clearly behind its base at the last point of its curve, and falls back.

    Args:
        curve: Of the candidate, as far as it has come.
        base: Of its base, on the same seed; false where it does not reach as far.
    """
    if not curve or not base:
        return False
    end = curve[-1][0]
    start = end - WINDOW * budget_tokens
    if end < EARLIEST * budget_tokens or base[-1][0] < end:
        return False
    before = _gap(curve, base, start - WINDOW * budget_tokens, start)
    return _gap(curve, base, start, end) > max(margin, before)


def _gap(curve: Curve, base: Curve, start: float, end: float) -> float:
    """How far the loss is above the base's, as a share of it; NaN where that cannot be said."""
    theirs = mean_loss(base, start, end)
    return mean_loss(curve, start, end) / theirs - 1 if theirs > 0 else math.nan


def stopped_at(curve: Curve, base: Curve, budget_tokens: int, margin: float = MARGIN) -> int | None:
    """After how many tokens a run with this curve is stopped; None: it finishes."""
    for count in range(1, len(curve) + 1):
        if is_behind(curve[:count], base, budget_tokens, margin):
            return curve[count - 1][0]
    return None


def mean_loss(curve: Curve, start: float, end: float) -> float:
    """The mean loss between two numbers of tokens; a point holds from the one before it."""
    before, area, width = 0, 0.0, 0.0
    for tokens, loss in curve:
        part = max(0.0, min(end, tokens) - max(start, before))
        area, width, before = area + part * loss, width + part, tokens
    return area / width if width else math.nan


def margin_between(base: Tree, candidate: Tree, task: Task) -> float | None:
    """How far behind its base a candidate has to be to stop; None: it cannot be told."""
    if task.harness != "stream" or base.keys() != candidate.keys():
        return None
    families = {knob.name: knob.family for knob in task.knobs}
    turned: set[str] = set()
    for path in base:
        changed = _turned(base[path], candidate[path])
        if changed is None:
            return None
        turned |= changed
    near = all(families.get(name, "schedule") not in NOT_COMPARED for name in turned)
    return MARGIN if near else FAR_MARGIN


def raised(curve: Curve, margin: float) -> Curve:
    """A curve that is `MARGIN` short of being so far above this one."""
    share = (1 + margin) / (1 + MARGIN)
    return tuple((tokens, loss * share) for tokens, loss in curve)


def _turned(before: bytes, after: bytes) -> set[str] | None:
    """The settings at other values; None where more than settings differs."""
    if before == after:
        return set()
    try:
        was, now = read_literals(before), read_literals(after)
        changed = {name for name in now if now[name] != was.get(name)}
        same_code = write_literals(before, {name: now[name] for name in changed}) == after
    except SettingsBlockError:
        return None
    return changed if same_code else None

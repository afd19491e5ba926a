"""
The values of a knob that are worth telling apart.

Law: values come from a fixed grid inside the range the task declares, so "what
is left to try" has an answer and two nodes mean the same by a value. Numbers on
a logarithmic scale step 1, 2, 5, 10; integers on one step by doubling.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from swarm.knob import Knob
from swarm.settings_block import Scalar

_MAX_STEPS = 8


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

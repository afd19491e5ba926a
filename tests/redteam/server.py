"""
A forkserver whose supervisors can be told to do without one of their defences.

The real one, in a process of its own, with one addition: what is to be weakened
comes with the order and is switched off in that run's supervisor alone.
Run as ``python -m tests.redteam.server DESCRIPTOR NICENESS``.
"""

from __future__ import annotations

import json

from experiments import forkserver
from experiments.orders import RunOrder, order_from_line
from tests.redteam.weakening import WEAKENINGS


def order_after_weakening(line: bytes) -> RunOrder:
    """The order of a line; called by the forkserver in the forked supervisor."""
    body = json.loads(line)
    order = order_from_line(json.dumps(body["order"]).encode())
    for defence in filter(None, body["without"].split(", ")):
        order = WEAKENINGS[defence](order)
    return order


if __name__ == "__main__":
    forkserver.order_from_line = order_after_weakening
    forkserver.main()

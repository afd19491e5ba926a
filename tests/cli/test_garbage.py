"""What dies in a node's process is found, and what stays is looked through once."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import gc, json, weakref
from cli.garbage import leave_out_what_is_there, look_seldom

class Ring:
    def __init__(self):
        self.me = self

look_seldom()
early, kept = weakref.ref(Ring()), [Ring() for _ in range(1000)]
leave_out_what_is_there()
first = gc.get_freeze_count()
later, again = weakref.ref(Ring()), [Ring() for _ in range(1000)]
leave_out_what_is_there()
looked_through = len(gc.get_objects())
gc.collect()
print(json.dumps({
    "early": early() is None, "later": later() is None, "frozen": first,
    "once": first == gc.get_freeze_count(), "looked_through": looked_through,
    "threshold": gc.get_threshold()[0],
}))
"""


def test_the_libraries_are_left_out_and_what_dies_later_is_found() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True)
    found = json.loads(done.stdout)
    assert found["early"] and found["later"] and found["once"]
    assert found["frozen"] > found["looked_through"] > 1000
    assert found["threshold"] == 10_000

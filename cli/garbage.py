"""
When Python looks for dead cycles in a node's process.

As it comes it looks after 700 new objects and, while a board grows, again and again through
all that a node holds: a sixth of a newcomer's time, and a stop of a tenth to a fifth of a second
each, in which no message is passed on. Most of that is the libraries, which never go.

Law: this decides when to look and where not to; what is made later and dies is still found.
"""

from __future__ import annotations

import gc

GARBAGE_AT = (10_000, 5, 5)
"""After how many new objects, and how many looks at those, Python looks for dead cycles."""


def look_seldom() -> None:
    """Look more seldom than Python does by itself."""
    gc.set_threshold(*GARBAGE_AT)


def leave_out_what_is_there() -> None:
    """Look through what is there a last time, once in a process: when a node is up, it stays."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()

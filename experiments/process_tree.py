"""
No process outlives the one that answers for it.

A child asks the kernel to die with its parent; a parent makes itself the
reaper of all its descendants, so that one that hides in a session of its own
still comes back to it to be killed.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Collection

import psutil

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def die_with_parent(parent: int) -> None:
    """
    End this process when the thread that forked it ends; Linux only, else nothing.

    Args:
        parent: Process id the caller was forked from, to notice that it is gone already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends; Linux only, else nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_descendants(*, spare: Collection[int] = (), patience_seconds: float = 10.0) -> int:
    """
    Kill and reap everything below this process.

    Args:
        spare: Process ids of children to leave alone, with all below them.
        patience_seconds: How long to go on while new ones appear.

    Returns:
        How many processes are left after `patience_seconds`; 0 is what is wanted.
    """
    give_up_at = time.monotonic() + patience_seconds
    while left := _descendants(spare):
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        for process in left:
            _reap(process.pid)
        time.sleep(0.001)
        if time.monotonic() > give_up_at:
            return len(left)
    return 0


def _descendants(spare: Collection[int]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        if child.pid not in spare:
            found.append(child)
            with contextlib.suppress(psutil.NoSuchProcess):
                found += child.children(recursive=True)
    return found


def _reap(pid: int) -> None:
    """Wait for a killed process for a moment; one that is not yet ours comes to us by and by."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)

"""`swarm stop`: end the node that runs in a home, and wait until it has ended."""

import os
import signal
import time
from pathlib import Path

from gossip.home import Home

WAIT_SECONDS = 60.0
_POLL_SECONDS = 0.05


def stop(root: Path, wait_seconds: float = WAIT_SECONDS) -> int:
    """
    Ask the running node to stop, and wait for it.

    Returns:
        The exit status: 0 when no node runs there any more.
    """
    home = Home(root)
    pid = home.running_pid()
    if pid is None:
        print(f"no node is running in {root}")
        return 0
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        print(f"process {pid} belongs to another user: stop it as that user")
        return 1
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        if home.running_pid() != pid:
            print(f"stopped the node in {root}")
            return 0
        time.sleep(_POLL_SECONDS)
    print(
        f"process {pid} is still busy after {wait_seconds:.0f} s: wait, or `kill -9 {pid}`, "
        "which loses nothing that was accepted"
    )
    return 1

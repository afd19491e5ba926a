"""
What a node costs that only listens: memory and processor time.

Two observing nodes, connected on loopback, with nothing new to tell each other but
sync and heartbeats. After a while to settle they are watched for a minute; the
heavier one counts. CPU time is the process's own, so a busy machine spoils nothing.
"""

import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.result import write_result
from tests.processes import nodes, wait_until

SETTLE_SECONDS = 20.0
WATCH_SECONDS = 60.0
MEMORY_BYTES = 250 * 10**6
CPU_SHARE = 0.02


def main() -> int:
    """Watch two idle nodes; 1 where the promise is missed."""
    with tempfile.TemporaryDirectory() as folder, nodes(Path(folder), 2) as (first, second):
        first.start("--observe")
        second.start("--observe", "--join", first.addrs()[0])
        wait_until(lambda: second.status().get("peers") == 1)
        time.sleep(SETTLE_SECONDS)
        watched = [psutil.Process(node.process.pid) for node in (first, second) if node.process]
        before = [_cpu_seconds(process) for process in watched]
        time.sleep(WATCH_SECONDS)
        shares = [
            (_cpu_seconds(process) - earlier) / WATCH_SECONDS
            for process, earlier in zip(watched, before, strict=True)
        ]
        memory = [process.memory_info().rss for process in watched]
        torch = any("torch" in part.path for part in watched[0].memory_maps())
    write_result(
        "idle",
        {
            "nodes": len(watched),
            "watched_seconds": WATCH_SECONDS,
            "resident_bytes": max(memory),
            "promised_resident_bytes": MEMORY_BYTES,
            "cpu_share_of_one_core": round(max(shares), 4),
            "promised_cpu_share": CPU_SHARE,
            "torch_loaded": torch,
        },
    )
    return 0 if max(memory) < MEMORY_BYTES and max(shares) < CPU_SHARE and not torch else 1


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the node and of whatever it started."""
    times = [process.cpu_times(), *(child.cpu_times() for child in process.children(True))]
    return sum(each.user + each.system for each in times)


if __name__ == "__main__":
    sys.exit(main())

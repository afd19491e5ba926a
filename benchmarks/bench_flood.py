"""
Whether an honest swarm keeps working while somebody floods it.

Five real nodes, each a process, publish signed records in turn. Quiet and flooded
phases take turns in one run, so that a busy machine spoils both alike; in the latter
`benchmarks.flooder` sends every node as much as it can of junk, unreadable RPCs, valid
records of one author and of a new author each, streams, questions and connections. It
runs at the lowest priority, since a real one would not run on its victims' processors.
Homes are in memory where the system has a folder for that: five nodes that share one disk
wait for each other's records to be written, in quiet and much more in a flood.

The time of a record is from `publish` until the last node has it on disk.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import cast

import psutil

from benchmarks.result import Figure, write_result
from benchmarks.swarm_of_nodes import Commanded, alike, ended

NODES = 5
IN_MEMORY = Path("/dev/shm")
PHASES = 3
RECORDS_PER_PHASE = 150
INTERVAL_S = 0.2
SETTLE_S = 5.0
DELIVERED_S = 5.0
P99_RATIO = 3.0


def main() -> int:
    """Measure; 1 where the promise is missed."""
    in_memory = IN_MEMORY.is_dir()
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if in_memory else None) as folder:
        nodes = [Commanded(Path(folder) / f"node{at}", prefix=()) for at in range(NODES)]
        with ended(nodes):
            figures = {**_measure(nodes), "homes_in_memory": in_memory}
    write_result("flood", figures)
    return 0 if figures["promise_kept"] else 1


def _measure(nodes: Sequence[Commanded]) -> dict[str, Figure]:
    addrs = list[str]()
    for node in nodes:
        addrs += node.start(addrs[:3]).ready().addrs[:1]
    time.sleep(SETTLE_S)
    _phase(nodes, 20)
    quiet, flooded = list[float | None](), list[float | None]()
    sent: dict[str, int] = {}
    for _ in range(PHASES):
        quiet += _phase(nodes, RECORDS_PER_PHASE)
        with _flood(addrs, sent):
            flooded += _phase(nodes, RECORDS_PER_PHASE)
        time.sleep(SETTLE_S)
    memory = [psutil.Process(node.process.pid).memory_info().rss for node in nodes if node.process]
    after_s = alike(nodes, 2 * PHASES * RECORDS_PER_PHASE + 20, 60)
    complaints = [line for node in nodes for line in node.complaints()]
    calm, busy = _figures(quiet), _figures(flooded)
    ratio = round(float(str(busy["p99_ms"])) / float(str(calm["p99_ms"])), 2)
    alive = all(node.runs for node in nodes) and not complaints
    return {
        "nodes": NODES,
        "quiet": dict(calm),
        "flooded": dict(busy),
        "p99_ratio": ratio,
        "promised_p99_ratio": P99_RATIO,
        "flooder_sent": dict(sent),
        "records_held_in_the_end": len(nodes[0].ids()),
        "alike_after_seconds": round(after_s, 1),
        "most_memory_bytes": max(memory),
        "complaints": list(complaints[:10]),
        "promise_kept": ratio <= P99_RATIO and alive and busy["lost"] == 0,
    }


def _phase(nodes: Sequence[Commanded], count: int) -> list[float | None]:
    """Publish records, each at another node; for each the seconds until all had it."""
    published, came = dict[str, float](), dict[str, list[float]]()
    start = time.monotonic()
    for at in range(count):
        node = nodes[at % len(nodes)]
        published.update(node.do("speak")["published"])
        time.sleep(max(0.0, start + (at + 1) * INTERVAL_S - time.monotonic()))
    time.sleep(DELIVERED_S)
    for node in nodes:
        for record, at_s in node.do("accepted")["accepted"].items():
            came.setdefault(record, []).append(at_s)
    return [
        max(came[record]) - at_s if len(came.get(record, ())) == len(nodes) else None
        for record, at_s in published.items()
    ]


def _figures(seconds: Sequence[float | None]) -> dict[str, Figure]:
    found = [each for each in seconds if each is not None]
    cuts = quantiles(found, n=100, method="inclusive")
    return {
        "records": len(seconds),
        "lost": len(seconds) - len(found),
        "p50_ms": round(1000 * cuts[49], 1),
        "p99_ms": round(1000 * cuts[98], 1),
    }


@contextmanager
def _flood(addrs: Sequence[str], sent: dict[str, int]) -> Generator[None]:
    """Flood until the block ends; adds what was sent to `sent`."""
    command = ["nice", "-n", "19", sys.executable, "-m", "benchmarks.flooder", *addrs]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        time.sleep(SETTLE_S)
        yield
    finally:
        process.kill()
        lines = process.communicate()[0].splitlines()
        for name, count in cast("dict[str, int]", json.loads(lines[-1]) if lines else {}).items():
            sent[name] = sent.get(name, 0) + count


if __name__ == "__main__":
    sys.exit(main())

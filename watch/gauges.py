"""
What is true of a node now, as numbers with units.

Law: read from what the API shows; nothing is computed for it beyond counting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version

import trio

from swarm.leaderboard import Entry
from watch.event_stream import Streams
from watch.feed import Feed
from watch.metrics import Reading
from watch.pulse import Pulse
from watch.source import Source


def readings(
    source: Source, feed: Feed, pulse: Pulse, streams: Streams, entries: list[Entry], dropped: int
) -> Iterator[Reading]:
    """
    Every gauge with its labels.

    Args:
        entries: The leaderboard from the neutral viewpoint.
        dropped: Clients cut off because they took nothing.
    """
    task, board, status = source.task, pulse.look.board, source.status()
    about = {
        "version": version("research-swarm"),
        "task": task.name,
        "metric": task.metric.name,
        "unit": task.metric.unit,
        "hardware_class": str(status["hardware_class"]),
    }
    yield "info", "What this node is", about, 1
    yield "uptime_seconds", "Since the start", {}, _number(status["uptime_seconds"])
    yield "peers", "Connected now", {}, len(source.connected())
    yield "workers", "Experiments at once", {}, feed.workers
    yield "running_experiments", "Being measured now, checks included", {}, len(feed.running)
    yield "finished_experiments", "Finished by this node, ever", {}, _number(status["experiments"])
    records = {"win": board.wins, "replication": board.replications, "trials": board.trials}
    for kind, kept in records.items():
        yield "board_records", "Records kept", {"kind": kind}, len(kept)
    states = Counter(entry.state for entry in entries)
    for state, count in sorted(states.items()):
        yield "board_findings", "Findings on the leaderboard", {"state": state}, count
    best = entries[0].value if entries else None
    yield "best_value", "Metric of the leading finding, in the task's unit", {}, best
    yield "baseline_value", "Metric of the baseline as measured here", {}, feed.baseline
    tasks = trio.lowlevel.current_statistics().tasks_living
    yield "tasks", "Tasks in the node's loop", {}, tasks
    yield "watch_streams", "Event streams open now", {}, streams.open
    yield "watch_dropped_clients", "Clients cut off, since the start", {}, dropped


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None

"""
What a node says of itself, as one JSON document.

Law: reads only; every value is handed in.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from swarm.task import Task


def task_document(task: Task, source: str) -> dict[str, object]:
    """A task as status shows it; `source` is the name or folder it was loaded from."""
    return {
        "id": task.id,
        "name": task.name,
        "metric": task.metric.name,
        "goal": task.metric.goal,
        "unit": task.metric.unit,
        "direction": task.metric.direction,
        "sigma": task.sigma,
        "min_effect": task.min_effect,
        "seeds": task.seeds,
        "source": source,
    }


def topic_document(name: str, label: str, epoch: int) -> dict[str, str | int]:
    """A topic as status shows it; a public one has no label, and key number 0."""
    return {"name": name, "label": label, "epoch": epoch}


def status_document(
    *,
    topic: dict[str, str | int],
    task: dict[str, object],
    peer_id: str,
    nickname: str,
    hardware_class: str,
    experiments: int,
    wins: int,
    peers: int,
    uptime_seconds: float,
    listen_addrs: Sequence[str],
    running_titles: Sequence[str],
    watch: str | None,
    network: dict[str, object],
    llm: dict[str, object] | None,
) -> dict[str, object]:
    """
    The status of the calling process's node.

    Args:
        experiments, wins: Its own.
        watch: Where its API is, if it is served.
        network: How it stands in the network (`gossip.network_health`).
        llm: What its language model has used today, beside the limits; None where none is set up.
    """
    return {
        "pid": os.getpid(),
        "peer_id": peer_id,
        "nickname": nickname,
        "topic": topic,
        "task": task,
        "hardware_class": hardware_class,
        "running": True,
        "experiments": experiments,
        "wins": wins,
        "peers": peers,
        "uptime_seconds": round(uptime_seconds, 1),
        "listen_addrs": list(listen_addrs),
        "running_titles": list(running_titles),
        "watch": watch,
        "network": network,
        "llm": llm,
    }

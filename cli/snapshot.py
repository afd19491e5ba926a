"""
What a home holds right now, whether its node runs or not.

Law: reads only, and asks the node nothing. What the node wrote about itself
counts as present only while that very process holds the home.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cli.failures import CommandError
from cli.hints import PUBLIC_TOPIC, starting
from cli.text import plain
from gossip.home import Home
from swarm.statistics import Direction
from swarm.verdict import Yardstick

if TYPE_CHECKING:
    from experiments.task_folder import LoadedTask


@dataclass(frozen=True, slots=True)
class TaskHeader:
    """What a reader must know of the task; `source` is what `--task` was."""

    id: str
    name: str
    metric: str
    goal: float | None
    unit: str
    yardstick: Yardstick
    source: str

    @property
    def direction(self) -> Direction:
        """Whether a smaller or a larger metric is better."""
        return self.yardstick.direction

    def document(self) -> dict[str, object]:
        """The task as `--json` shows it."""
        return {
            "id": self.id,
            "name": self.name,
            "metric": self.metric,
            "goal": self.goal,
            "unit": self.unit,
            "direction": self.direction,
        }


@dataclass(frozen=True, slots=True)
class TopicHeader:
    """The topic: `public`, whose label is empty, or a private one of this home."""

    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A home, its topic and task, and what its node says of itself (or said last)."""

    home: Home
    topic: TopicHeader
    task: TaskHeader
    pid: int | None
    peer_id: str | None
    nickname: str
    hardware_class: str | None
    experiments: int
    wins: int
    peers: int
    uptime_seconds: float | None
    listen_addrs: tuple[str, ...]
    watch: str | None
    """Where its page and API are served, on this machine."""
    now: tuple[str, ...]
    """Titles of the experiments that run now."""

    @property
    def running(self) -> bool:
        """Whether a node runs in this home."""
        return self.pid is not None

    @property
    def start(self) -> str:
        """The words behind `swarm` that start its node again, on the same topic and task."""
        return starting(self.task.source, self.topic.name)

    @property
    def journal(self) -> Path:
        """Where this topic's records are, if there are any."""
        return self.home.journal(self.task.id, self.topic.label)

    @property
    def work(self) -> str:
        """Under what the history keeps this topic's experiments."""
        return f"{self.task.id}.{self.topic.label}" if self.topic.label else self.task.id


def take_snapshot(root: Path) -> Snapshot:
    """
    Look at the home in `root`, which need not exist.

    Raises:
        SettingsError: No node ran here yet, and the settings do not say which task it would be.
        TaskError, TopicError: The task or topic that they name cannot be used.
    """
    home = Home(root)
    said = home.read_status()
    running = home.running_pid()
    live = running is not None and said.get("pid") == running
    topic, task = _headers(home, said)
    return Snapshot(
        home=home,
        topic=topic,
        task=task,
        pid=running,
        peer_id=_text(said, "peer_id") or _peer_id(home),
        nickname=_text(said, "nickname") or "",
        hardware_class=_text(said, "hardware_class"),
        experiments=_count(said, "experiments"),
        wins=_count(said, "wins"),
        peers=_count(said, "peers") if live else 0,
        uptime_seconds=_number(said.get("uptime_seconds")) if live else None,
        listen_addrs=_texts(said, "listen_addrs") if live else (),
        watch=_text(said, "watch") if live else None,
        now=_texts(said, "running_titles") if live else (),
    )


def loaded_task(header: TaskHeader) -> LoadedTask:
    """
    The task itself, with its files, for what more than reads records.

    Raises:
        TaskError: The files are not where they were.
        CommandError: They are, but make another task now.
    """
    from experiments.task_folder import load_task

    loaded = load_task(header.source)
    if loaded.task.id != header.id:
        raise CommandError(
            f"the files of task {plain(header.name)} changed since the node ran: "
            "its records belong to the task as it was; put the files back"
        )
    return loaded


def _headers(home: Home, said: Mapping[str, object]) -> tuple[TopicHeader, TaskHeader]:
    """The topic and task of the node that runs or ran last, else those it would have."""
    task = _task_said(said.get("task"))
    if task is None:
        return _headers_from_settings(home)
    topic = said.get("topic")
    found = cast("dict[str, object]", topic) if isinstance(topic, dict) else {}
    return TopicHeader(_text(found, "name") or PUBLIC_TOPIC, _text(found, "label") or ""), task


def _task_said(said: object) -> TaskHeader | None:
    if isinstance(said, dict):
        task = cast("dict[str, object]", said)
        wanted = [_text(task, name) for name in ("id", "name", "metric", "unit")]
        yardstick = _yardstick(task)
        if all(wanted) and yardstick is not None:
            task_id, name, metric, unit = (word or "" for word in wanted)
            goal = _number(task.get("goal"))
            source = _text(task, "source") or name
            return TaskHeader(task_id, name, metric, goal, unit, yardstick, source)
    return None


def _headers_from_settings(home: Home) -> tuple[TopicHeader, TaskHeader]:
    """The slow way, for a home whose node has not run yet."""
    from cli.settings_file import load_settings
    from node import chosen

    settings = load_settings(
        home_file=home.settings, profile=None, environment=os.environ, flags={}
    )
    topic, loaded = chosen(settings, home)
    task = loaded.task
    metric = task.metric
    return TopicHeader(topic.name, topic.label), TaskHeader(
        task.id,
        task.name,
        metric.name,
        metric.goal,
        metric.unit,
        Yardstick.of(task),
        loaded.source,
    )


def _yardstick(task: Mapping[str, object]) -> Yardstick | None:
    sigma, min_effect = _number(task.get("sigma")), _number(task.get("min_effect"))
    seeds = _count(task, "seeds")
    if not sigma or not min_effect or not seeds:
        return None
    direction = "maximize" if task.get("direction") == "maximize" else "minimize"
    return Yardstick(direction, sigma, min_effect, seeds)


def _peer_id(home: Home) -> str | None:
    if not home.identity.exists():
        return None
    from gossip.identity import load

    return load(home.identity).peer_id


def _text(table: Mapping[str, object], key: str) -> str | None:
    value = table.get(key)
    return value if isinstance(value, str) and value else None


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list):
        return ()
    return tuple(item for item in cast("list[object]", value) if isinstance(item, str))


def _count(table: Mapping[str, object], key: str) -> int:
    value = table.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

"""
What the API may know of a node.

Law: reads only. Nothing here can change anything, and nothing in `watch/` knows
where the answers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from swarm.board import Board
from swarm.records import PeerId, Record, RecordId, Trial
from swarm.signals import Presence
from swarm.task import Task


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely a family of ideas is to be tried next, and why."""

    family: str
    probability: float
    trials: int
    wins: int
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """
    One running node, to be looked at.

    All but `records` are called in the event loop, `odds` seldom, since it takes a
    while; `records` reads the disk and is called in one thread at a time.

    Attributes:
        task, peer_id, nickname: What it works on, and who it is.
        board: What it knows; a value that does not change.
        status: What it says of itself in its home (`watch.status`).
        trials: Its own experiments, the oldest first; the list only grows.
        records: Those of the wanted records that are kept, whole.
        connected: The peers it is connected to.
        presences: What peers have said of themselves of late.
        anchors: Whose replications it believes from the start, its own included.
        odds: Of each family of ideas, the likeliest first; None before research begins.
    """

    task: Task
    peer_id: PeerId
    nickname: str
    board: Callable[[], Board]
    status: Callable[[], dict[str, object]]
    trials: Callable[[], Sequence[Trial]]
    records: Callable[[Sequence[RecordId]], Mapping[RecordId, Record]]
    connected: Callable[[], Sequence[PeerId]]
    presences: Callable[[], Sequence[Presence]]
    anchors: Callable[[], frozenset[PeerId]]
    odds: Callable[[], Sequence[Odds] | None]

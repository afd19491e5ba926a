"""
The documents of the API that are made from the board.

Law: functions of what they are given; the same board gives the same document.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm.board import Board
from swarm.findings import State
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.ranking import Ranked
from swarm.records import RecordId
from swarm.task import Task
from swarm.verdict import Yardstick
from swarm.viewpoint import Viewpoint
from swarm.wear import wear


@dataclass(frozen=True, slots=True)
class Standing:
    """Everything on a board in its place, from one viewpoint."""

    board: Board
    yardstick: Yardstick
    places: list[Ranked]
    entries: list[Entry]

    @classmethod
    def of(cls, board: Board, yardstick: Yardstick, viewpoint: Viewpoint) -> Standing:
        """Rank what is on a board; the slow part of every view."""
        places = ranked(board, yardstick, viewpoint)
        holdouts = published_holdouts(board, [each.finding for each in places], yardstick)
        return cls(board, yardstick, places, rows(board, places, holdouts))

    def in_state(self, state: State | None) -> list[Entry]:
        """The entries in one state, the best first; None: all."""
        return [entry for entry in self.entries if state in (None, entry.state)]

    def entry_of(self) -> dict[RecordId, Entry]:
        """The entry that speaks for each win."""
        pairs = zip(self.places, self.entries, strict=True)
        return {record: entry for place, entry in pairs for record in place.finding.records}


def task_header(task: Task) -> dict[str, object]:
    """A task as the leaderboard names it."""
    metric = task.metric
    return {
        "id": task.id,
        "name": task.name,
        "metric": metric.name,
        "goal": metric.goal,
        "unit": metric.unit,
        "direction": metric.direction,
    }


def leaderboard_document(
    standing: Standing, task: Task, *, state: State | None, limit: int, peers: int
) -> dict[str, object]:
    """The first entries in a state, with all that is to be said around them."""
    shown = standing.in_state(state)
    found = [place.finding for place in standing.places]
    return {
        "total": len(shown),
        "task": task_header(task),
        "experiments": standing.board.experiments,
        "records": standing.board.records,
        "peers": peers,
        "entries": [entry.document() for entry in shown[:limit]],
        "wear": wear(standing.board, found, standing.yardstick).document(),
    }


def lineage_document(standing: Standing, limit: int) -> dict[str, object]:
    """The newest wins with what each was built on; the oldest of them first."""
    wins, entry_of = standing.board.wins, standing.entry_of()
    newest = sorted(wins, key=lambda record: (wins[record].created_at_ms, record))[-limit:]
    edges: list[dict[str, object]] = []
    for record in newest:
        edges.append({"from": wins[record].base, "to": record, "kind": "base"})
        for parent in wins[record].parents:
            edges.append({"from": parent, "to": record, "kind": "parent"})
    nodes = [_node(record, standing.board, entry_of[record]) for record in newest]
    return {"total": len(wins), "nodes": nodes, "edges": edges}


def _node(record: RecordId, board: Board, entry: Entry) -> dict[str, object]:
    win = board.wins[record]
    return {
        "record": record,
        "title": win.title,
        "author": win.author,
        "nickname": win.nickname,
        "family": win.family,
        "state": entry.state,
        "rank": entry.rank,
        "value": entry.value,
        "effect": entry.effect,
        "created_at_ms": win.created_at_ms,
    }

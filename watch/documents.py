"""
The documents of the API that are made from the board.

Law: functions of what they are given; the same board gives the same document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from swarm.board import Claim
from swarm.findings import State
from swarm.leaderboard import Entry
from swarm.milestones import Milestone
from swarm.records import RecordId
from swarm.task import Task
from swarm.wear import wear
from watch.standing import Standing


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
    standing: Standing,
    entries: Sequence[Entry],
    task: Task,
    *,
    state: State | None,
    limit: int,
    peers: int,
) -> dict[str, object]:
    """The first entries in a state, with all that is to be said around them."""
    shown = [entry for entry in entries if state in (None, entry.state)]
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


def lineage_document(standing: Standing, entries: Sequence[Entry], limit: int) -> dict[str, object]:
    """The newest wins with what each was built on; the oldest of them first."""
    wins = standing.board.wins
    newest = sorted(wins, key=lambda record: (wins[record].created_at_ms, record))[-limit:]
    spoken = entry_of(standing, entries)
    nodes = [_node(record, wins[record], spoken[record]) for record in newest]
    edges = [edge for record in newest for edge in _edges(record, wins[record])]
    return {"total": len(wins), "nodes": nodes, "edges": edges}


def entry_of(standing: Standing, entries: Sequence[Entry]) -> dict[RecordId, Entry]:
    """The row of the leaderboard that speaks for each win."""
    pairs = zip(standing.places, entries, strict=True)
    return {record: entry for place, entry in pairs for record in place.finding.records}


def milestones_document(
    milestones: Sequence[Milestone], spoken: Mapping[RecordId, Entry]
) -> dict[str, object]:
    """What the literature knows of the wins here, the oldest first."""
    return {"milestones": [_milestone(each, spoken[each.record]) for each in milestones]}


def _milestone(milestone: Milestone, entry: Entry) -> dict[str, object]:
    return {
        "record": milestone.record,
        "kind": milestone.kind,
        "name": milestone.idea.name,
        "year": milestone.idea.year,
        "text": milestone.text,
        "source": milestone.idea.source,
        "url": milestone.idea.url,
        "title": entry.title,
        "author": entry.author,
        "nickname": entry.nickname,
        "effect": entry.effect,
        "created_at_ms": milestone.created_at_ms,
    }


def _node(record: RecordId, win: Claim, entry: Entry) -> dict[str, object]:
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


def _edges(record: RecordId, win: Claim) -> Iterator[dict[str, object]]:
    yield {"from": win.base, "to": record, "kind": "base"}
    for parent in win.parents:
        yield {"from": parent, "to": record, "kind": "parent"}

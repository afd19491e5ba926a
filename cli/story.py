"""
Everything a home knows of its task, read once: for pictures, reports and archives.

Law: reads only, while a node runs or not. Own experiments that no peer has been
told of yet are in it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.snapshot import Snapshot, TaskHeader, take_snapshot
from experiments.history import read_trials
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.board import Board
from swarm.findings import State
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.ranking import Ranked
from swarm.records import Record, RecordId, Replication, Trials, Win
from swarm.task import Metric
from watch.tried import WIN, Tried, in_order, of_trial, of_trials, of_win


@dataclass(frozen=True, slots=True)
class Story:
    """
    A home and all of its records.

    Attributes:
        places: The findings on the board, best believed first.
        tried: Every finished experiment, own and peers', the oldest first.
    """

    snapshot: Snapshot
    board: Board
    records: Mapping[RecordId, Record]
    places: tuple[Ranked, ...]
    tried: tuple[Tried, ...]

    @property
    def wins(self) -> dict[RecordId, Win]:
        """The wins among the records."""
        return {key: record for key, record in self.records.items() if isinstance(record, Win)}

    @property
    def replications(self) -> dict[RecordId, Replication]:
        """The replications among the records."""
        return {
            key: record for key, record in self.records.items() if isinstance(record, Replication)
        }

    @property
    def states(self) -> dict[RecordId, State]:
        """What is to be said of every win."""
        return {
            record: place.finding.state for place in self.places for record in place.finding.records
        }

    @property
    def entries(self) -> list[Entry]:
        """The whole leaderboard."""
        found = [place.finding for place in self.places]
        holdouts = published_holdouts(self.board, found, self.snapshot.task.yardstick)
        return rows(self.board, self.places, holdouts)

    @property
    def metric(self) -> Metric:
        """What the task measures."""
        return metric_of(self.snapshot.task)


def read_story(root: Path) -> Story:
    """
    Read the home in `root`.

    Raises:
        JournalError: The journal is there but cannot be read.
        HistoryError: So is the file of own experiments.
    """
    snapshot = take_snapshot(root)
    board, records = Board(), dict[RecordId, Record]()
    try:
        with Journal.open(snapshot.journal, read_only=True) as journal:
            board = load_board(journal)
            records = {stored.id: journal.read(stored.envelope) for _, stored in journal.replay()}
    except JournalMissing:
        pass
    places = tuple(ranked(board, snapshot.task.yardstick))
    return Story(snapshot, board, records, places, tuple(in_order(_tried(snapshot, records))))


def metric_of(task: TaskHeader) -> Metric:
    """What a task measures, as pictures know it."""
    return Metric(task.metric, task.direction, task.unit, task.goal)


def own_tried(snapshot: Snapshot) -> list[Tried]:
    """
    This node's own experiments that were no wins, as it remembers them.

    Raises:
        HistoryError: The file cannot be read.
    """
    return [
        of_trial(
            None, trial, snapshot.peer_id or "", snapshot.nickname, snapshot.hardware_class or ""
        )
        for trial in read_trials(snapshot.home.history, snapshot.work)
        if trial.outcome != WIN
    ]


def _tried(snapshot: Snapshot, records: Mapping[RecordId, Record]) -> list[Tried]:
    found: list[Tried] = []
    for record_id, record in records.items():
        if isinstance(record, Win):
            found.append(of_win(record_id, record))
        elif isinstance(record, Trials):
            found += of_trials(record_id, record)
    return found + own_tried(snapshot)

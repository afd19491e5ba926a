"""
Everything a home knows of its task, read once: for pictures, reports and archives.

Law: reads only, while a node runs or not. Own experiments that no peer has been
told of yet are in it too.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cli.snapshot import Snapshot, TaskHeader, take_snapshot
from experiments.history import read_trials
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from gossip.wins import JournalWins
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
    A home and what its records say; without the diffs, which may be many and long.

    Attributes:
        places: The findings on the board, best believed first.
        tried: Every finished experiment, own and peers', the oldest first.
        replications: All of them, in the order they came.
    """

    snapshot: Snapshot
    board: Board
    places: tuple[Ranked, ...]
    tried: tuple[Tried, ...]
    replications: tuple[Replication, ...]

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
    board, tried, replications = Board(), list[Tried](), list[Replication]()
    with suppress(JournalMissing), Journal.open(snapshot.journal, read_only=True) as journal:
        board = load_board(journal)
        for _, stored in journal.replay():
            record = journal.read(stored.envelope)
            tried += told_by(stored.id, record)
            if isinstance(record, Replication):
                replications.append(record)
    places = tuple(ranked(board, snapshot.task.yardstick))
    told = in_order([*tried, *own_tried(snapshot)])
    return Story(snapshot, board, places, tuple(told), tuple(replications))


@contextmanager
def opened_wins(snapshot: Snapshot) -> Generator[Mapping[RecordId, Win]]:
    """
    The wins with their diffs, read from the journal one by one as they are asked for.

    Raises:
        JournalError: The journal is there but cannot be read.
    """
    try:
        journal = Journal.open(snapshot.journal, read_only=True)
    except JournalMissing:
        yield {}
        return
    with journal:
        yield JournalWins(journal)


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


def told_by(record_id: RecordId, record: Record) -> list[Tried]:
    """The experiments that a record tells of."""
    if isinstance(record, Win):
        return [of_win(record_id, record)]
    return list(of_trials(record_id, record)) if isinstance(record, Trials) else []

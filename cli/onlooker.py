"""
A home as its own research would see it, without being the node.

Law: reads only, whether the node runs or not. What only the running node knows, such as
claims of peers, is missing here and moves the odds of single ideas, not of families.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from gossip.board import load_board
from gossip.journal import Journal
from gossip.wins import JournalWins, latest_trials
from swarm.board import Board
from swarm.lineage import RecentTrees, resolve_tree
from swarm.newcomers import Piece, Spending
from swarm.records import PeerId, Record, RecordId, Trial, Win
from swarm.seen import LatestTrials, SeenTrial
from swarm.signals import Claim, Idea, Lead
from swarm.task import Task
from swarm.tree import Tree


@dataclass(frozen=True, slots=True)
class PastTrials:
    """A node's finished experiments, as they were read."""

    trials: Sequence[Trial]

    def all(self) -> list[Trial]:
        """Every trial, oldest first."""
        return list(self.trials)


@dataclass
class Onlooker:
    """
    What `experiments.outside.Swarm` asks for, out of a journal, or out of nothing.

    Attributes:
        journal: None where this node has none yet.
        own: This node's peer id.
        trusted: The peers that its owner named.
    """

    task: Task
    journal: Journal | None
    own: PeerId
    trusted: frozenset[PeerId]
    board: Board = field(init=False)

    def __post_init__(self) -> None:
        self.board = load_board(self.journal) if self.journal else Board()
        self._wins = JournalWins(self.journal) if self.journal else dict[RecordId, Win]()
        self._trees = RecentTrees()

    def now_ms(self) -> int:
        """The wall clock, Unix epoch milliseconds."""
        return time.time_ns() // 1_000_000

    def tree_of(self, record: RecordId | None) -> Tree:
        """The editable files of a win, or of the baseline."""
        if record is None:
            return self.task.baseline
        task = self.task
        return resolve_tree(record, self._wins, task.baseline, task.editable, self._trees)

    def peers(self) -> int:
        """Nobody is connected to an onlooker."""
        return 1

    def anchors(self) -> frozenset[PeerId]:
        """This node and the peers its owner named."""
        return self.trusted | {self.own}

    def peer_trials(self) -> Sequence[SeenTrial]:
        """What peers finished lately, the oldest first."""
        latest = LatestTrials()
        for record, batch in latest_trials(self.journal) if self.journal else ():
            latest.add(record, batch)
        return [seen for seen in latest.all() if seen.author != self.own]

    def claims(self) -> Sequence[Claim]:
        """Claims are never stored."""
        return ()

    def leads(self) -> Sequence[Lead]:
        """Paces neither."""
        return ()

    def remembered(self, name: str) -> bytes | None:
        """What the node last remembered under a name."""
        return self.journal.state(name) if self.journal else None

    def spending(self, trials: Sequence[Trial]) -> Spending:
        """What the node's latest experiments took."""
        spending = Spending()
        for trial in trials:
            wins = self.board.wins
            authors = frozenset(wins[each].author for each in trial.parents if each in wins)
            piece = Piece(authors=authors - {self.own})
            spending.begin(piece)
            spending.end(piece, trial.milliseconds / 1000)
        return spending

    def claim(self, ideas: Sequence[Idea]) -> None:
        """An onlooker measures nothing."""

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        """Nor is anything of its own the best."""

    def sign(self, message: bytes) -> bytes:
        """Not for an onlooker."""
        raise NotImplementedError

    async def publish(self, record: Record) -> RecordId:
        """Not for an onlooker."""
        raise NotImplementedError

    async def remember(self, name: str, data: bytes) -> None:
        """Not for an onlooker."""
        raise NotImplementedError

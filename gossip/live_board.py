"""
The board of a running node: records as they come, their diffs checked.

Law: a record is on the board as soon as it is durable. That a win's diff gives
the tree it claims is checked a moment later, and nothing is built on a win
before that. The stored view covers only what has been checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress

import trio

from gossip.board import load_board, save_board
from gossip.journal import Journal
from gossip.journal_faults import JournalFull
from gossip.upkeep import drop_unkept
from gossip.wins import JournalWins, latest_trials, unchecked
from swarm.board import Board
from swarm.lineage import Incomplete, InvalidWin, RecentTrees, resolve_tree
from swarm.records import PeerId, RecordId, Trials, Win
from swarm.seen import LatestTrials
from swarm.task import Task
from swarm.tree import Tree
from swarm.validation import Valid

CHECK_SECONDS = 0.005
"""Of checking at once, so that the network waits no longer."""
PAUSE_PER_CHECK = 9.0
"""The rest after checks, in multiples of what they took: they get a tenth of the time."""


class LiveBoard:
    """
    What this node knows, kept up to date.

    Args:
        journal: Written in a thread by whoever holds `disk`.
        reading: The same journal, for quick reads in the event loop.

    Attributes:
        trials: The latest experiments on record, this node's own among them.
    """

    def __init__(
        self, task: Task, journal: Journal, reading: Journal, disk: trio.CapacityLimiter
    ) -> None:
        self._task = task
        self._journal = journal
        self._disk = disk
        self._board = load_board(reading)
        self._wins = JournalWins(reading)
        self._trees = RecentTrees()
        self.trials = LatestTrials()
        for record, batch in latest_trials(reading):
            self.trials.add(record, batch)
        self._unchecked = deque(unchecked(reading, self._board))
        self._pending = set(self._unchecked)
        self._waiting: dict[RecordId, list[RecordId]] = {}
        self._news = trio.Event()

    @property
    def board(self) -> Board:
        """The board now; a value that does not change."""
        return self._board

    @property
    def news(self) -> trio.Event:
        """Set when the board next changes."""
        return self._news

    @property
    def unchecked(self) -> int:
        """How many wins wait for their diff, or that of their base, to be applied."""
        return len(self._pending)

    def knows(self, record: RecordId) -> bool:
        """Whether a record is on the board."""
        board = self._board
        return record in board.wins or record in board.replications or record in board.trials

    def wins_of(self, author: PeerId) -> int:
        """How many wins an author has claimed."""
        return sum(claim.author == author for claim in self._board.wins.values())

    def add(self, batch: Sequence[Valid]) -> None:
        """Take in records that are in the journal now."""
        self._board = self._board.with_records([(valid.id, valid.record) for valid in batch])
        wins = {valid.id: valid.record for valid in batch if isinstance(valid.record, Win)}
        self._wins.remember(wins)
        self._unchecked += wins
        self._pending.update(wins)
        for valid in batch:
            if isinstance(valid.record, Trials):
                self.trials.add(valid.id, valid.record)
        self._tell()

    def tree_of(self, record: RecordId | None) -> Tree:
        """
        The editable files of a win, or of the baseline.

        Raises:
            Incomplete: A win it stands on is not here.
            InvalidWin: A diff on the way does not give the tree it claims.
        """
        if record is None:
            return self._task.baseline
        return resolve_tree(
            record, self._wins, self._task.baseline, self._task.editable, self._trees
        )

    async def check_for_ever(self) -> None:
        """
        Apply the diff of every win once its base is here; what fails is invalid for good.

        Each check is followed by a longer pause: ten thousand wins may come at once,
        and the network must not wait for their diffs.
        """
        while True:
            news, invalid = self._news, len(self._board.invalid)
            while self._unchecked:
                took = self._check_some()
                await trio.sleep(PAUSE_PER_CHECK * took)
            if len(self._board.invalid) > invalid:
                await self.save()
            await news.wait()

    def _check_some(self) -> float:
        """Check for a moment; how many seconds it took."""
        started = trio.current_time()
        while self._unchecked and trio.current_time() - started < CHECK_SECONDS:
            self._check(self._unchecked.popleft())
        return trio.current_time() - started

    async def save(self) -> None:
        """
        Keep the board for a quick start, unless some of it is still to be checked.

        A full disk costs the quick start, nothing else.
        """
        if not self._unchecked:
            with suppress(JournalFull):
                await trio.to_thread.run_sync(
                    save_board, self._journal, self._board, limiter=self._disk
                )

    async def drop_unkept(self, now_ms: int) -> None:
        """Forget what no peer keeps: old trials, and what is over an author's share."""
        dropped = await trio.to_thread.run_sync(
            drop_unkept, self._journal, self._board, now_ms, limiter=self._disk
        )
        if dropped:
            self._board = self._board.without(dropped)
            self.trials.drop(dropped)
            await self.save()
            self._tell()

    def _check(self, record: RecordId) -> None:
        """
        Judge one win, if its base has been; else it waits for that.

        Those that waited for it come next, so each check is a single diff further,
        in whatever order the wins of a long lineage came.
        """
        claim = self._board.wins.get(record)
        base = claim.base if claim else None
        if base is not None and (base in self._pending or base not in self._board.wins):
            self._waiting.setdefault(base, []).append(record)
            return
        try:
            self.tree_of(record)
        except Incomplete as error:
            self._waiting.setdefault(error.missing, []).append(record)
            return
        except InvalidWin:
            self._board = self._board.with_invalid([record])
        self._pending.discard(record)
        self._unchecked.extendleft(self._waiting.pop(record, ()))

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

"""
A node of a simulated swarm: everything real but the machine and the wire.

Research, checks, proposers, strategy, runner, door, quotas, retention and judging are
those of a real node; the harness is given, and the journal is a dictionary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import trio

from benchmarks.virtual.wire import Wire, now_ms
from experiments.findings import Author, trials_record
from experiments.harness import Harness
from experiments.history import History
from experiments.opinions import Opinions
from experiments.proposers import Proposer
from experiments.research import Research
from experiments.run_cache import RunCache
from experiments.runner import Runner
from gossip.identity import Identity, new_identity
from gossip.intake import Intake, RecordExpiredError
from gossip.journal import Journal
from swarm.board import Board
from swarm.envelope import seal
from swarm.lineage import Incomplete, InvalidWin, RecentTrees, resolve_tree
from swarm.records import PeerId, Record, RecordId, Win, encode
from swarm.retention import Entry, entry_of, keep
from swarm.seen import SeenTrial
from swarm.settings import SearchSettings
from swarm.signals import Claim, Idea, Lead
from swarm.task import Task
from swarm.tree import Tree
from swarm.validation import Invalid, Scope, Valid, validate

TRIALS_MINUTES = 3.0
RETENTION_MINUTES = 60.0
TRIALS_PER_RECORD = 64

Accepted = Callable[[Sequence[Valid]], None]


def identity_of(name: str) -> Identity:
    """The same key for the same name."""
    return new_identity(random.Random(name).randbytes(32))


class Door(Intake):
    """The door of a node, in front of a set of ids instead of a disk."""

    def __init__(
        self, scope: Scope, own: PeerId, entries: Mapping[RecordId, Entry], accepted: Accepted
    ) -> None:
        super().__init__(
            cast("Journal", None),
            trio.CapacityLimiter(1),
            scope,
            own=own,
            known=entries.__contains__,
            accepted=accepted,
            refused=self._count,
            now_ms=now_ms,
        )
        self.refused_count = 0

    async def offer(self, envelope: bytes, sender: str) -> bool:
        """As any door, but what one node found out about these bytes, all know."""
        verdict = _verdict(envelope, self._scope)
        if isinstance(verdict, Invalid):
            self._refused(str(verdict), sender)
            return False
        return await self._admit(verdict)

    async def _store(self, batch: list[Any]) -> None:
        fresh: dict[RecordId, Valid] = {waiting.valid.id: waiting.valid for waiting in batch}
        if fresh := {key: valid for key, valid in fresh.items() if not self._known(key)}:
            self._accepted(list(fresh.values()))
        for waiting in batch:
            waiting.stored.set()

    def _count(self, reason: str, sender: str) -> None:
        self.refused_count += 1


@lru_cache(maxsize=10_000)
def _verdict(envelope: bytes, scope: Scope) -> Valid | Invalid:
    """`validate` gives the same answer whoever asks."""
    try:
        return validate(envelope, scope)
    except Invalid as refusal:
        return refusal


class Peer:
    """
    One node: what `experiments.outside.Swarm` asks for, and its services.

    Attributes:
        trials_minutes: How often it tells of its trials.

    Args:
        harness: How a tree becomes a result, in virtual time.
        name: Decides the node's key and all that it draws.
        scratch: A folder in memory, for the runner's workspaces.
        proposers: What ideas it has.
        hardware_class: What it takes its machine for.
    """

    trials_minutes = TRIALS_MINUTES

    def __init__(
        self,
        task: Task,
        harness: Harness,
        wire: Wire,
        name: str,
        scratch: Path,
        *,
        proposers: Sequence[Proposer],
        hardware_class: str = "cpu-laptop",
    ) -> None:
        self.identity = identity_of(name)
        self.peer_id = self.identity.peer_id
        self.history = History(Path(":memory:"), task.id)
        self._proposers = proposers
        self.runner = Runner(
            task,
            harness,
            scratch=scratch / name,
            runs=RunCache(Path(":memory:")),
            workers=1,
        )
        self._task = task
        self._wire = wire
        nickname = name.rpartition("/")[2]
        self._author = Author(self.peer_id, nickname, task.topic, task.id, hardware_class, "cpu")
        self._uniform = random.Random(name).random
        self._board = Board()
        self._entries: dict[RecordId, Entry] = {}
        self._wins: dict[RecordId, Win] = {}
        self._trees = RecentTrees(1024)
        self._waiting: dict[RecordId, list[RecordId]] = {}
        self._memory: dict[str, bytes] = {}
        self._news = trio.Event()
        self.research: Research | None = None
        scope = Scope(task.topic, task.id)
        self.door = Door(scope, self.peer_id, self._entries, self._accepted)
        wire.join(self.peer_id, self.door.offer)

    async def live(self, search: SearchSettings) -> None:
        """Research, tell of trials and forget what nobody keeps, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.door.run)
            nursery.start_soon(self._tell_of_trials)
            nursery.start_soon(self._forget)
            async with self.runner:
                self.research = Research(
                    self._task,
                    self.runner,
                    self.history,
                    self._proposers,
                    self,
                    self._author,
                    search,
                    workers=1,
                    limit=None,
                    report=lambda event: None,
                    uniform=self._uniform,
                )
                await self.research.run(lambda: self._news)

    def minutes(self, authors: Collection[PeerId]) -> float:
        """What it spent on wins of some authors: on folds of them, and on checks."""
        if self.research is None:
            return 0.0
        return self.research.spending.seconds(lambda piece: not piece.authors.isdisjoint(authors))

    def known(self) -> set[PeerId]:
        """The authors who are no newcomers to it."""
        return Opinions(self._task, self).known()

    @property
    def champion(self) -> RecordId | None:
        """What it builds on now."""
        return (self._memory.get("champion") or b"").decode() or None

    # What research asks of the rest (`experiments.outside.Swarm`)

    @property
    def board(self) -> Board:
        return self._board

    def now_ms(self) -> int:
        return now_ms()

    def tree_of(self, record: RecordId | None) -> Tree:
        task = self._task
        if record is None:
            return task.baseline
        return resolve_tree(record, self._wins, task.baseline, task.editable, self._trees)

    def peers(self) -> int:
        return len(self._wire)

    def peer_trials(self) -> Sequence[SeenTrial]:
        """Not simulated: they only sway which idea of its own a node tries next."""
        return ()

    def claims(self) -> Sequence[Claim]:
        return ()

    def claim(self, ideas: Sequence[Idea]) -> None:
        """Not simulated, for the same reason."""

    def leads(self) -> Sequence[Lead]:
        return ()

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        """Nobody is trusted here, so nobody would hear it."""

    def anchors(self) -> frozenset[PeerId]:
        return frozenset({self.peer_id})

    def sign(self, message: bytes) -> bytes:
        return self.identity.sign(message)

    async def publish(self, record: Record) -> RecordId:
        envelope = seal(encode(record), self.identity.sign, self.identity.public_key)
        record_id = await self.door.commit(envelope)
        self._wire.send(self.peer_id, envelope)
        return record_id

    def remembered(self, name: str) -> bytes | None:
        return self._memory.get(name)

    async def remember(self, name: str, data: bytes) -> None:
        self._memory[name] = data

    # What the network brings

    def _accepted(self, batch: Sequence[Valid]) -> None:
        self._board = self._board.with_records([(valid.id, valid.record) for valid in batch])
        for valid in batch:
            self._entries[valid.id] = entry_of(valid.id, valid.record)
            if isinstance(valid.record, Win):
                self._wins[valid.id] = valid.record
                self._check(valid.id)
        self._news.set()
        self._news = trio.Event()

    def _check(self, record: RecordId) -> None:
        """Whether a win gives the tree it claims, and those that waited for it."""
        try:
            self.tree_of(record)
        except Incomplete as error:
            self._waiting.setdefault(error.missing, []).append(record)
            return
        except InvalidWin:
            self._board = self._board.with_invalid([record])
        for waiting in self._waiting.pop(record, ()):
            self._check(waiting)

    async def _tell_of_trials(self) -> None:
        while True:
            await trio.sleep(self.trials_minutes)
            while trials := self.history.unpublished(TRIALS_PER_RECORD):
                with suppress(RecordExpiredError):
                    await self.publish(trials_record(self._author, trials))
                self.history.mark_published(trials)

    async def _forget(self) -> None:
        while True:
            await trio.sleep(RETENTION_MINUTES)
            dropped = self._entries.keys() - keep(self._entries.values(), now_ms())
            if dropped:
                self._board = self._board.without(dropped)
                for record in dropped:
                    del self._entries[record]
                    self._wins.pop(record, None)

"""A node without a network: real runs of the toy task, real signatures, a board in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from experiments.findings import Author
from experiments.run_cache import RunCache
from experiments.runner import Runner, open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import LoadedTask, load_task
from gossip.identity import Identity, new_identity
from swarm.board import Board
from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.envelope import seal
from swarm.lineage import resolve_tree
from swarm.records import Environment, Pair, PeerId, Record, RecordId, Win, encode
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar, write_settings
from swarm.signals import Claim, Idea, Lead
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.validation import Scope, validate
from tests.processes import TOY

NOW_MS = 1_790_000_000_000
SOMEBODY = new_identity(b"\x07" * 32)


def toy() -> LoadedTask:
    """The toy task."""
    return load_task(TOY)


@dataclass
class Lab:
    """What `experiments.outside.Swarm` asks for, in memory; own records pass the real door."""

    task: Task
    seed: int = 1
    others: int = 0
    board: Board = field(default_factory=Board)
    wins: dict[RecordId, Win] = field(default_factory=dict[RecordId, Win])
    memory: dict[str, bytes] = field(default_factory=dict[str, bytes])
    published: list[Record] = field(default_factory=list[Record])
    seen: list[SeenTrial] = field(default_factory=list[SeenTrial])
    heard: list[Claim] = field(default_factory=list[Claim])
    claimed: list[tuple[Idea, ...]] = field(default_factory=list[tuple[Idea, ...]])
    heard_leads: list[Lead] = field(default_factory=list[Lead])
    told_leads: list[tuple[object, ...]] = field(default_factory=list[tuple[object, ...]])

    @property
    def identity(self) -> Identity:
        return new_identity(bytes([self.seed]) * 32)

    @property
    def author(self) -> Author:
        name = f"lab{self.seed}"
        peer_id = self.identity.peer_id
        return Author(peer_id, name, self.task.topic, self.task.id, "cpu-laptop", "cpu")

    def now_ms(self) -> int:
        return NOW_MS

    def tree_of(self, record: RecordId | None) -> Tree:
        task = self.task
        if record is None:
            return task.baseline
        return resolve_tree(record, self.wins, task.baseline, task.editable, {})

    def peers(self) -> int:
        return self.others + 1

    def peer_trials(self) -> Sequence[SeenTrial]:
        return self.seen

    def claims(self) -> Sequence[Claim]:
        return self.heard

    def claim(self, ideas: Sequence[Idea]) -> None:
        self.claimed.append(tuple(ideas))

    def leads(self) -> Sequence[Lead]:
        return self.heard_leads

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        self.told_leads.append((value_nano, tuple(curve)))

    def anchors(self) -> frozenset[PeerId]:
        return frozenset({self.identity.peer_id})

    def sign(self, message: bytes) -> bytes:
        return self.identity.sign(message)

    async def publish(self, record: Record) -> RecordId:
        identity = self.identity
        envelope = seal(encode(record), identity.sign, identity.public_key)
        valid = validate(envelope, Scope(self.task.topic, self.task.id))
        self.hear(valid.record)
        self.published.append(valid.record)
        return valid.id

    def hear(self, *records: Record) -> None:
        """Take in records, as if they came from peers."""
        for record in records:
            record_id = cid_of(encode(record))
            self.board = self.board.with_record(record_id, record)
            if isinstance(record, Win):
                self.wins[record_id] = record

    def remembered(self, name: str) -> bytes | None:
        return self.memory.get(name)

    async def remember(self, name: str, data: bytes) -> None:
        self.memory[name] = data


@asynccontextmanager
async def toy_runner(folder: Path, workers: int = 2) -> AsyncGenerator[Runner]:
    """A runner that really runs the toy task."""
    loaded = toy()
    runner = open_runner(
        loaded,
        cache=folder / "cache",
        scratch=folder / "scratch",
        runs=RunCache(folder / "runs.sqlite"),
        workers=workers,
        sandbox=best_sandbox(loaded.task.harness),
        niceness=0,
    )
    async with runner:
        yield runner


def claimed(
    task: Task, gain: float, settings: dict[str, Scalar], author: Identity = SOMEBODY
) -> tuple[RecordId, Win]:
    """A peer's claim, true or not, that these settings gain so much over the baseline."""
    tree = {"train.py": write_settings(task.baseline["train.py"], settings)}
    win = Win(
        author=author.peer_id,
        nickname="somebody",
        topic=task.topic,
        task=task.id,
        created_at_ms=NOW_MS,
        base=None,
        parents=(),
        diff=make_diff(task.baseline, tree),
        tree=tree_hash(tree),
        title=f"gains {gain}",
        rationale="",
        family="code",
        proposer="knobs",
        pairs=_pairs(gain, range(5)),
        blocks=(),
        environment=Environment("cpu-laptop", "cpu", "0", 1, 1, "none"),
    )
    return cid_of(encode(win)), win


def _pairs(gain: float, seeds: Sequence[int]) -> tuple[Pair, ...]:
    base = 2_700_000_000
    return tuple(Pair(seed, base, base - round(gain * 1e9) + seed) for seed in seeds)

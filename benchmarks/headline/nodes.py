"""
The budget spent by a swarm, and by the same nodes when none hears of another.

The nodes belong to one lab: each names the others as trusted. They are of several kinds
of hardware, which here only sways what they try first.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio
import trio.testing

from benchmarks.headline.lone import Found
from benchmarks.headline.spread import Spread, spread_of, value_of
from benchmarks.headline.training import PaidHarness, Tokens, Trainer
from benchmarks.virtual.peer import Peer
from benchmarks.virtual.wire import Wire, now_ms
from experiments.findings import trials_record
from experiments.proposers.front import finds
from experiments.proposers.mixed import every_proposer
from experiments.proposers.observed import settings_at
from experiments.proposers.turns import Turns
from swarm.board import Board
from swarm.duplicates import Repeated, repeated
from swarm.lineage import ancestors, base_chain
from swarm.records import PeerId, Record, RecordId, Trials, Win
from swarm.seen import LatestTrials, SeenTrial
from swarm.settings import SearchSettings
from swarm.signals import Claim, Idea, Lead
from swarm.tree import Tree
from swarm.validation import Valid

LAST_MINUTES = 1.0
"""How long what was found last has to reach everybody; nothing runs any more."""

TRIALS_MINUTES = 0.1
WIRE_MINUTES = (0.01, 0.05)
"""A real node tells every five seconds what it finished, which is everywhere within two."""

CLASSES = ("cpu-laptop", "cpu-server", "apple-silicon", "gpu-small", "gpu-large")


@dataclass(slots=True)
class Lab:
    """What the nodes of one lab have in common: whom they trust, and what each says of now."""

    members: set[PeerId] = field(default_factory=set[PeerId])
    claims: dict[PeerId, Claim] = field(default_factory=dict[PeerId, Claim])
    leads: dict[PeerId, Lead] = field(default_factory=dict[PeerId, Lead])


class Colleague(Peer):
    """A node of the lab, which also hears what others measure and have measured."""

    def __init__(
        self,
        training: Trainer,
        tokens: Tokens,
        over: trio.Event,
        wire: Wire,
        lab: Lab,
        name: str,
        scratch: Path,
        hardware_class: str,
    ) -> None:
        self.task = training.loaded.task
        self.trials = LatestTrials()
        self.trials_minutes = TRIALS_MINUTES
        self.steps: list[tuple[int, float]] = []
        self.champions: list[tuple[float, RecordId]] = []
        self._tokens = tokens
        self._lab = lab
        super().__init__(
            training.loaded.task,
            PaidHarness(training, tokens, over.set),
            wire,
            name,
            scratch,
            proposers=every_proposer(),
            hardware_class=hardware_class,
        )
        lab.members.add(self.peer_id)

    def peer_trials(self) -> Sequence[SeenTrial]:
        return [seen for seen in self.trials.all() if seen.author != self.peer_id]

    def claims(self) -> Sequence[Claim]:
        return [claim for claim in self._lab.claims.values() if claim.author != self.peer_id]

    def claim(self, ideas: Sequence[Idea]) -> None:
        scope = self._task.topic, self._task.id
        self._lab.claims[self.peer_id] = Claim(self.peer_id, *scope, now_ms(), tuple(ideas))

    def leads(self) -> Sequence[Lead]:
        return [lead for lead in self._lab.leads.values() if lead.author != self.peer_id]

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        scope = self._task.topic, self._task.id
        self._lab.leads.pop(self.peer_id, None)
        if curve:
            lead = Lead(self.peer_id, *scope, now_ms(), value_nano, tuple(curve))
            self._lab.leads[self.peer_id] = lead

    def anchors(self) -> frozenset[PeerId]:
        return frozenset(self._lab.members)

    def all_trials(self) -> Trials:
        """Everything it finished, told or not."""
        return trials_record(self._author, self.history.all())

    async def publish(self, record: Record) -> RecordId:
        if isinstance(record, Win):
            self.steps.append((self._tokens.spent, value_of(record)))
        return await super().publish(record)

    async def remember(self, name: str, data: bytes) -> None:
        await super().remember(name, data)
        before = self.champions[-1][1] if self.champions else None
        if self.champion is not None and self.champion != before:
            self.champions.append((trio.current_time(), self.champion))

    def _accepted(self, batch: Sequence[Valid]) -> None:
        for valid in batch:
            if isinstance(valid.record, Trials):
                self.trials.add(valid.id, valid.record)
        super()._accepted(batch)


@dataclass(frozen=True, slots=True)
class Ended:
    """
    What a group of nodes ended with.

    Attributes:
        found: The best tree, and at each win on the way what its finder measured.
        repeated: How often one tried what another had tried.
        board: Of the first node.
        lineages: By node, the wins its champion was built of.
        spread: How the first win was passed on; None without any.
        front: The best tree that any node has measured, proven or not.
        made_by: How many experiments each proposer made.
    """

    found: Found
    repeated: Repeated
    board: Board
    lineages: tuple[frozenset[RecordId], ...]
    spread: Spread | None
    front: Tree
    made_by: Mapping[str, int]


def swarm(
    training: Trainer,
    tokens: Tokens,
    seed: int,
    nodes: int,
    *,
    gossip: bool,
    classes: Sequence[str] = CLASSES,
) -> Ended:
    """Let `nodes` nodes spend the tokens, in virtual time."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(_swarm, training, tokens, seed, nodes, gossip, classes, clock=clock)


async def _swarm(
    training: Trainer,
    tokens: Tokens,
    seed: int,
    nodes: int,
    gossip: bool,
    classes: Sequence[str],
) -> Ended:
    over = trio.Event()
    with tempfile.TemporaryDirectory(prefix="headline-") as folder:
        async with trio.open_nursery() as nursery:
            draw = random.Random(f"wire {seed}").random
            wire, lab = Wire(nursery, draw, WIRE_MINUTES), Lab()
            wires = [wire if gossip else Wire(nursery, draw) for _ in range(nodes)]
            labs = [lab if gossip else Lab() for _ in range(nodes)]
            peers = [
                Colleague(
                    training,
                    tokens,
                    over,
                    wires[number],
                    labs[number],
                    f"{seed}/node {number}",
                    Path(folder),
                    classes[number % len(classes)],
                )
                for number in range(nodes)
            ]
            for number, peer in enumerate(peers):
                nursery.start_soon(_join, peer, number / nodes)
            await over.wait()
            await trio.sleep(LAST_MINUTES)
            nursery.cancel_scope.cancel()
    return _ended(peers)


async def _join(peer: Colleague, after_minutes: float) -> None:
    """Nobody starts at the same moment as another, so their runs do not keep step either."""
    await trio.sleep(after_minutes)
    await peer.live(SearchSettings())


def _ended(peers: Sequence[Colleague]) -> Ended:
    one = peers[0]
    value, record, peer = min(map(_champion, peers), key=lambda each: each[0])
    chain = base_chain(record, peer.board.wins) if record else []
    found = Found(
        best=peer.tree_of(record),
        said=value,
        experiments=sum(each.history.count() for each in peers),
        kept=[one.tree_of(None), *(peer.tree_of(each) for each in chain)],
        reached=sorted(step for each in peers for step in each.steps),
    )
    return Ended(
        found,
        repeated(each.all_trials() for each in peers if each.history.count()),
        one.board,
        tuple(_lineage(each) for each in peers),
        spread_of(one.board.wins, [each.champions for each in peers]),
        min(map(_front, peers), key=lambda each: each[0])[1],
        Counter(trial.proposer for each in peers for trial in each.history.all()),
    )


Led = tuple[float, RecordId | None, Colleague]


def _champion(peer: Colleague) -> Led:
    record = peer.champion
    value = math.inf if record is None else value_of(peer.board.wins[record])
    return value, record, peer


def _front(peer: Colleague) -> tuple[float, Tree]:
    """What the best that a node knows of costs, and its tree."""
    assert peer.research is not None
    situation = peer.research.situation()
    turns = Turns(situation)
    for cost, trial in finds(situation):
        settings = settings_at(situation, trial.base)
        changes = None if settings is None else turns.towards(settings | dict(trial.knobs))
        if changes is not None:
            return cost, turns.tree(changes)
    return math.inf, situation.champion.tree


def _lineage(peer: Colleague) -> frozenset[RecordId]:
    """What a node's champion was built of, itself included."""
    if peer.champion is None:
        return frozenset()
    return frozenset({peer.champion, *ancestors(peer.champion, peer.board.wins)})

"""One run of a simulated swarm, and what came of it once the truth is told."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import trio
import trio.testing

from benchmarks.liars.honest import Honest
from benchmarks.liars.liar import Coalition
from benchmarks.liars.world import World
from benchmarks.virtual.wire import Wire
from swarm.findings import Finding, findings
from swarm.records import PeerId, RecordId
from swarm.settings import SearchSettings
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint

MEMORY = next((path for path in (Path("/dev/shm"),) if path.is_dir()), None)
"""Where workspaces cost no disk."""


@dataclass(frozen=True, slots=True)
class Size:
    """How many nodes of each kind, and for how many minutes."""

    honest: int
    liars: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    What came of one run; a fabrication is a liar's claim of a gain that is not there.

    Attributes:
        fabrications: Findings that only liars claim, that can be rebuilt, and whose
            true gain over their base is below half of `min_effect`.
        adopted: Fabrications that an honest node's win names as base or parent.
        adopted_unearned: Of these, by wins that are no true gain for who built on them.
        board_replicated: Fabrications that the shared board calls replicated.
        mine_replicated: Pairs of an honest node and a fabrication that its own
            viewpoint calls replicated.
        board_refuted_true, mine_refuted_true: True honest gains that are called
            refuted, on the shared board and from an honest node's own viewpoint.
        liars_known: Pairs of an honest node and a liar that is no newcomer to it.
        bylines_taken: Findings of honest nodes on whose entry a liar stands first.
        honest_wins, honest_nulls: Wins of honest nodes, and those of them that are no
            gain in truth.
        experiments: Finished by honest nodes.
        own_minutes: What honest nodes spent on all but folds and checks of liars' wins.
        liars_minutes: What those took.
        progress: Mean true gain of the honest nodes' champions over the baseline.
        best: The largest of these.
        refused: Envelopes that the doors of honest nodes refused.
        records: On one honest node's board in the end.
        lies: What liars did.
    """

    fabrications: int
    adopted: int
    adopted_unearned: int
    board_replicated: int
    mine_replicated: int
    board_refuted_true: int
    mine_refuted_true: int
    liars_known: int
    bylines_taken: int
    honest_wins: int
    honest_nulls: int
    experiments: int
    own_minutes: float
    liars_minutes: float
    progress: float
    best: float
    refused: int
    records: int
    lies: int

    def document(self) -> dict[str, float]:
        """By name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def simulate(world: World, size: Size) -> Outcome:
    """Run a swarm in virtual time and hold what it believes against the truth."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    return trio.run(_simulate, world, size, clock=clock)


async def _simulate(world: World, size: Size) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="liars-", dir=MEMORY) as scratch:
        async with trio.open_nursery() as nursery:
            wire = Wire(nursery, random.Random(f"{world.seed}/wire").random)
            peers = [
                Honest(
                    world, wire, f"node {number}", Path(scratch), 0.5 + 1.5 * number / size.honest
                )
                for number in range(size.honest)
            ]
            coalition = Coalition(world, wire, size.liars)
            for peer in peers:
                nursery.start_soon(peer.live, SearchSettings())
            for liar in coalition.identities:
                nursery.start_soon(coalition.live, liar)
            await trio.sleep(size.minutes)
            nursery.cancel_scope.cancel()
    return outcome(world, peers, coalition)


def outcome(world: World, peers: list[Honest], coalition: Coalition) -> Outcome:
    """Count, knowing the truth."""
    truth = _Truth(world, peers, coalition.peer_ids)
    fabricated = {record for finding in truth.fabricated for record in finding.records}
    built = [claim for claim in truth.board.wins.items() if claim[1].author in truth.honest]
    links = {record: fabricated & {claim.base, *claim.parents} for record, claim in built}
    unearned = {each for record in truth.nulls for each in links.get(record, ())}
    start = world.truth(world.task.baseline)
    gains = [start - world.truth(peer.tree_of(peer.champion)) for peer in peers]
    spent = [peer.minutes(coalition.peer_ids) for peer in peers]
    return Outcome(
        fabrications=len(truth.fabricated),
        adopted=sum(truth.any_of(finding, links.values()) for finding in truth.fabricated),
        adopted_unearned=sum(truth.any_of(finding, [unearned]) for finding in truth.fabricated),
        board_replicated=truth.count("replicated", truth.fabricated, NEUTRAL),
        mine_replicated=truth.count_mine("replicated", truth.fabricated),
        board_refuted_true=truth.count("refuted", truth.gaining, NEUTRAL),
        mine_refuted_true=truth.count_mine("refuted", truth.gaining),
        liars_known=sum(len(peer.known() & coalition.peer_ids) for peer in peers),
        bylines_taken=sum(
            truth.board.wins[finding.records[0]].author in coalition.peer_ids
            for finding in truth.gaining
        ),
        honest_wins=len(built),
        honest_nulls=len(truth.nulls),
        experiments=sum(peer.history.count() for peer in peers),
        own_minutes=round(sum(peer.harness.busy_minutes for peer in peers) - sum(spent), 1),
        liars_minutes=round(sum(spent), 1),
        progress=round(math.fsum(gains) / len(gains), 5),
        best=round(max(gains), 5),
        refused=sum(peer.door.refused_count for peer in peers),
        records=truth.board.records,
        lies=sum(coalition.lies.values()),
    )


class _Truth:
    """What is so, beside what is said; the only place that knows both."""

    def __init__(self, world: World, peers: list[Honest], liars: frozenset[PeerId]) -> None:
        self._world = world
        self._peers = peers
        self._rule = Yardstick.of(world.task)
        self.honest = frozenset(peer.peer_id for peer in peers)
        self.board = peers[0].board
        found = [each for each in self._found(NEUTRAL) if each.state not in _UNUSABLE]
        self.fabricated = [
            each
            for each in found
            if all(self.board.wins[record].author in liars for record in each.records)
            and self.gain(each.records[0]) < self._rule.bar
        ]
        honest = [each for each in found if self._authors(each) & self.honest]
        self.gaining = [each for each in honest if self.gain(each.records[0]) >= self._rule.bar]
        self.nulls = {
            record for each in honest if each not in self.gaining for record in each.records
        }

    def value(self, record: RecordId | None) -> float:
        """What the tree of a win is worth."""
        return self._world.truth(self._peers[0].tree_of(record))

    def gain(self, record: RecordId) -> float:
        """By how much a win is better than its base."""
        return self.value(self.board.wins[record].base) - self.value(record)

    def count(self, state: str, wanted: Iterable[Finding], viewpoint: Viewpoint) -> int:
        """How many of the findings a viewpoint gives this state."""
        records = {finding.records[0] for finding in wanted}
        return sum(
            finding.state == state and not records.isdisjoint(finding.records)
            for finding in self._found(viewpoint)
        )

    def count_mine(self, state: str, wanted: list[Finding]) -> int:
        """The same, summed over the honest nodes' own viewpoints."""
        return sum(self.count(state, wanted, Viewpoint(peer.anchors())) for peer in self._peers)

    def any_of(self, finding: Finding, links: Iterable[set[RecordId]]) -> bool:
        """Whether some of these links lead to a finding."""
        return any(not each.isdisjoint(finding.records) for each in links)

    def _found(self, viewpoint: Viewpoint) -> list[Finding]:
        return findings(self.board, self._rule, viewpoint)

    def _authors(self, finding: Finding) -> set[PeerId]:
        return {self.board.wins[record].author for record in finding.records}


_UNUSABLE = ("incomplete", "invalid")

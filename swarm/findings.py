"""
What has been found, and what is to be said of each finding.

Wins that give the same tree on the same base are one finding: their evidence is
pooled, equal pairs count once, the replications of any count for all, and the
first to claim it stands for it. To be simpler and to gain are two things to claim,
and two findings.

Law: a function of the board and the viewpoint. From the neutral one, every node
with the same records says the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Literal, NamedTuple, TypeAlias

from swarm.board import Board, states
from swarm.challenge import CHALLENGE_SEEDS
from swarm.lineage import Status
from swarm.records import PeerId, RecordId, TreeHash
from swarm.simplicity import allowed_loss, is_simplification
from swarm.verdict import NOT_REPLICATED, Evidence, Pairs, Verdict, Yardstick, verdict, voices
from swarm.viewpoint import NEUTRAL, Viewpoint, heard

State: TypeAlias = Literal["claimed", "replicated", "refuted", "incomplete", "invalid"]
_Group: TypeAlias = tuple[RecordId | None, TreeHash, Status, bool]

HONEST_SIGMAS = 3.0
"""Means of honest replicators differ by less than this many of their standard errors."""

_base, _candidate = itemgetter(1), itemgetter(2)


class Finding(NamedTuple):
    """
    Wins that give one tree on one base, and what was said of them.

    Attributes:
        records: The wins, the first claim first.
        pairs: All that their authors measured, on validation; equal ones once.
        voices: The replications that count.
        verdict: What those say.
        simpler: It is claimed to be no worse than its base, and simpler.
    """

    base: RecordId | None
    tree: TreeHash
    state: State
    records: tuple[RecordId, ...]
    pairs: Pairs
    voices: tuple[Evidence, ...]
    verdict: Verdict
    simpler: bool = False

    @property
    def value_nano(self) -> float:
        """The mean metric of the tree as its authors measured it, in nano-units."""
        return sum(map(_candidate, self.pairs)) / len(self.pairs)

    @property
    def base_nano(self) -> float:
        """The mean metric of its base in the same pairs, in nano-units."""
        return sum(map(_base, self.pairs)) / len(self.pairs)


def findings(board: Board, yardstick: Yardstick, viewpoint: Viewpoint = NEUTRAL) -> list[Finding]:
    """All findings on the board, in no order that means anything."""
    groups: dict[_Group, list[RecordId]] = {}
    state_of = states(board)
    for record, claim in board.wins.items():
        simpler = is_simplification(claim.family, claim.pairs, yardstick)
        group = (claim.base, claim.tree, state_of[record], simpler)
        groups.setdefault(group, []).append(record)
    said = _voices(board, groups, yardstick)
    listened = heard(viewpoint, _gains(said.values(), yardstick), yardstick.bar, _noise(yardstick))
    return [
        _finding(board, group, records, said.get(group, ()), listened, yardstick)
        for group, records in groups.items()
    ]


def verdicts(
    board: Board, yardstick: Yardstick, viewpoint: Viewpoint = NEUTRAL
) -> dict[RecordId, Verdict]:
    """What replications say of every win that can be rebuilt here."""
    return {
        record: finding.verdict
        for finding in findings(board, yardstick, viewpoint)
        if finding.state not in ("incomplete", "invalid")
        for record in finding.records
    }


def _voices(
    board: Board, groups: Mapping[_Group, list[RecordId]], yardstick: Yardstick
) -> dict[_Group, tuple[Evidence, ...]]:
    """The replications that count from the neutral viewpoint, where there are any."""
    of_win: dict[RecordId, list[tuple[RecordId, Evidence]]] = {}
    for record, evidence in board.replications.items():
        of_win.setdefault(evidence.win, []).append((record, evidence))
    if not of_win:
        return {}
    claimants: dict[tuple[RecordId | None, TreeHash], set[PeerId]] = {}
    for group, records in groups.items():
        claimants.setdefault(group[:2], set()).update(board.wins[each].author for each in records)
    said: dict[_Group, tuple[Evidence, ...]] = {}
    for group, records in groups.items():
        found = [each for record in records for each in of_win.get(record, ())]
        if found and group[2] == "claimed":
            said[group] = voices(found, claimants[group[:2]], yardstick)
    return said


def _gains(
    said: Iterable[tuple[Evidence, ...]], yardstick: Yardstick
) -> Iterable[dict[PeerId, float]]:
    """For each finding, the mean gain that each replicator measured."""
    for counted in said:
        gains = {evidence.author: yardstick.gains(evidence) for evidence in counted}
        yield {author: math.fsum(row) / len(row) for author, row in gains.items()}


def _noise(yardstick: Yardstick) -> float:
    return HONEST_SIGMAS * yardstick.sigma * math.sqrt(2 / CHALLENGE_SEEDS)


def _finding(
    board: Board,
    group: _Group,
    records: list[RecordId],
    said: tuple[Evidence, ...],
    listened: frozenset[PeerId] | None,
    yardstick: Yardstick,
) -> Finding:
    base, tree, status, simpler = group
    first, pairs = _pooled(board, records)
    if not said:
        return Finding(base, tree, status, first, pairs, (), NOT_REPLICATED, simpler)
    if listened is not None:
        said = tuple(evidence for evidence in said if evidence.author in listened)
    judged = verdict(said, yardstick, allowed_loss(yardstick, simpler=simpler))
    return Finding(base, tree, judged.state, first, pairs, said, judged, simpler)


def _pooled(board: Board, records: list[RecordId]) -> tuple[tuple[RecordId, ...], Pairs]:
    if len(records) == 1:
        return (records[0],), board.wins[records[0]].pairs
    first = sorted(records, key=lambda record: (board.wins[record].created_at_ms, record))
    pairs = {pair for record in first for pair in board.wins[record].pairs}
    return tuple(first), tuple(sorted(pairs))

"""
The wins on the board, as what a fold is made of.

Law: only wins whose trees can be rebuilt here, and that nobody this node listens to
has found wanting, are offered; the best believed first, and no more than a bounded
number. What is offered is measured here before anything is built on it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from experiments.proposers import KnownWin
from swarm.board import Board, Claim
from swarm.findings import Finding
from swarm.lineage import Incomplete, InvalidWin, ancestors
from swarm.records import RecordId
from swarm.replication import arrivals
from swarm.statistics import Direction
from swarm.tree import Tree

MAX_WINS = 64


def foldable_wins(
    board: Board,
    champion: RecordId | None,
    found: Collection[Finding],
    direction: Direction,
    tree_of: Callable[[RecordId | None], Tree],
) -> list[KnownWin]:
    """
    Wins that the champion does not contain: those others confirmed first, then by gain.

    Args:
        found: The findings, from the viewpoint that guides this node.
        tree_of: The tree of a win, or of the baseline; raises Incomplete or InvalidWin.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    contained = {champion, *(ancestors(champion, board.wins) if champion else ())}
    arrival = arrivals(board)
    others = [
        (
            finding.verdict.confirming == 0,
            sign * believed_effect(finding),
            min(finding.records, key=arrival.__getitem__),
        )
        for finding in found
        if finding.state in ("claimed", "replicated")
        and contained.isdisjoint(finding.records)
        and not (finding.voices and 2 * finding.verdict.confirming < finding.verdict.voices)
    ]
    simpler = {record for finding in found if finding.simpler for record in finding.records}
    confirmed = {
        record for finding in found if finding.verdict.confirming for record in finding.records
    }
    known_wins: list[KnownWin] = []
    for _, effect, record in sorted(others)[: 2 * MAX_WINS]:
        if len(known_wins) == MAX_WINS:
            break
        known = _known(record, board.wins[record], sign * effect, tree_of)
        if known:
            known_wins.append(
                replace(known, simpler=known.record in simpler, confirmed=known.record in confirmed)
            )
    return known_wins


def believed_effect(finding: Finding) -> float:
    """Mean of candidate − base: what replications say, or else what its authors say."""
    said = finding.verdict.effect
    return said.mean if said is not None else _mean([c - b for _, b, c in finding.pairs])


def mean_value(claim: Claim) -> float:
    """Mean metric of the candidate, in its unit."""
    return _mean([candidate for _, _, candidate in claim.pairs])


def _known(
    record: RecordId, claim: Claim, effect: float, tree_of: Callable[[RecordId | None], Tree]
) -> KnownWin | None:
    try:
        base_tree, tree = tree_of(claim.base), tree_of(record)
    except (Incomplete, InvalidWin):
        return None
    return KnownWin(record, claim.title, claim.nickname, base_tree, tree, effect, mean_value(claim))


def _mean(nanos: Sequence[int]) -> float:
    return math.fsum(nanos) / len(nanos) / 1e9

"""
The wins on the board, as what a fold is made of.

Law: only wins whose trees can be rebuilt here are offered, the most promising
first, and no more than a bounded number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from experiments.proposers import KnownWin
from swarm.leaderboard import Board, Claim
from swarm.lineage import Incomplete, InvalidWin, known_wins
from swarm.records import RecordId
from swarm.statistics import Direction
from swarm.tree import Tree

MAX_WINS = 64


def foldable_wins(
    board: Board,
    champion: RecordId | None,
    direction: Direction,
    tree_of: Callable[[RecordId | None], Tree],
) -> list[KnownWin]:
    """
    Wins that the champion does not contain, by claimed gain.

    Args:
        tree_of: The tree of a win, or of the baseline; raises Incomplete or InvalidWin.
    """
    sign = 1.0 if direction == "minimize" else -1.0
    others = known_wins(board.wins, champion)
    others.sort(key=lambda record: (sign * mean_effect(board.wins[record]), record))
    found: list[KnownWin] = []
    for record in others:
        if len(found) == MAX_WINS:
            break
        known = _known(record, board.wins[record], tree_of)
        found += [known] if known else []
    return found


def mean_effect(claim: Claim) -> float:
    """Mean of candidate − base, in the metric's unit."""
    return _mean([candidate - base for _, base, candidate in claim.pairs])


def mean_value(claim: Claim) -> float:
    """Mean metric of the candidate, in its unit."""
    return _mean([candidate for _, _, candidate in claim.pairs])


def _known(
    record: RecordId, claim: Claim, tree_of: Callable[[RecordId | None], Tree]
) -> KnownWin | None:
    try:
        base_tree, tree = tree_of(claim.base), tree_of(record)
    except (Incomplete, InvalidWin):
        return None
    return KnownWin(
        record, claim.title, claim.nickname, base_tree, tree, mean_effect(claim), mean_value(claim)
    )


def _mean(nanos: Sequence[int]) -> float:
    return math.fsum(nanos) / len(nanos) / 1e9

"""
How much of a node's compute goes to authors of whom it knows nothing good.

An author is known here once a win of theirs was confirmed: measured again by this
node, or by those it listens to, and shown to gain; or built on by this node, which
takes a measurement of its own. Everyone else is a newcomer, and all newcomers together
get a tenth of the compute, however many names they go by. Measuring them is how they
become known, so an honest one is held up by little.

Law: pure; time is told, never read. The share is of what a node has other work for:
one that has nothing else to do may look at newcomers all day.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from swarm.board import Board
from swarm.findings import Finding
from swarm.records import PeerId
from swarm.remeasure import compare
from swarm.verdict import Yardstick

NEWCOMERS_SHARE = 0.1
"""The most of a node's compute that all newcomers together get, give or take one piece."""


def known_authors(
    board: Board, found: Iterable[Finding], anchors: Collection[PeerId], yardstick: Yardstick
) -> set[PeerId]:
    """
    The authors of whom this node has seen something good, itself included.

    A replication speaks for the author of the very win it names. Whoever claims the
    same tree afterwards shares the entry on the board, but earns no trust by it.

    Args:
        found: The findings, from the viewpoint that guides this node.
        anchors: This node, and the peers its owner named.
    """
    known = set(anchors)
    for claim in board.wins.values():
        if claim.author in anchors:
            links = (*claim.parents, *([claim.base] if claim.base else []))
            known |= {board.wins[link].author for link in links if link in board.wins}
    for finding in found:
        if _is_confirmed(finding, yardstick):
            named = {voice.win for voice in finding.voices}
            known |= {board.wins[win].author for win in named if win in board.wins}
    return known


def _is_confirmed(finding: Finding, yardstick: Yardstick) -> bool:
    sign = -1.0 if yardstick.direction == "minimize" else 1.0
    seen = [sign * gain for voice in finding.voices for gain in yardstick.gains(voice)]
    return len(seen) > 1 and compare(0.0, seen, yardstick).outcome in ("confirmed", "smaller")


@dataclass(frozen=True, slots=True)
class Piece:
    """
    A piece of work: a check of a peer's win, or an experiment.

    Attributes:
        check: Whether it is a check.
        authors: Whose wins it measures; none for an idea of this node's own.
    """

    check: bool = False
    authors: frozenset[PeerId] = frozenset()


class Spending:
    """
    What a node's compute went into since it started, and is going into now.

    A piece under way counts as much as pieces took on average, so that many workers
    who choose at the same moment do not all choose the same.
    """

    def __init__(self) -> None:
        self._under_way: list[Piece] = []
        self._seconds: dict[Piece, float] = {}
        self._finished = 0

    def begin(self, piece: Piece) -> None:
        """A piece of work starts."""
        self._under_way.append(piece)

    def end(self, piece: Piece, seconds: float) -> None:
        """It is over, however it ended."""
        self._under_way.remove(piece)
        self._seconds[piece] = self._seconds.get(piece, 0.0) + seconds
        self._finished += 1

    def has_room(self, wanted: Callable[[Piece], bool], share: float) -> bool:
        """Whether the pieces that are `wanted` have had less than their share so far."""
        total = sum(self._seconds.values())
        typical = total / self._finished if total else 1.0
        spent = sum(seconds for piece, seconds in self._seconds.items() if wanted(piece))
        spent += typical * sum(map(wanted, self._under_way))
        return spent < share * (total + typical * len(self._under_way))

    def has_room_for_newcomers(self, known: Collection[PeerId]) -> bool:
        """Whether newcomers, all but those who are `known`, have had less than their share."""
        return self.has_room(lambda piece: not piece.authors <= set(known), NEWCOMERS_SHARE)

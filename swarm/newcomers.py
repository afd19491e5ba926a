"""
How much of a node's compute goes to authors of whom it knows nothing good.

An author is known here once more of their wins held up than failed: measured again by
this node, or by those it listens to, against what was claimed; or built on by this node,
which takes a measurement of its own. Everyone else is a newcomer, and all newcomers
together get a tenth of the compute, however many names they go by. Which of them it goes
to is drawn by lot, whatever they claim, so that the loudest do not get it all. Measuring
them is how they become known, so an honest one is held up by little.

Law: pure; time and chance are told, never read. The share is of what a node has other
work for: one that has nothing else to do may look at newcomers all day.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from swarm.board import Board
from swarm.findings import Finding
from swarm.records import PeerId, from_nano
from swarm.statistics import mean_and_spread
from swarm.verdict import Yardstick

NEWCOMERS_SHARE = 0.1
"""The most of a node's compute that all newcomers together get, give or take one piece."""

DOUBT = 1.645
"""How many standard errors a gain must be clear of: one null in twenty is."""


def known_authors(
    board: Board, found: Iterable[Finding], anchors: Collection[PeerId], yardstick: Yardstick
) -> set[PeerId]:
    """
    The authors of whom this node has seen more good than bad, itself included.

    A replication speaks for the author of the very win it names. Whoever claims the
    same tree afterwards shares the entry on the board, but earns no trust by it.

    Args:
        found: The findings, from the viewpoint that guides this node.
        anchors: This node, and the peers its owner named.
    """
    standing: Counter[PeerId] = Counter()
    for claim in board.wins.values():
        if claim.author in anchors:
            links = (*claim.parents, *([claim.base] if claim.base else []))
            standing.update({board.wins[link].author for link in links if link in board.wins})
    for finding in found:
        held = _held_up(board, finding, yardstick)
        for author in {board.wins[voice.win].author for voice in finding.voices} if held else ():
            standing[author] += held
    return {*anchors, *(author for author, more in standing.items() if more > 0)}


def _held_up(board: Board, finding: Finding, yardstick: Yardstick) -> int:
    """
    Whether what was seen of a finding shows a gain: 1, or not even half of what was claimed: -1.

    Three pairs say little about their own spread, so it is not taken to be below the
    task's known sigma: this decides who is looked at, never what is a win.
    """
    seen = [gain for voice in finding.voices for gain in yardstick.gains(voice)]
    if len(seen) < 2:
        return 0
    sign = -1.0 if yardstick.direction == "minimize" else 1.0
    claimed = board.wins[finding.voices[0].win].pairs
    said = math.fsum(sign * from_nano(tried - base) for _, base, tried in claimed) / len(claimed)
    gain, spread = mean_and_spread(seen)
    margin = DOUBT * max(spread, yardstick.sigma) / math.sqrt(len(seen))
    if gain - margin > 0 and gain >= yardstick.bar:
        return 1
    return -1 if gain + margin < said / 2 else 0


def draw(failures: Mapping[PeerId, int], uniform: Callable[[], float]) -> PeerId | None:
    """
    The newcomer to look at, or None where there is none.

    Args:
        failures: How often each newcomer came to nothing here; those draw shorter lots.
        uniform: A number in [0, 1), new at each call.
    """
    authors = sorted(failures)
    lots = [1 / (1 + failures[author]) for author in authors]
    at = uniform() * math.fsum(lots)
    for author, lot in zip(authors, lots, strict=True):
        at -= lot
        if at < 0:
            return author
    return authors[-1] if authors else None


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

    def seconds(self, wanted: Callable[[Piece], bool]) -> float:
        """What the finished pieces that are `wanted` took."""
        return sum(seconds for piece, seconds in self._seconds.items() if wanted(piece))

    def has_room(self, wanted: Callable[[Piece], bool], share: float, ahead: float = 0.0) -> bool:
        """
        Whether the pieces that are `wanted` have had less than their share so far.

        Args:
            ahead: So many pieces, of what a piece takes on average, count as spent on them too.
        """
        total = sum(self._seconds.values())
        typical = total / self._finished if total else 1.0
        spent = self.seconds(wanted) + typical * (ahead + sum(map(wanted, self._under_way)))
        return spent < share * (total + typical * len(self._under_way))

    def has_room_for_newcomers(self, known: Collection[PeerId]) -> bool:
        """Whether newcomers, all but those who are `known`, have had less than their share."""
        return self.has_room(lambda piece: not piece.authors <= set(known), NEWCOMERS_SHARE)

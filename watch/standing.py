"""
A board put in order: what every view of it begins with.

Law: a function of the board and the viewpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarm.board import Board
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.ranking import Ranked
from swarm.records import RecordId
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint


@dataclass(frozen=True, slots=True)
class Standing:
    """
    Everything on a board in its place.

    Attributes:
        places: The findings, best believed first.
        holdouts: What is published of holdouts, by the first record of a finding.
    """

    board: Board
    yardstick: Yardstick
    places: list[Ranked] = field(default_factory=list[Ranked])
    holdouts: Mapping[RecordId, float] = field(default_factory=dict[RecordId, float])

    @classmethod
    def of(cls, board: Board, yardstick: Yardstick, viewpoint: Viewpoint = NEUTRAL) -> Standing:
        """Rank what is on a board; the slow part of every view."""
        places = ranked(board, yardstick, viewpoint)
        found = [place.finding for place in places]
        return cls(board, yardstick, places, published_holdouts(board, found, yardstick))

    def entries(self) -> list[Entry]:
        """The whole leaderboard, in the order of `places`."""
        return rows(self.board, self.places, self.holdouts)

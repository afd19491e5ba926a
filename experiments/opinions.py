"""
What this node thinks of what is on the board, worked out once per board.

Law: the board's state is judged in `swarm`; this file only remembers the last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from experiments.outside import Swarm
from swarm.board import Board
from swarm.findings import Finding, findings
from swarm.newcomers import draw, known_authors
from swarm.records import PeerId
from swarm.replication import UNKNOWN, reputations
from swarm.task import Task
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint

Uniform = Callable[[], float]
"""A number in [0, 1), new at each call."""


class Opinions:
    """The findings, from the viewpoint that guides this node and from the neutral one."""

    def __init__(self, task: Task, swarm: Swarm) -> None:
        self.yardstick = Yardstick.of(task)
        self._swarm = swarm
        self._latest: dict[Viewpoint, tuple[Board, list[Finding]]] = {}

    def mine(self) -> list[Finding]:
        """As those see it whom this node listens to."""
        return self._from(Viewpoint(self._swarm.anchors()))

    def neutral(self) -> list[Finding]:
        """As everyone sees it."""
        return self._from(NEUTRAL)

    def known(self) -> set[PeerId]:
        """The authors who are no newcomers here."""
        anchors = self._swarm.anchors()
        return known_authors(self._swarm.board, self.mine(), anchors, self.yardstick)

    def one_newcomer(
        self, authors: Iterable[PeerId], failures: Mapping[PeerId, int], uniform: Uniform
    ) -> PeerId | None:
        """One of these authors who is not known, drawn by lot; `failures` and checks count."""
        checked = reputations(self._swarm.board, self.mine())
        known = self.known()
        lots = {
            author: failures.get(author, 0) + checked.get(author, UNKNOWN).failed
            for author in authors
            if author not in known
        }
        return draw(lots, uniform)

    def _from(self, viewpoint: Viewpoint) -> list[Finding]:
        board = self._swarm.board
        latest = self._latest.get(viewpoint)
        if latest is not None and latest[0] is board:
            return latest[1]
        found = findings(board, self.yardstick, viewpoint)
        kept = {NEUTRAL, viewpoint}
        self._latest = {each: self._latest[each] for each in kept & self._latest.keys()}
        self._latest[viewpoint] = (board, found)
        return found

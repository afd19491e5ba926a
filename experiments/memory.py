"""
What research remembers from one life of a node to the next.

Law: what is remembered is checked when it is read. A champion or an experiment
whose base can no longer be rebuilt is forgotten, and nothing else is lost.
"""

from __future__ import annotations

from collections.abc import Iterable

from experiments.outside import Swarm
from experiments.proposers import Champion
from experiments.proposers.known import mean_value
from experiments.proposers.llm_pending import Pending
from swarm.hypothesis import Hypothesis, from_bytes, to_bytes
from swarm.lineage import Incomplete, InvalidWin
from swarm.records import RecordId
from swarm.tree import Tree, tree_hash

_CHAMPION = "champion"
_RUNNING = "running"
_PENDING = "llm"


class Memory:
    """The champion, the experiments that were under way, and what a language model had ready."""

    def __init__(self, swarm: Swarm, baseline: Tree) -> None:
        self._swarm = swarm
        self._baseline = baseline

    def champion(self) -> Champion:
        """
        What this node built on last; the baseline where that win is gone.

        A win of an author whom this node does not believe was never measured here: the
        journal is another's.
        """
        record = (self._swarm.remembered(_CHAMPION) or b"").decode(errors="replace")
        try:
            claim = self._swarm.board.wins[record]
            if claim.author in self._swarm.anchors():
                return Champion(record, self._swarm.tree_of(record), mean_value(claim))
        except (KeyError, Incomplete, InvalidWin):
            pass
        return Champion(None, self._baseline, None)

    async def keep_champion(self, record: RecordId) -> None:
        """Build on this win from now on, in later lives too."""
        await self._swarm.remember(_CHAMPION, record.encode())

    def interrupted(self) -> list[Hypothesis]:
        """The experiments that were under way when this node last stopped."""
        data = self._swarm.remembered(_RUNNING)
        return from_bytes(data) if data else []

    async def keep_running(self, hypotheses: Iterable[Hypothesis]) -> None:
        """Take these up again at the next start."""
        await self._swarm.remember(_RUNNING, to_bytes([*hypotheses]))

    def pending(self) -> Pending:
        """What a language model had ready, or was to repair, when this node last stopped."""
        data = self._swarm.remembered(_PENDING)
        return Pending.of_bytes(data) if data else Pending()

    async def keep_pending(self, pending: Pending) -> None:
        """Offer these, and have that repaired, after the next start."""
        await self._swarm.remember(_PENDING, pending.to_bytes())

    def is_here(self, hypothesis: Hypothesis) -> bool:
        """Whether the base of a remembered experiment can still be rebuilt."""
        try:
            return tree_hash(self._swarm.tree_of(hypothesis.base)) == hypothesis.base_tree
        except (Incomplete, InvalidWin):
            return False

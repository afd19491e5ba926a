"""What research needs of the rest of the node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from swarm.board import Board
from swarm.records import PeerId, Record, RecordId
from swarm.seen import SeenTrial
from swarm.signals import Claim, Idea, Lead
from swarm.tree import Tree


class Swarm(Protocol):
    """The board, the door for own records, and a little memory that outlives the process."""

    @property
    def board(self) -> Board:
        """All records that are here now."""
        ...

    def now_ms(self) -> int:
        """The wall clock, Unix epoch milliseconds."""
        ...

    def tree_of(self, record: RecordId | None) -> Tree:
        """
        The editable files of a win, or of the baseline.

        Raises:
            Incomplete: A win it stands on is not here.
            InvalidWin: A diff on the way does not give the tree it claims.
        """
        ...

    def peers(self) -> int:
        """How many nodes take part now, this one included."""
        ...

    def peer_trials(self) -> Sequence[SeenTrial]:
        """What peers finished lately, the oldest first."""
        ...

    def claims(self) -> Sequence[Claim]:
        """What peers say they measure now."""
        ...

    def claim(self, ideas: Sequence[Idea]) -> None:
        """Tell peers that this, and nothing else, is being measured here; must not block."""
        ...

    def leads(self) -> Sequence[Lead]:
        """How the best runs of peers went, as they say."""
        ...

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        """
        Tell peers how the best run here went (`swarm.signals.Lead`); must not block.

        An empty curve ends that.
        """
        ...

    def anchors(self) -> frozenset[PeerId]:
        """Whose replications this node believes: its own and those of peers its owner named."""
        ...

    def sign(self, message: bytes) -> bytes:
        """This node's 64-byte Ed25519 signature."""
        ...

    async def publish(self, record: Record) -> RecordId:
        """Sign a record and take it through the door; durable when this returns."""
        ...

    def remembered(self, name: str) -> bytes | None:
        """What was last remembered under a name, also by an earlier process."""
        ...

    async def remember(self, name: str, data: bytes) -> None:
        """Keep something small under a name; durable when this returns."""
        ...

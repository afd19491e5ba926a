"""An honest node, which measures in a world at the speed of its machine."""

from __future__ import annotations

from pathlib import Path

from benchmarks.liars.world import SimulatedHarness, World
from benchmarks.virtual.peer import Peer
from benchmarks.virtual.wire import Wire
from experiments.proposers.fold import FoldProposer
from experiments.proposers.knobs import KnobProposer


class Honest(Peer):
    """
    One honest node.

    Args:
        speed: Of its machine; one is ordinary.
    """

    def __init__(self, world: World, wire: Wire, name: str, scratch: Path, speed: float) -> None:
        self.harness = SimulatedHarness(world, name, speed)
        super().__init__(
            world.task,
            self.harness,
            wire,
            f"{world.seed}/{name}",
            scratch,
            proposers=(KnobProposer(), FoldProposer()),
        )

"""
The seeds on which a node measures.

Law: a base has the same few seeds whenever this node works on it, so its runs are
cached; another node has others, so that peers' evidence is independent.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from swarm.records import PeerId, TreeHash
from swarm.task import Task

POOL = 16
"""Seeds per base. Experiments on one base share them."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """
    This node's seeds of every base.

    Attributes:
        uniform: A number in [0, 1), new at each call.
    """

    task: Task
    peer_id: PeerId
    uniform: Callable[[], float]

    def of(self, base_tree: TreeHash) -> list[int]:
        """The seeds this node uses on a base."""
        text = f"{self.task.id}/{self.peer_id}/{base_tree}"
        start = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
        return [(start + index) % self.task.seeds for index in range(POOL)]

    def in_order(self, base_tree: TreeHash, measured: Callable[[int], bool]) -> list[int]:
        """The same, at random, but first those on which the base was `measured` already."""
        seeds = self.of(base_tree)
        known = [seed for seed in seeds if measured(seed)]
        return self._shuffled(known) + self._shuffled([each for each in seeds if each not in known])

    def _shuffled(self, seeds: list[int]) -> list[int]:
        return [seeds.pop(int(self.uniform() * len(seeds))) for _ in range(len(seeds))]

"""
Whether a model answers from nothing but the bytes before.

Some windows are asked a second time, of another child that shares nothing with
the first but the weights: in another order, so in other batches, and most with
their end, from a random byte on, replaced by that of another window. What a model
may use for the bytes before the splice is the same both times, so its answers
are. Attention to later bytes, to other windows of the batch or to earlier ones
all give answers that differ, and so does answering otherwise when checked.

Law: windows, order and splices are drawn from the operating system's
randomness after the children were forked, so none of them can know.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from experiments.child import RunFailed
from experiments.run import CHEATING, RunStatus
from experiments.scoring import Batch

TOLERANCE_BITS = 1e-4 / np.log(2)
"""How far two answers may lie apart, 1e-4 nats: batches of another shape round otherwise."""

WHOLE_SHARE = 0.25
"""Share of the windows that keep their end, so that the last answer is compared too."""


class SpliceProbe:
    """
    Draws windows, keeps what they cost, and compares.

    Args:
        share: Of the windows of each exam, rounded up; 1.0 for all, 0.0 for none.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._random = np.random.default_rng()
        self._inputs: list[NDArray[np.uint8]] = []
        self._targets: list[NDArray[np.uint8]] = []
        self._costs: list[NDArray[np.float64]] = []

    def draw(self, windows: int) -> NDArray[np.bool_]:
        """bool [windows]: which of an exam's windows will be asked again."""
        chosen = np.zeros(windows, np.bool_)
        count = int(np.ceil(self._share * windows))
        chosen[self._random.permutation(windows)[:count]] = True
        return chosen

    def note(
        self,
        inputs: NDArray[np.uint8],
        targets: NDArray[np.uint8],
        costs: NDArray[np.float64],
    ) -> None:
        """Keep drawn windows, all [N, context], and their first answers' cost in bits."""
        self._inputs.append(inputs)
        self._targets.append(targets)
        self._costs.append(costs)

    def batches(self, size: int) -> Iterator[SplicedBatch]:
        """The noted windows, shuffled and spliced, at most `size` at once; none of fewer than 2."""
        count = sum(map(len, self._costs))
        if count < 2:
            return
        order = self._random.permutation(count)
        inputs = np.concatenate(self._inputs)[order]
        targets = np.concatenate(self._targets)[order]
        costs = np.concatenate(self._costs)[order]
        context = inputs.shape[1]
        others = np.roll(inputs, int(self._random.integers(1, count)), axis=0)
        places = self._random.integers(1, context, count)
        places[self._random.random(count) < WHOLE_SHARE] = context
        kept = np.indices((count, context))[1] < places.reshape(-1, 1)
        spliced = np.where(kept, inputs, others)
        for start in range(0, count, size):
            rows = slice(start, start + size)
            batch = Batch(spliced[rows], targets[rows], np.zeros(0, np.int64))
            yield SplicedBatch(batch, kept[rows], costs[rows])


class SplicedBatch:
    """
    A batch to ask again.

    Args:
        batch: Spliced inputs, true targets.
        kept: bool [N, context], the bytes before the splice.
        costs: float64 [N, context], what the first answers cost, in bits.
    """

    def __init__(self, batch: Batch, kept: NDArray[np.bool_], costs: NDArray[np.float64]) -> None:
        self.batch = batch
        self._kept = kept
        self._costs = costs

    def compare(self, costs: NDArray[np.float64]) -> None:
        """
        Hold the second answers against the first.

        Args:
            costs: float64 [N, context], what the same targets cost now, in bits.

        Raises:
            RunFailed: They differ before the splice.
        """
        apart = np.where(self._kept, np.abs(costs - self._costs), 0.0).max()
        if apart > TOLERANCE_BITS:
            raise RunFailed(
                RunStatus.CRASHED,
                f"{CHEATING} an answer changed by {apart:.2g} bits with what follows it "
                "or with other windows, which it must not know",
            )

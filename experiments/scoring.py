"""
The trusted half of a run: what is streamed, what is asked, what the answers cost.

All of it comes from the task's frozen `prepare.py`. Bits are rounded to whole
nano-bits once per window; from there on sums are exact.
"""

from __future__ import annotations

import importlib.util
import mmap
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from experiments.child import RunFailed
from experiments.orders import RunOrder
from experiments.run import RunStatus
from experiments.training import VOCABULARY

MAX_BITS_PER_BYTE = 64.0
_NANO = 1_000_000_000


class Windows(Protocol):
    """What one evaluation scores: uint8 [N, context + 1], and the file of each row."""

    tokens: NDArray[np.uint8]
    file: NDArray[np.int64]
    files: tuple[str, ...]


class Prepare(Protocol):
    """What a stream task's `prepare.py` defines."""

    def ensure_corpus(self, cache: Path) -> Any: ...

    def training_windows(
        self, text: bytes, seed: int, budget_tokens: int, context: int
    ) -> Iterator[bytes]: ...

    def evaluation_windows(self, split: Any, eval_bytes: int, context: int) -> Windows: ...

    def bits(
        self, logits: NDArray[np.float32], targets: NDArray[np.uint8]
    ) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True)
class Batch:
    """
    Windows asked for at once.

    Attributes:
        inputs: uint8 [N, context], what the model sees.
        targets: uint8 [N, context], what came; never leaves this process.
        file: int64 [N], which file each row is from.
    """

    inputs: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    file: NDArray[np.int64]


class Scorer:
    """Feeds and scores one run, with the data and the rules of its `prepare.py`."""

    def __init__(self, order: RunOrder) -> None:
        self._order = order
        self._prepare = _load(Path(order.prepare))
        self._corpus = self._prepare.ensure_corpus(Path(order.cache))
        split = self._corpus.load("val")
        self._windows = self._prepare.evaluation_windows(split, order.eval_bytes, order.context)
        self._bytes: dict[int, int] = {}
        self._nano_bits: dict[int, int] = {}

    def training_windows(self) -> Iterator[bytes]:
        """The training stream: exactly the budget, each window of context + 1 bytes."""
        order = self._order
        text = self._corpus.load("train").text
        return self._prepare.training_windows(text, order.seed, order.budget_tokens, order.context)

    def batches(self, size: int) -> Iterator[Batch]:
        """All held-out windows, at most `size` at once."""
        windows = self._windows
        for start in range(0, len(windows.tokens), size):
            rows = windows.tokens[start : start + size]
            yield Batch(rows[:, :-1], rows[:, 1:], windows.file[start : start + size])

    def score(self, batch: Batch, answers: mmap.mmap) -> None:
        """
        Count the bits of one batch.

        Args:
            batch: What was asked.
            answers: float32 logits [N, context, 256] at its start, in memory the
                child can still write to: they are copied before they are looked at.

        Raises:
            RunFailed: Diverged: not finite, or worse than 64 bits a byte.
        """
        count = batch.targets.size * VOCABULARY
        logits = np.frombuffer(answers, np.float32, count).copy()
        costs = self._prepare.bits(logits.reshape(*batch.targets.shape, VOCABULARY), batch.targets)
        width = batch.targets.shape[1]
        if not np.isfinite(costs).all() or costs.max() > MAX_BITS_PER_BYTE * width:
            raise RunFailed(RunStatus.DIVERGED, "the model's logits are not finite or hopeless")
        for file, cost in zip(batch.file.tolist(), costs.tolist(), strict=True):
            self._bytes[file] = self._bytes.get(file, 0) + width
            self._nano_bits[file] = self._nano_bits.get(file, 0) + round(cost * _NANO)

    def blocks(self) -> tuple[tuple[int, int], ...]:
        """Bytes scored and nano-bits of each held-out file, in the order of the split."""
        return tuple((self._bytes[file], self._nano_bits[file]) for file in sorted(self._bytes))

    def value_nano(self) -> int:
        """Bits per byte over all files, in billionths, rounded half up."""
        size = sum(self._bytes.values())
        return (2 * sum(self._nano_bits.values()) + size) // (2 * size)


def _load(path: Path) -> Prepare:
    spec = importlib.util.spec_from_file_location("prepare", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prepare"] = module
    spec.loader.exec_module(module)
    return cast(Prepare, module)

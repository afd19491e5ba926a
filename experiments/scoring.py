"""
The trusted half of a run: what is streamed, what is asked, what the answers cost.

All of it comes from the task's frozen `prepare.py`. Bits are rounded to whole
nano-bits once per window; from there on sums are exact.
"""

from __future__ import annotations

import importlib.util
import mmap
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from experiments.child import RunFailed
from experiments.orders import RunOrder
from experiments.run import Exam, RunStatus, Score
from experiments.training import VOCABULARY
from swarm.challenge import challenge_windows

MAX_BITS_PER_BYTE = 64.0
_NANO = 1_000_000_000


class Split(Protocol):
    """A part of the text: its bytes, and the (path, size) of each of its files."""

    @property
    def text(self) -> bytes: ...

    @property
    def files(self) -> Sequence[tuple[str, int]]: ...


class Windows(Protocol):
    """What one evaluation scores: uint8 [N, context + 1], and the file of each row."""

    @property
    def tokens(self) -> NDArray[np.uint8]: ...

    @property
    def file(self) -> NDArray[np.int64]: ...


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


class Examiner:
    """Holds the data and the rules of a task's `prepare.py` for one run."""

    def __init__(self, order: RunOrder) -> None:
        self._order = order
        self._prepare = _load(Path(order.prepare))
        self._corpus = self._prepare.ensure_corpus(Path(order.cache))

    def training_windows(self) -> Iterator[bytes]:
        """The training stream: exactly the budget, each window of context + 1 bytes."""
        order = self._order
        text = self._corpus.load("train").text
        return self._prepare.training_windows(text, order.seed, order.budget_tokens, order.context)

    def paper(self, exam: Exam) -> Paper:
        """
        The windows of one exam, `eval_bytes` of them; loads its split.

        Raises:
            ValueError: The split holds less text than that.
        """
        split, order = self._corpus.load(exam.split), self._order
        if exam.slice_seed is None:
            windows = self._prepare.evaluation_windows(split, order.eval_bytes, order.context)
            return Paper(exam, windows.tokens, windows.file)
        windows = self._every_window(split)
        wanted = order.eval_bytes // order.context
        rows = challenge_windows(exam.slice_seed, len(windows.tokens), wanted)
        return Paper(exam, windows.tokens[rows], windows.file[rows])

    def _every_window(self, split: Split) -> Windows:
        context = self._order.context
        count = sum((size - 1) // context for _, size in split.files)
        return self._prepare.evaluation_windows(split, count * context, context)

    def costs(self, batch: Batch, answers: mmap.mmap) -> NDArray[np.float64]:
        """
        What the answers to one batch cost.

        Args:
            batch: What was asked.
            answers: float32 logits [N, context, 256] at its start, in memory the
                child can still write to: they are copied before they are looked at.

        Returns:
            float64 [N, context], bits for each byte that came.

        Raises:
            RunFailed: Diverged: not finite, or a window worse than 64 bits a byte.
        """
        size = batch.targets.size
        logits = np.frombuffer(answers, np.float32, size * VOCABULARY).copy()
        bits = self._prepare.bits(logits.reshape(size, 1, VOCABULARY), batch.targets.reshape(-1, 1))
        costs = bits.reshape(batch.targets.shape)
        if not np.isfinite(costs).all() or costs.mean(axis=1).max() > MAX_BITS_PER_BYTE:
            raise RunFailed(RunStatus.DIVERGED, "the model's logits are not finite or hopeless")
        return costs


class Paper:
    """
    The windows of one exam and what they have cost so far.

    Args:
        exam: Which.
        tokens: uint8 [N, context + 1]; the last `context` of a row are targets.
        file: int64 [N], which file each row is from.
    """

    def __init__(self, exam: Exam, tokens: NDArray[np.uint8], file: NDArray[np.int64]) -> None:
        self.exam = exam
        self.tokens = tokens
        self._file = file
        self._bytes: dict[int, int] = {}
        self._nano_bits: dict[int, int] = {}

    def batches(self, size: int) -> Iterator[Batch]:
        """All windows in their order, at most `size` at once."""
        for start in range(0, len(self.tokens), size):
            rows = self.tokens[start : start + size]
            yield Batch(rows[:, :-1], rows[:, 1:], self._file[start : start + size])

    def mark(self, batch: Batch, costs: NDArray[np.float64]) -> None:
        """Add what a batch cost, in bits [N, context]."""
        width = costs.shape[1]
        for file, cost in zip(batch.file.tolist(), costs.sum(axis=1).tolist(), strict=True):
            self._bytes[file] = self._bytes.get(file, 0) + width
            self._nano_bits[file] = self._nano_bits.get(file, 0) + round(cost * _NANO)

    def score(self) -> Score:
        """Bits per byte over all files, rounded half up, and the files in their order."""
        blocks = tuple((self._bytes[file], self._nano_bits[file]) for file in sorted(self._bytes))
        size = sum(self._bytes.values())
        value_nano = (2 * sum(self._nano_bits.values()) + size) // (2 * size)
        return Score(self.exam, value_nano, blocks)


def _load(path: Path) -> Prepare:
    spec = importlib.util.spec_from_file_location("prepare", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["prepare"] = module
    spec.loader.exec_module(module)
    return cast(Prepare, module)

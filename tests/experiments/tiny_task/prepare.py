"""A stream task small enough for tests: counting bytes, with the interface of the real one."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha512
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SECRET = b"held out: 8f14e45fceea167a5a36dedd4bea2543 "
PAGE = SECRET + b"".join(b64encode(sha512(bytes([i])).digest()) for i in range(6))[: 512 - 43]
_TEXTS = {
    "train": bytes(range(256)) * 64,
    "val": PAGE * 6,
    "holdout": SECRET[::-1] * 64,
    "reserve": SECRET.upper() * 256,
}


class CorpusError(RuntimeError):
    """The cache holds another corpus."""


@dataclass(frozen=True)
class Split:
    text: bytes
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Windows:
    tokens: NDArray[np.uint8]
    file: NDArray[np.int64]
    files: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    folder: Path

    def load(self, split: str) -> Split:
        text = (self.folder / f"{split}.bin").read_bytes()
        return Split(text, (("a.py", len(text) // 2), ("b.py", len(text) // 2)))


def ensure_corpus(cache: Path) -> Corpus:
    cache.mkdir(parents=True, exist_ok=True)
    for name, text in _TEXTS.items():
        path = cache / f"{name}.bin"
        if not path.exists():
            path.write_bytes(text)
        if path.read_bytes() != text:
            raise CorpusError(f"{path.name} is not the text of this task; remove it")
    return Corpus(cache)


def training_windows(text: bytes, seed: int, budget_tokens: int, context: int) -> Iterator[bytes]:
    for index in range(budget_tokens // context):
        start = (seed + index * context) % (len(text) - context)
        yield text[start : start + context + 1]


def evaluation_windows(split: Split, eval_bytes: int, context: int) -> Windows:
    count = eval_bytes // context
    rows = [
        np.frombuffer(split.text[i * context : (i + 1) * context + 1], np.uint8)
        for i in range(count)
    ]
    return Windows(np.stack(rows), np.arange(count) * 2 // count, ("a.py", "b.py"))


def bits(logits: NDArray[np.float32], targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        total = np.log(np.exp(shifted).sum(axis=-1))
    hit = np.take_along_axis(shifted, targets[..., None].astype(np.intp), axis=-1)[..., 0]
    return (total - hit).sum(axis=-1, dtype=np.float64) / math.log(2)

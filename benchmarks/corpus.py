"""
Chooses the files of the default corpus and writes `baseline_train/corpus.txt`.

Law: the training split holds only modules that torch loads when it trains, the
held-out splits only modules it never loads: whoever trains must be able to
import the former and can be kept from reading the latter. No held-out file
repeats much of the training text or of another held-out file.

Run as `python -m benchmarks.corpus`; the result is committed, so only a new
version of sympy needs it again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from baseline_train.prepare import CORPUS_LIST, FILE_CAP_BYTES, SPLIT_BYTES, sympy_folder

WINDOW_BYTES = 128
MAX_LEAK = 0.05
MAX_DIGITS = 0.12
MIN_FILE_BYTES = 1000
_DROPPED = {"tests", "benchmarks", "test-examples", "_antlr"}
_TRAIN_EVERY_WAY = """
import json, sys, torch
weight = torch.nn.Parameter(torch.randn(4, 4))
for name in ("SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Muon", "NAdam", "RAdam", "Adamax"):
    optimizer = getattr(torch.optim, name)([weight], lr=0.1)
    torch.nn.functional.cross_entropy(weight, torch.arange(4)).backward()
    torch.nn.utils.clip_grad_norm_([weight], 1.0)
    optimizer.step()
import torch._dynamo, torch._inductor, torch.export, torch.fx.experimental.symbolic_shapes
files = [getattr(m, "__file__", None) for n, m in sys.modules.items() if n.startswith("sympy")]
print(json.dumps([file for file in files if file]))
"""


def main() -> None:
    """Choose, report leakage, write the list."""
    folder = sympy_folder()
    files = {path: (folder / path).read_bytes() for path in _candidates(folder)}
    loaded = _loaded(folder)
    train = _fill((path for path in files if path in loaded), files, SPLIT_BYTES["train"], None)
    trained = np.sort(np.concatenate([_windows(files[path]) for path in train]))
    seen: set[int] = set()
    splits = {"train": train}
    held_out = list[str]()
    for path in (path for path in files if path not in loaded):
        windows = _windows(files[path][:FILE_CAP_BYTES])
        known = trained[np.searchsorted(trained, windows).clip(max=trained.size - 1)] == windows
        own = set(windows.tolist())
        leak = max(float(known.mean()), len(own & seen) / len(own))
        if leak > MAX_LEAK:
            print(f"dropped, {leak:.0%} of it is elsewhere: {path}")
            continue
        seen |= own
        held_out.append(path)
    for split in ("val", "holdout", "reserve"):
        splits[split] = _fill(held_out, files, SPLIT_BYTES[split], FILE_CAP_BYTES)
        held_out = held_out[len(splits[split]) :]
    CORPUS_LIST.write_text("".join(_lines(splits, files)))
    print({split: len(paths) for split, paths in splits.items()}, "left over:", len(held_out))


def _lines(splits: dict[str, list[str]], files: dict[str, bytes]) -> Iterator[str]:
    """`split bytes sha256 path`: how many bytes of which file are in which split."""
    for split, paths in splits.items():
        cap = None if split == "train" else FILE_CAP_BYTES
        left = SPLIT_BYTES[split]
        for path in paths:
            used = min(left, len(files[path][:cap]))
            left -= used
            yield f"{split} {used} {hashlib.sha256(files[path]).hexdigest()[:16]} {path}\n"


def _candidates(folder: Path) -> list[str]:
    """Hand-written modules of some size, in the order of sha256(path)."""
    paths = (path.relative_to(folder) for path in folder.rglob("*.py"))
    kept = [path.as_posix() for path in paths if not _DROPPED & set(path.parts)]
    texts = [path for path in kept if _is_text((folder / path).read_bytes())]
    return sorted(texts, key=lambda path: hashlib.sha256(path.encode()).digest())


def _is_text(source: bytes) -> bool:
    digits = sum(source.count(digit) for digit in b"0123456789")
    return len(source) >= MIN_FILE_BYTES and digits <= MAX_DIGITS * len(source)


def _loaded(folder: Path) -> set[str]:
    """Modules of sympy in memory after torch has trained with each optimizer."""
    done = subprocess.run(
        [sys.executable, "-c", _TRAIN_EVERY_WAY], capture_output=True, check=True, text=True
    )
    files: list[str] = json.loads(done.stdout)
    return {Path(file).relative_to(folder).as_posix() for file in files}


def _fill(paths: Iterable[str], files: dict[str, bytes], size: int, cap: int | None) -> list[str]:
    """The first paths whose (capped) contents hold `size` bytes."""

    def chosen() -> Iterator[str]:
        total = 0
        for path in paths:
            if total >= size:
                return
            total += len(files[path][:cap])
            yield path

    return list(chosen())


def _windows(text: bytes) -> NDArray[np.uint64]:
    """A hash of every window of WINDOW_BYTES bytes: polynomial, by doubling, modulo 2^64."""
    hashes = np.frombuffer(text, np.uint8).astype(np.uint64)
    factor, length = np.uint64(0x9E3779B97F4A7C15), 1
    while length < WINDOW_BYTES and hashes.size > length:
        with np.errstate(over="ignore"):
            hashes = hashes[:-length] * factor + hashes[length:]
            factor = factor * factor
        length *= 2
    return np.unique(hashes)


if __name__ == "__main__":
    main()

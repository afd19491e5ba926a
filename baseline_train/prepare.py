"""
Data, splits and evaluation of the default task. Frozen: experiments may not change it.

Law: `train.py` never touches what is here. The harness streams it training
windows, asks its model for logits, and counts bits itself with `bits`; so the
metric is out of the hands of the code that is measured.

The text is the Python source of sympy 1.14.0, the same bytes on every platform,
which torch brings along: nothing is downloaded. `corpus.txt` lists every file
and its split. Training text comes from modules that torch imports to train,
held-out text only from modules it never imports, so a sandbox can hide it.
"""

from __future__ import annotations

import hashlib
import math
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

SYMPY_VERSION = "1.14.0"
FILE_CAP_BYTES = 32 << 10
SPLIT_BYTES = {"train": 8_000_000, "val": 512 << 10, "holdout": 512 << 10, "reserve": 2 << 20}
SPLIT_SHA256 = {
    "train": "5972047a3ea1a8179a85d46e6fcd0c966154367b13ca1c70ff6ffd6a58f7a811",
    "val": "898ec137cccbb5d648810f413f8373342f8b70d4c4e6235abb88abebf3124428",
    "holdout": "9600a1407060efb0c699b73c2430ec9f131c65cb96045a2d9095f721e790921d",
    "reserve": "80ec5cdf3de4c8600f7f5a323ca1f67446a75030609f78608c794b351133e0a4",
}
CORPUS_LIST = Path(__file__).with_name("corpus.txt")


class CorpusError(RuntimeError):
    """The text is not there or not the right one; says what to do."""


@dataclass(frozen=True, slots=True)
class Split:
    """
    One part of the text.

    Attributes:
        name: "train", "val", "holdout" or "reserve".
        text: Its files, one after the other.
        files: (path inside sympy, bytes of it in `text`), in the order of `text`.
    """

    name: str
    text: bytes
    files: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Windows:
    """
    What one evaluation scores.

    Attributes:
        tokens: uint8 [N, context + 1]; the last `context` of a row are targets.
        file: int64 [N], rising: which file of the split a row is from.
        files: Paths, indexed by `file`.
    """

    tokens: NDArray[np.uint8]
    file: NDArray[np.int64]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The splits, as files `NAME.bin` in `folder`, their hashes checked."""

    folder: Path

    def path(self, split: str) -> Path:
        """The file that holds the text of a split."""
        return self.folder / f"{split}.bin"

    def load(self, split: str) -> Split:
        """A split in memory."""
        files = tuple((file.path, file.size) for file in _listed(split))
        return Split(split, self.path(split).read_bytes(), files)


def ensure_corpus(cache: Path) -> Corpus:
    """
    The corpus in `cache`, written there from the installed sympy if it is not yet.

    Raises:
        CorpusError: sympy is missing, of another version or altered; names the
            fix. Nothing wrong is ever left in `cache`.
    """
    corpus = Corpus(cache)
    stale = [name for name in SPLIT_BYTES if not _is_right(corpus.path(name), name)]
    if stale:
        folder = sympy_folder()
        cache.mkdir(parents=True, exist_ok=True)
        for name in stale:
            _write(corpus.path(name), _assemble(folder, name))
    return corpus


def sympy_folder() -> Path:
    """
    Where the installed sympy's sources are, without importing it.

    Raises:
        CorpusError: It is not installed, or in another version.
    """
    try:
        found = version("sympy")
    except PackageNotFoundError:
        found = "none"
    spec = find_spec("sympy") if found == SYMPY_VERSION else None
    if spec is None or spec.origin is None:
        raise CorpusError(
            f"sympy {SYMPY_VERSION} is needed for the training text, found {found}: "
            f"pip install sympy=={SYMPY_VERSION}"
        )
    return Path(spec.origin).parent


def held_out_files(folder: Path) -> tuple[Path, ...]:
    """The sources below `folder` whose text is scored: what training code must not read."""
    return tuple(folder / file.path for file in _listed() if file.split != "train")


def training_windows(text: bytes, seed: int, budget_tokens: int, context: int) -> Iterator[bytes]:
    """
    The training stream of one run: windows at random places, with replacement.

    Args:
        text: The training split.
        seed: Same seed, same windows, on every platform: only `Random.random`
            is used, which Python promises never to change.
        budget_tokens: Bytes to predict in all; whole windows are given.
        context: Bytes a window predicts.

    Yields:
        `budget_tokens // context` times `context + 1` bytes.

    Raises:
        ValueError: The text is shorter than one window.
    """
    places = len(text) - context
    if places <= 0:
        raise ValueError(f"{len(text)} bytes of text do not hold a window of {context + 1}")
    uniform = random.Random(seed).random
    for _ in range(budget_tokens // context):
        start = int(uniform() * places)
        yield text[start : start + context + 1]


def evaluation_windows(split: Split, eval_bytes: int, context: int) -> Windows:
    """
    The windows of a split to score, evenly spread over all of its files.

    Windows never cross files. A file's first byte is only seen, its last few
    that fill no window are left out.

    Args:
        split: A held-out split.
        eval_bytes: Bytes to score, in whole windows.
        context: Bytes a window predicts.

    Raises:
        ValueError: The split holds fewer than `eval_bytes`.
    """
    rows, file, start = list[NDArray[np.uint8]](), list[int](), 0
    text = np.frombuffer(split.text, np.uint8)
    for index, (_, size) in enumerate(split.files):
        count = (size - 1) // context
        for place in range(start, start + count * context, context):
            rows.append(text[place : place + context + 1])
        file += [index] * count
        start += size
    wanted = eval_bytes // context
    if not 0 < wanted <= len(rows):
        raise ValueError(f"{split.name} holds {len(rows)} windows of {context}, not {wanted}")
    chosen = np.arange(wanted) * len(rows) // wanted
    paths = tuple(path for path, _ in split.files)
    return Windows(np.stack(rows)[chosen], np.array(file)[chosen], paths)


def bits(logits: NDArray[np.float32], targets: NDArray[np.uint8]) -> NDArray[np.float64]:
    """
    Bits that a model needs for each window: the cross-entropy, summed.

    Args:
        logits: float32 [N, T, 256], not normalised.
        targets: uint8 [N, T], the bytes that came.

    Returns:
        float64 [N]; not finite where a logit was not.

    Raises:
        ValueError: Shapes or types are others.
    """
    if logits.shape != (*targets.shape, 256) or logits.dtype != np.float32:
        raise ValueError(f"logits are {logits.dtype} {logits.shape}, targets {targets.shape}")
    with np.errstate(all="ignore"):
        shifted = logits - logits.max(axis=-1, keepdims=True)  # [N, T, 256], ≤ 0
        total = np.log(np.exp(shifted).sum(axis=-1))  # [N, T] nats
    hit = np.take_along_axis(shifted, targets[..., None].astype(np.intp), axis=-1)[..., 0]
    return (total - hit).sum(axis=-1, dtype=np.float64) / math.log(2)


def by_hand(
    train: Callable[[Callable[[int], bytes], int, int, Callable[[int, float], None]], nn.Module],
    context: int,
) -> None:
    """
    One run in this process, for a person: `python train.py [TOKENS] [SEED]`.

    Trains on one thread as the harness does and prints `val_bpb`; runs that
    count are fed and evaluated by the harness, in processes of their own.
    """
    import torch

    torch.set_num_threads(1)
    budget_tokens = int(sys.argv[1]) if len(sys.argv) > 1 else 1 << 20
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    corpus = ensure_corpus(Path(tempfile.gettempdir()) / "research-swarm-corpus")
    stream = training_windows(corpus.load("train").text, seed, budget_tokens, context)

    def read(count: int) -> bytes:
        return b"".join(next(stream) for _ in range(count // (context + 1)))

    def report(tokens: int, loss: float) -> None:
        print(f"\r{tokens:>9} tokens  loss {loss:.3f}", end="", file=sys.stderr)

    model = train(read, budget_tokens, seed, report).eval()
    windows = evaluation_windows(corpus.load("val"), 500_000, context)
    scored = 0.0
    with torch.inference_mode():
        for rows in np.array_split(windows.tokens, len(windows.tokens) // 64):
            tokens = torch.tensor(rows, dtype=torch.int64)
            scored += bits(model(tokens[:, :-1]).float().numpy(), rows[:, 1:]).sum()
    print(f"\nval_bpb: {scored / (len(windows.tokens) * context):.6f}")


@dataclass(frozen=True, slots=True)
class _File:
    """A line of `corpus.txt`: the first `size` bytes of `path` are in `split`."""

    split: str
    size: int
    digest: str
    path: str


def _listed(split: str | None = None) -> list[_File]:
    """The files of a split, or of all, in the order of their text."""
    lines = (line.split(" ", 3) for line in CORPUS_LIST.read_text().splitlines())
    files = (_File(name, int(size), digest, path) for name, size, digest, path in lines)
    return [file for file in files if split in (None, file.split)]


def _is_right(path: Path, split: str) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == SPLIT_SHA256[split]
    except FileNotFoundError:
        return False


def _assemble(folder: Path, split: str) -> bytes:
    text = b"".join(_source(folder, file)[: file.size] for file in _listed(split))
    if hashlib.sha256(text).hexdigest() != SPLIT_SHA256[split]:
        raise CorpusError(f"the {split} text is not the one this task names; restore {CORPUS_LIST}")
    return text


def _source(folder: Path, file: _File) -> bytes:
    try:
        source = (folder / file.path).read_bytes()
    except OSError as error:
        source, problem = b"", str(error)
    else:
        problem = "its sha256 is another"
    if hashlib.sha256(source).hexdigest()[:16] != file.digest:
        raise CorpusError(
            f"{folder / file.path} is not sympy {SYMPY_VERSION}'s ({problem}): "
            f"pip install --force-reinstall --no-deps sympy=={SYMPY_VERSION}"
        )
    return source


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is whole or not there, whoever else writes it too."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)

"""The corpus is the named one or an error; windows and bits are exact."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from baseline_train import prepare
from baseline_train.prepare import Corpus, CorpusError, Split

CONTEXT = 128


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare.ensure_corpus(tmp_path_factory.mktemp("corpus"))


def test_the_splits_have_their_sizes_and_share_no_file(corpus: Corpus) -> None:
    splits = [corpus.load(name) for name in prepare.SPLIT_BYTES]
    assert {split.name: len(split.text) for split in splits} == prepare.SPLIT_BYTES
    assert all(sum(size for _, size in split.files) == len(split.text) for split in splits)
    paths = [path for split in splits for path, _ in split.files]
    assert len(set(paths)) == len(paths)
    for split in splits[1:]:
        assert max(size for _, size in split.files) <= prepare.FILE_CAP_BYTES
        assert len(split.files) >= 30


def test_held_out_text_hardly_repeats_training_text(corpus: Corpus) -> None:
    train = corpus.load("train").text
    for name in ("val", "holdout"):
        text = corpus.load(name).text
        places = range(0, len(text) - CONTEXT, 997)
        leaked = sum(text[place : place + CONTEXT] in train for place in places)
        assert leaked <= 0.02 * len(places), name


def test_training_with_every_optimizer_loads_no_held_out_file() -> None:
    code = """
import json, sys
sys.path.insert(0, "baseline_train")
import torch, train
for train.OPTIMIZER in ("sgd", "adamw", "muon"):
    train.CLIP = 1.0
    train.train(lambda count: bytes(count), 32 * train.CONTEXT, 0, lambda tokens, loss: None)
print(json.dumps([f for m in list(sys.modules.values()) if (f := getattr(m, "__file__", None))]))
"""
    root = Path(prepare.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    loaded = {Path(file) for file in json.loads(done.stdout)}
    hidden = set(prepare.held_out_files(prepare.sympy_folder()))
    assert len(hidden) > 200
    assert all(path.is_file() for path in hidden)
    assert any("sympy" in path.parts for path in loaded)
    assert not loaded & hidden


def test_a_cache_is_used_and_a_damaged_one_repaired(corpus: Corpus) -> None:
    before = corpus.path("val").stat().st_mtime_ns
    prepare.ensure_corpus(corpus.folder)
    assert corpus.path("val").stat().st_mtime_ns == before
    good = corpus.path("val").read_bytes()
    corpus.path("val").write_bytes(good[:-1] + b"!")
    prepare.ensure_corpus(corpus.folder)
    assert corpus.path("val").read_bytes() == good


def test_another_sympy_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real distribution folder of another version, found first on the path."""
    (tmp_path / "sympy").mkdir()
    (tmp_path / "sympy" / "__init__.py").touch()
    metadata = tmp_path / "sympy-1.13.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: sympy\nVersion: 1.13.1\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(CorpusError, match=r"found 1\.13\.1: pip install sympy==1\.14\.0"):
        prepare.ensure_corpus(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_an_altered_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the real sources with one byte too many in a held-out file."""
    real = prepare.sympy_folder()
    copy = tmp_path / "sympy"
    shutil.copytree(real, copy, ignore=shutil.ignore_patterns("tests", "*.pyc"))
    altered = prepare.held_out_files(copy)[3]
    altered.write_bytes(altered.read_bytes() + b"\n")
    monkeypatch.setattr(prepare, "sympy_folder", lambda: copy)
    with pytest.raises(CorpusError) as caught:
        prepare.ensure_corpus(tmp_path / "cache")
    assert str(altered) in str(caught.value)
    assert "pip install --force-reinstall" in str(caught.value)
    assert not Corpus(tmp_path / "cache").path("val").exists()


@given(
    st.binary(min_size=20, max_size=300), st.integers(0, 2**31), st.integers(0, 500), st.just(16)
)
@settings(max_examples=60)
def test_training_windows_are_the_budget_and_repeatable(
    text: bytes, seed: int, budget: int, context: int
) -> None:
    windows = list(prepare.training_windows(text, seed, budget, context))
    assert len(windows) == budget // context
    assert all(len(window) == context + 1 and window in text for window in windows)
    assert windows == list(prepare.training_windows(text, seed, budget, context))


def test_training_windows_never_change() -> None:
    """A seed means these places, for ever: results of peers are compared by seed."""
    text = bytes(range(256)) * 4
    starts = [window[0] for window in prepare.training_windows(text, 7, 4 * 16, 16)]
    assert starts == [70, 152, 144, 73]


def test_a_text_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="do not hold a window"):
        next(prepare.training_windows(b"short", 0, 64, 16))


def test_evaluation_windows_tile_files_and_never_cross_them() -> None:
    text = bytes(range(100))
    split = Split("val", text, (("a", 50), ("b", 9), ("c", 41)))
    windows = prepare.evaluation_windows(split, 70, 10)
    assert windows.tokens.shape == (8 - 1, 11)
    assert windows.file.tolist() == [0, 0, 0, 0, 2, 2, 2]
    rows = [row.tobytes() for row in windows.tokens]
    assert rows == [text[start : start + 11] for start in (0, 10, 20, 30, 59, 69, 79)]


def test_fewer_windows_are_spread_over_all_files(corpus: Corpus) -> None:
    val = corpus.load("val")
    full = prepare.evaluation_windows(val, 500_000, CONTEXT)
    few = prepare.evaluation_windows(val, 131_072, CONTEXT)
    assert len(few.tokens) == 1024
    assert set(few.file.tolist()) == set(full.file.tolist()) == set(range(len(val.files)))
    assert len(np.unique(few.tokens, axis=0)) > 1000


def test_asking_for_more_than_the_split_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="holds 9 windows of 10, not 10"):
        prepare.evaluation_windows(Split("val", bytes(100), (("a", 100),)), 100, 10)


@given(st.integers(0, 2**31), st.floats(0.01, 30))
@settings(max_examples=30, deadline=None)
def test_bits_agree_with_torch(seed: int, scale: float) -> None:
    generator = np.random.default_rng(seed)
    logits = (generator.standard_normal((3, 5, 256)) * scale).astype(np.float32)
    targets = generator.integers(0, 256, (3, 5)).astype(np.uint8)
    wanted = torch.nn.functional.cross_entropy(
        torch.tensor(logits, dtype=torch.float64).transpose(1, 2),
        torch.tensor(targets.astype(np.int64)),
        reduction="none",
    )
    got = prepare.bits(logits, targets)
    assert got == pytest.approx(wanted.sum(dim=1).numpy() / math.log(2), rel=1e-5)


def test_bits_of_known_answers() -> None:
    targets = np.array([[7, 9]], np.uint8)
    even = np.zeros((1, 2, 256), np.float32)
    assert prepare.bits(even, targets) == pytest.approx([16.0], rel=1e-6)
    sure = np.full((1, 2, 256), -1e30, np.float32)
    sure[0, 0, 7] = sure[0, 1, 9] = 1e30
    assert prepare.bits(sure, targets).tolist() == [0.0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bits_of_a_broken_model_are_not_finite(value: float) -> None:
    logits = np.zeros((2, 2, 256), np.float32)
    logits[0, 1, 5] = value
    got = prepare.bits(logits, np.full((2, 2), 5, np.uint8))
    assert not np.isfinite(got[0])
    assert np.isfinite(got[1])


def test_bits_refuse_other_shapes() -> None:
    with pytest.raises(ValueError, match="logits are"):
        prepare.bits(np.zeros((1, 2, 255), np.float32), np.zeros((1, 2), np.uint8))
    with pytest.raises(ValueError, match="logits are"):
        prepare.bits(np.zeros((1, 2, 256), np.float64), np.zeros((1, 2), np.uint8))  # pyright: ignore[reportArgumentType]

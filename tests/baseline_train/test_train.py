"""Every setting does something, nothing looks ahead, and a seed is a result."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from experiments.task_folder import load_task
from swarm.knob import Knob
from swarm.settings_block import Scalar, read_settings, write_settings

TASK = load_task("quick").task
SOURCE = TASK.baseline["train.py"]
CONTEXT = TASK.context
TEXT = b"def double(value):\n    return 2 * value\n\n\n" * 400
MODERN: dict[str, Scalar] = {
    "OPTIMIZER": "muon",
    "NORM_PLACE": "pre",
    "POSITION": "rope",
    "PREVIOUS_BYTES": 2,
    "ACTIVATION": "swiglu",
    "INIT": "xavier",
    "SCHEDULE": "wsd",
    "QK_NORM": True,
    "LEARNING_RATE": 0.003,
    "CLIP": 1.0,
}


def module(**changes: Scalar) -> Any:
    """`train.py` with other settings, as a module of its own."""
    made = ModuleType("train_under_test")
    exec(compile(write_settings(SOURCE, changes), "train.py", "exec"), made.__dict__)
    return made


def run(train: Any, windows: int = 32, seed: int = 0) -> tuple[nn.Module, list[float]]:
    """The model and its losses after some windows of `TEXT`."""
    asked = list[int]()
    losses = list[float]()
    stream = iter(TEXT * (1 + windows * (CONTEXT + 1) // len(TEXT)))

    def read(count: int) -> bytes:
        asked.append(count)
        return bytes(next(stream) for _ in range(count))

    model = train.train(read, windows * CONTEXT, seed, lambda tokens, loss: losses.append(loss))  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    assert sum(asked) == windows * (CONTEXT + 1)
    assert all(count % (CONTEXT + 1) == 0 for count in asked)
    return model, losses


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def weights(model: nn.Module) -> list[Tensor]:
    return [value for _, value in sorted(model.state_dict().items())]


def equal(a: nn.Module, b: nn.Module) -> bool:
    return all(torch.equal(x, y) for x, y in zip(weights(a), weights(b), strict=True))


def test_the_baseline_is_the_naive_one() -> None:
    settings = read_settings(SOURCE)
    naive: dict[str, Scalar] = {
        "DEPTH": 2,
        "WIDTH": 64,
        "BATCH": 16,
        "OPTIMIZER": "adamw",
        "LEARNING_RATE": 3e-4,
        "SCHEDULE": "constant",
        "NORM_PLACE": "post",
        "POSITION": "learned",
        "INIT": "normal",
        "INIT_STD": 0.02,
        "TIED": False,
    }
    assert {name: settings[name] for name in naive} == naive


@pytest.mark.parametrize("changes", [{}, MODERN, {"DROPOUT": 0.1, "AVERAGE": 0.9}])
def test_a_seed_gives_the_same_weights_bit_for_bit(changes: dict[str, Scalar]) -> None:
    train = module(**changes)
    first, again, other = (run(train, seed=seed)[0] for seed in (3, 3, 4))
    assert equal(first, again)
    assert not equal(first, other)


@pytest.mark.parametrize("changes", [{}, MODERN])
def test_training_learns(changes: dict[str, Scalar]) -> None:
    _, losses = run(module(**{"LEARNING_RATE": 3e-3, **changes}), windows=320)
    assert losses[0] == pytest.approx(5.55, abs=0.6)
    assert losses[-1] < 0.6 * losses[0]


def _cases() -> Iterator[tuple[str, Scalar]]:
    for knob in TASK.knobs:
        values = knob.choices or _ends(knob)
        yield from ((knob.name, value) for value in values)


def _ends(knob: Knob) -> tuple[Scalar, ...]:
    assert knob.low is not None and knob.high is not None
    return (knob.low, knob.high)


@pytest.mark.parametrize(("name", "value"), list(_cases()))
def test_every_value_of_every_knob_trains(name: str, value: Scalar) -> None:
    """Two steps are taken, the loss is a number and the logits have their shape."""
    train = module(**{"BATCH": 4, name: value})
    windows = 2 * train.BATCH
    model, losses = run(train, windows=windows)
    assert len(losses) == 2
    assert all(loss == loss and loss < 20 for loss in losses)
    logits = model.eval()(torch.zeros(2, CONTEXT, dtype=torch.int64))
    assert logits.shape == (2, CONTEXT, 256)
    assert logits.dtype == torch.float32


_NEEDS: dict[str, dict[str, Scalar]] = {
    "MUON_LEARNING_RATE": {"OPTIMIZER": "muon"},
    "MOMENTUM": {"OPTIMIZER": "muon"},
    "COOLDOWN": {"SCHEDULE": "wsd"},
}


@pytest.mark.parametrize("knob", TASK.knobs, ids=lambda knob: knob.name)
def test_every_knob_changes_the_result(knob: Knob) -> None:
    """Where it has a say: a knob that did nothing would be a stub."""
    needs = {"LEARNING_RATE": 0.01, **_NEEDS.get(knob.name, {})}
    base = read_settings(write_settings(SOURCE, needs))[knob.name]
    value = next(value for value in (knob.choices or _ends(knob)) if value != base)
    plain, _ = run(module(**needs), windows=64)
    turned, _ = run(module(**{**needs, knob.name: value}), windows=64)
    tokens = torch.tensor([list(TEXT[:CONTEXT])])
    assert not torch.equal(plain.eval()(tokens), turned.eval()(tokens))


@pytest.mark.parametrize(
    ("name", "value"),
    list(
        chain(
            (
                (knob.name, value)
                for knob in TASK.knobs
                for value in knob.choices
                if knob.family in ("norm", "activation", "position", "attention", "width_depth")
            ),
        )
    ),
)
def test_no_byte_depends_on_later_ones_or_on_other_windows(name: str, value: Scalar) -> None:
    model = module(**{"INIT": "xavier", name: value}).build_model().eval()
    tokens = torch.randint(0, 256, (3, CONTEXT), generator=torch.Generator().manual_seed(1))
    spliced = tokens.clone()
    spliced[:, 40:] = spliced[:, 40:].flip(0).flip(1)
    spliced[0] = 0
    with torch.inference_mode():
        before, after = model(tokens), model(spliced)
        short = model(tokens[:, :40])
    assert torch.allclose(before[1:, :40], after[1:, :40], atol=1e-5)
    assert not torch.allclose(before[1:, 40:], after[1:, 40:], atol=1e-3)
    assert torch.allclose(before[:, :40], short, atol=1e-5)


def test_orthogonalize_brings_singular_values_near_one() -> None:
    train = module()
    for shape in ((192, 64), (64, 256), (64, 64)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        values = np.linalg.svd(train.orthogonalize(matrix).numpy(), compute_uv=False)
        assert 0.5 < np.median(values) < 1.5
        assert values.max() < 1.5


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, [1, 1, 1]),
        ({"SCHEDULE": "linear"}, [1, 0.5, 0]),
        ({"SCHEDULE": "cosine"}, [1, 0.5, 0]),
        ({"SCHEDULE": "wsd", "COOLDOWN": 0.5}, [1, 1, 0]),
        ({"SCHEDULE": "linear", "WARMUP": 0.2}, [0.01 / 0.21, 0.625, 0]),
    ],
)
def test_schedules(changes: dict[str, Scalar], wanted: list[float]) -> None:
    rate: Callable[[float], float] = module(**changes).rate
    assert [rate(progress) for progress in (0.0, 0.5, 1.0)] == pytest.approx(wanted, abs=1e-9)


def test_by_hand_it_prints_the_metric() -> None:
    path = load_task("quick").folder / "train.py"
    command = [sys.executable, str(path), str(4 * CONTEXT), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path("/"))
    found = re.fullmatch(r"\s*val_bpb: (\d\.\d{6})\n", done.stdout)
    assert found is not None
    assert 7 < float(found[1]) < 8.5

"""
What runs confined: a tree's `train.py`, fed and heard through pipes.

One child trains and hands over weights; another, fresh one takes the weights
and answers windows with logits. Neither ever holds held-out text: the first
sees what the supervisor streams, the second only the inputs it must answer.
"""

from __future__ import annotations

import importlib.util
import io
import math
import mmap
import os
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

import torch

from experiments.computing import compile_models, computing, sit_down
from experiments.confined import Main, NotFiniteError
from experiments.frames import CURVE, PROGRESS, RESULT, pack_progress, write_frame
from swarm.devices import Seat
from swarm.stopping import POINTS

VOCABULARY = 256
REPORT_EVERY_SECONDS = 0.1
_LENGTH = struct.Struct("<Q")


class TrainModule(Protocol):
    """What every `train.py` defines."""

    def build_model(self) -> torch.nn.Module: ...

    def train(
        self,
        read: Callable[[int], bytes],
        budget_tokens: int,
        seed: int,
        report: Callable[[int, float], None],
    ) -> torch.nn.Module: ...


def load_train_module(work: Path) -> TrainModule:
    """Run the tree's `train.py` as a module; other editable files can be imported by it."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(work))
    spec = importlib.util.spec_from_file_location("train", work / "train.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train"] = module
    spec.loader.exec_module(module)
    return cast(TrainModule, module)


def trainer(work: Path, budget_tokens: int, seed: int, seat: Seat | None = None) -> Main:
    """
    The training child's main: train once, on the seat's device if any, answer with a RESULT frame.

    Its payload is 8 bytes of microseconds spent in `train`, then the weights
    as `torch.save` writes a state dict.
    """

    def main(inlet: int, outlet: int) -> None:
        sit_down(seat)
        module = load_train_module(work)
        if seat is not None and seat.numerics.compiled:
            compile_models(module)
        report = _reporter(outlet, budget_tokens)
        started = time.perf_counter()
        with computing(seat):
            model = module.train(_reader(inlet), budget_tokens, seed, report)
        microseconds = int(1e6 * (time.perf_counter() - started))
        sys.stdout.flush()
        weights = io.BytesIO()
        torch.save({k: v.detach().cpu() for k, v in model.state_dict().items()}, weights)
        write_frame(outlet, RESULT, _LENGTH.pack(microseconds) + weights.getvalue())

    return main


def split_result(payload: bytes) -> tuple[float, bytes]:
    """Seconds spent in `train` and the weights, from the training child's RESULT frame."""
    (microseconds,) = _LENGTH.unpack_from(payload)
    return microseconds / 1e6, payload[_LENGTH.size :]


def evaluator(work: Path, logits: mmap.mmap, context: int, seat: Seat | None = None) -> Main:
    """
    The evaluation child's main: load weights, then answer windows until its input ends.

    It reads the weights, led by their length, then windows of `context` bytes
    in batches, each led by the batch's length in bytes. It writes float32
    logits [B, context, 256] to the start of `logits` and an empty RESULT frame.
    """

    def main(inlet: int, outlet: int) -> None:
        read = _reader(inlet)
        weights = _read_counted(read)
        shared = torch.frombuffer(logits, dtype=torch.float32)
        sit_down(seat)
        model = load_train_module(work).build_model()
        model.load_state_dict(
            torch.load(io.BytesIO(weights), map_location="cpu", weights_only=True)
        )
        model.eval()
        with torch.inference_mode():
            while data := _read_counted(read):
                windows = torch.frombuffer(bytearray(data), dtype=torch.uint8)
                _answer(model, windows.view(-1, context).long(), shared)
                sys.stdout.flush()
                write_frame(outlet, RESULT)

    return main


def counted(data: bytes) -> bytes:
    """`data` led by its length, as the evaluation child reads it."""
    return _LENGTH.pack(len(data)) + data


def _answer(model: torch.nn.Module, windows: torch.Tensor, shared: torch.Tensor) -> None:
    """Logits of windows [B, T] into the shared memory."""
    answer = cast(torch.Tensor, model(windows))
    expected = (*windows.shape, VOCABULARY)
    if tuple(answer.shape) != expected:
        raise ValueError(f"logits of shape {tuple(answer.shape)}; {expected} is needed")
    shared[: answer.numel()].copy_(answer.reshape(-1))


def _read_counted(read: Callable[[int], bytes]) -> bytes:
    head = read(_LENGTH.size)
    return read(_LENGTH.unpack(head)[0]) if head else b""


def _reader(descriptor: int) -> Callable[[int], bytes]:
    """A function that reads exactly n bytes, or what is left at the end."""

    def read(count: int) -> bytes:
        pieces: list[bytes] = []
        while count > 0 and (piece := os.read(descriptor, min(count, 1 << 20))):
            pieces.append(piece)
            count -= len(piece)
        return b"".join(pieces)

    return read


def _reporter(descriptor: int, budget_tokens: int) -> Callable[[int, float], None]:
    """
    A function that says how training goes, at most ten times a second.

    It also sends the mean loss since the last time after each of `POINTS` equal parts of
    the budget, whatever the time.
    """
    next_at, next_point = 0.0, 1
    losses: list[float] = []

    def report(tokens: int, loss: float) -> None:
        nonlocal next_at, next_point
        loss, now = float(loss), time.monotonic()
        if not math.isfinite(loss):
            raise NotFiniteError(f"the loss is {loss} after {tokens} tokens")
        losses.append(loss)
        if tokens * POINTS >= next_point * budget_tokens:
            write_frame(descriptor, CURVE, pack_progress(tokens, sum(losses) / len(losses)))
            next_point = tokens * POINTS // budget_tokens + 1
            losses.clear()
        if now >= next_at:
            next_at = now + REPORT_EVERY_SECONDS
            write_frame(descriptor, PROGRESS, pack_progress(tokens, loss))

    return report

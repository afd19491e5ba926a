"""
Each defence of a run, and how to do without it.

A weakening changes one thing in the supervisor's own process, before it starts,
and nothing else: a cheat that then succeeds was stopped by that defence.
"""

# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments import child, scoring, supervisor, training
from experiments.bounded_log import BoundedLog
from experiments.limits import Limits
from experiments.orders import RunOrder
from experiments.sandbox import landlock, seccomp
from tests.redteam.arena import SECRET_NAME

Weakening = Callable[[RunOrder], RunOrder]
Bits = Callable[[NDArray[np.float32], NDArray[np.uint8]], NDArray[np.float64]]


def no_sandbox(order: RunOrder) -> RunOrder:
    """Children keep all their user's rights."""
    landlock.LandlockSandbox.enter = _nothing  # pyright: ignore[reportAttributeAccessIssue]
    return order


def no_landlock(order: RunOrder) -> RunOrder:
    """Every file is open; system calls are still filtered."""
    landlock.LandlockSandbox.enter = lambda self, confinement: seccomp.install()
    return order


def no_seccomp(order: RunOrder) -> RunOrder:
    """Every system call is allowed; files are still closed."""
    landlock.seccomp.install = _nothing
    return order


def no_limits(order: RunOrder) -> RunOrder:
    """As much processor, time, memory and disk as a child likes."""
    limits = Limits(1e5, 1e5, 1 << 40, 1 << 45, 1 << 40, 1 << 30)
    supervisor.Limits = lambda *_: limits  # type: ignore[assignment,misc]
    return order


def no_watch(order: RunOrder) -> RunOrder:
    """Nobody looks from outside; the kernel still has the limits."""
    child.Child._judge = _nothing  # pyright: ignore[reportAttributeAccessIssue]
    return order


def no_splice(order: RunOrder) -> RunOrder:
    """Windows are asked once."""
    return replace(order, probe=0.0)


def no_wipe(order: RunOrder) -> RunOrder:
    """What the first evaluation leaves in the shared memory stays for the second."""
    supervisor.wipe = _nothing
    return order


def no_normalising(order: RunOrder) -> RunOrder:
    """Logits are taken for log-probabilities, as they come."""

    def bits(logits: NDArray[np.float32], targets: NDArray[np.uint8]) -> NDArray[np.float64]:
        hit = np.take_along_axis(logits, targets[..., None].astype(np.intp), axis=-1)
        return -hit.sum(axis=(1, 2), dtype=np.float64) / np.log(2)

    return _with_bits(order, lambda _: bits)


def no_finiteness(order: RunOrder) -> RunOrder:
    """A cost that is not a number is left out of the sum."""

    def tolerant(bits: Bits) -> Bits:
        def rule(logits: NDArray[np.float32], targets: NDArray[np.uint8]) -> NDArray[np.float64]:
            return np.nan_to_num(bits(logits, targets), posinf=0.0)

        return rule

    return _with_bits(order, tolerant)


def same_process(order: RunOrder) -> RunOrder:
    """The tree's code is also run where the metric is computed."""
    training.load_train_module(Path(order.work))
    return order


def no_token_budget(order: RunOrder) -> RunOrder:
    """The stream goes on after the budget."""
    budgeted = scoring.Examiner.training_windows

    def endless(self: scoring.Examiner) -> Iterator[bytes]:
        return chain.from_iterable(budgeted(self) for _ in repeat(None, 4))

    scoring.Examiner.training_windows = endless
    return order


def no_silence(order: RunOrder) -> RunOrder:
    """What evaluation prints is kept with what training printed."""
    log = BoundedLog()
    supervisor.BoundedLog = lambda: log  # type: ignore[assignment,misc]
    return order


def no_discretion(order: RunOrder) -> RunOrder:
    """Whatever a child says of its failure is passed on."""
    supervisor.told = lambda reason, shown: reason
    return order


def no_log_bound(order: RunOrder) -> RunOrder:
    """All that is printed is kept."""

    def keep(self: BoundedLog, data: bytes) -> None:
        self._head += data

    BoundedLog.write = keep
    return order


def any_pickle(order: RunOrder) -> RunOrder:
    """Weights are unpickled, whatever they are."""
    load = torch.load

    def careless(*args: Any, **kwargs: Any) -> Any:
        return load(*args, **kwargs | {"weights_only": False})

    torch.load = careless
    return order


def no_clearing_up(order: RunOrder) -> RunOrder:
    """What is left running below a run is left alone."""

    def spared(*, spare: Collection[int] = (), patience_seconds: float = 0.0) -> int:
        return 0

    supervisor.kill_descendants = spared
    return order


def open_environment(order: RunOrder) -> RunOrder:
    """Children see the node's whole environment."""
    os.environ[SECRET_NAME] = "sk-secret"
    return order


def _nothing(*_: object) -> None:
    """In place of a defence."""


def _with_bits(order: RunOrder, change: Callable[[Bits], Bits]) -> RunOrder:
    load = scoring._load

    def changed(path: Path) -> Any:
        prepare: Any = load(path)
        prepare.bits = change(prepare.bits)
        return prepare

    scoring._load = changed
    return order


WEAKENINGS: dict[str, Weakening] = {
    "sandbox": no_sandbox,
    "Landlock": no_landlock,
    "seccomp": no_seccomp,
    "limits": no_limits,
    "the watch from outside": no_watch,
    "splice probe": no_splice,
    "wiped memory": no_wipe,
    "normalising parent": no_normalising,
    "finite costs only": no_finiteness,
    "metric in another process": same_process,
    "streamed budget": no_token_budget,
    "silent evaluation": no_silence,
    "discreet failures": no_discretion,
    "bounded log": no_log_bound,
    "tensors only": any_pickle,
    "clearing up": no_clearing_up,
    "clean environment": open_environment,
}
"""The defences that stand around a single run, by name."""

"""
Where a tree computes and how, without the tree's knowing of it.

A run with a seat finds that whatever its `train.py` makes lies on the device: weights,
tables and the text it reads. So one `train.py` serves processors and GPUs, and whether
numbers have 32 bits or 16 is the node's choice, the same for every arm of a pair, and no
part of what is compared. Answers to held-out windows are always computed in full
precision: they must not depend on what other windows they were asked with.

Law: a device is touched by a confined child only, after its fork. A driver that was
started before a fork does not work after it, and a fork server that asks torch whether
there is a GPU has started it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch

from swarm.devices import Seat

if TYPE_CHECKING:
    from experiments.training import TrainModule


_MAKERS = (
    "arange", "as_tensor", "asarray", "bartlett_window", "blackman_window", "empty", "eye",
    "full", "hamming_window", "hann_window", "kaiser_window", "linspace", "logspace", "ones",
    "rand", "randint", "randn", "randperm", "scalar_tensor", "tensor", "tril_indices",
    "triu_indices", "zeros",
)  # fmt: skip
_READERS = ("frombuffer", "from_numpy")


@contextmanager
def devices_unseen() -> Generator[None]:
    """
    While this holds, torch says that there is no CUDA device, and does not go and look.

    Optimizers ask at every step; the question alone would leave all later children
    without a device.
    """
    asked = torch.cuda.is_available
    torch.cuda.is_available = _no
    try:
        yield
    finally:
        torch.cuda.is_available = asked


def sit_down(seat: Seat | None) -> None:
    """
    Have all that is made from now on in this process made on the seat's device.

    Args:
        seat: None leaves everything as it is, on the processor.

    Raises:
        RuntimeError: torch cannot use the device.
    """
    if seat is None:
        return
    if seat.kind == "cuda":
        _start_cuda(seat)
    for name, make in makers_for(torch.device(seat.kind)).items():
        setattr(torch, name, make)


def makers_for(device: torch.device) -> dict[str, Callable[..., torch.Tensor]]:
    """
    What makes tensors of nothing, by its name in torch, but on a device unless told where.

    `torch.set_default_device` does the same and looks at every call of torch for it, which
    made a step of the baseline a sixth slower; and it leaves text that is read in memory.
    """
    made = {name: _making(getattr(torch, name), device) for name in _MAKERS}
    return made | {name: _landing(getattr(torch, name), device) for name in _READERS}


@contextmanager
def computing(seat: Seat | None) -> Generator[None]:
    """Train in the seat's precision: where it is tf32 or bf16, in the products of matrices."""
    if seat is None:
        yield
        return
    precision = seat.numerics.precision
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        with torch.autocast(seat.kind, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def compile_models(module: TrainModule) -> None:
    """Have every model that `build_model` of a tree gives from now on compiled as it is used."""
    build = module.build_model

    def build_compiled() -> torch.nn.Module:
        model = build()
        model.compile()  # pyright: ignore[reportUnknownMemberType]
        return model

    cast(Any, module).build_model = build_compiled


def _start_cuda(seat: Seat) -> None:
    """Bring up the driver for this device alone, and hold the run to its share of memory."""
    os.environ["CUDA_VISIBLE_DEVICES"] = seat.card
    os.environ["CUDA_CACHE_DISABLE"] = "1"  # it lies in a home that is not there
    os.environ["TRITON_CACHE_DIR"] = os.environ["TMPDIR"]
    cuda = cast(Any, torch.cuda)
    total = cuda.get_device_properties(0).total_memory
    cuda.set_per_process_memory_fraction(min(1.0, seat.memory_bytes / total))


def _making(make: Callable[..., torch.Tensor], device: torch.device) -> Callable[..., torch.Tensor]:
    def made(*arguments: Any, **named: Any) -> torch.Tensor:
        if named.get("device") is None:
            named["device"] = device
        return make(*arguments, **named)

    return made


def _landing(
    make: Callable[..., torch.Tensor], device: torch.device
) -> Callable[..., torch.Tensor]:
    """`make`, whose tensors torch always puts into the processor's memory, for a device."""

    def landed(*arguments: Any, **named: Any) -> torch.Tensor:
        return make(*arguments, **named).to(device)

    return landed


def _no() -> bool:
    return False

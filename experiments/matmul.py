"""
How fast this machine multiplies matrices, measured for a moment.

Run as a child, `python -m experiments.matmul`, because a node never imports torch.
It prints one JSON object: 10⁹ operations a second of the processor, and of each device
that torch can use, in order; null where the measurement failed.

Law: takes about a second beside importing torch, whatever the machine. The processor
is timed in CPU seconds, so that a busy machine does not look like a slow one.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

MEASURED_SECONDS = 0.3
PROCESSOR_SIZE = 1024
DEVICE_SIZE = 4096


def main() -> None:
    """Measure and print."""
    import torch

    cores = torch.get_num_threads()
    processor = _rate(torch, "cpu", torch.float32, PROCESSOR_SIZE, time.process_time)
    cuda = [
        _rate(torch, f"cuda:{n}", torch.bfloat16, DEVICE_SIZE, _when(torch.cuda.synchronize))
        for n in range(torch.cuda.device_count())
    ]
    mps = [
        _rate(torch, "mps", torch.float32, PROCESSOR_SIZE, _when(torch.mps.synchronize))
        for _ in range(torch.backends.mps.is_available())
    ]
    rates = {
        "processor": None if processor is None else processor * cores,
        "devices": [*cuda, *mps],
    }
    print(json.dumps(rates))


def _when(finish: Callable[[], None]) -> Callable[[], float]:
    """A clock that is read when all the work that was asked for is done."""

    def read() -> float:
        finish()
        return time.perf_counter()

    return read


def _rate(
    torch: Any, device: str, number: Any, size: int, clock: Callable[[], float]
) -> float | None:
    """10⁹ operations a second of a square product, 2·size³ operations each."""
    try:
        left, right = (torch.ones(size, size, device=device, dtype=number) for _ in range(2))
        with torch.inference_mode():
            _ = left @ right
            return 2 * size**3 * _per_second(lambda: left @ right, clock) / 1e9
    except RuntimeError:  # out of memory, or a kernel that this device lacks
        return None


def _per_second(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """How often some work is done in a second, in rounds that double until they last."""
    rounds = 1
    while True:
        begun = clock()
        for _ in range(rounds):
            work()
        seconds = clock() - begun
        if seconds >= MEASURED_SECONDS:
            return rounds / seconds
        rounds *= 2


if __name__ == "__main__":
    main()

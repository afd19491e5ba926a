"""
Which devices this machine has, and how full they are, found out without torch.

An `Inventory` says it. The real one asks `nvidia-smi`, with a time limit; a program that
is not there or does not answer means that there is no device. `tests/contracts` holds
what every inventory must do.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import Protocol

from swarm.devices import Card

_ASK_SECONDS = 10.0
_START_SECONDS = 60.0
_MEBIBYTE = 1 << 20


_START_DRIVER = "import ctypes; ctypes.CDLL('libcuda.so.1').cuInit(0)"


def start_driver(kind: str) -> None:
    """
    Have the driver make its device files, as it does for the first program that uses it.

    It takes a program of the system's to make them, which a confined run may not start.
    """
    if kind != "cuda":
        return
    command = (sys.executable, "-ISc", _START_DRIVER)
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        subprocess.run(command, capture_output=True, timeout=_START_SECONDS, check=False)


class Inventory(Protocol):
    """The devices of a machine."""

    def cards(self) -> tuple[Card, ...]:
        """Those that are there, each with an id of its own, always in the same order."""
        ...

    def used_bytes(self, card: str) -> int | None:
        """Of a device's memory, what is in use now by anybody; None where nobody can say."""
        ...


class NvidiaSmi:
    """
    CUDA devices, as NVIDIA's own tool lists them.

    Args:
        visible: What CUDA_VISIBLE_DEVICES says: some of the devices, by number in the
            tool's order or by id; "" for none, None for all.
        program: The tool.
    """

    def __init__(self, visible: str | None = None, program: str = "nvidia-smi") -> None:
        self._visible = None if visible is None else [each.strip() for each in visible.split(",")]
        self._program = program

    def cards(self) -> tuple[Card, ...]:
        """The devices whose memory is told; those that fail are left out."""
        rows = enumerate(self._ask("uuid,name,memory.total"))
        return tuple(
            Card(row[0], "cuda", ",".join(row[1:-1]).strip(), int(row[-1]) * _MEBIBYTE)
            for number, row in rows
            if len(row) >= 3 and row[-1].isdigit() and self._is_visible(number, row[0])
        )

    def used_bytes(self, card: str) -> int | None:
        """As `Inventory`."""
        rows = self._ask("uuid,memory.used")
        used = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
        return used[card] * _MEBIBYTE if card in used else None

    def _is_visible(self, number: int, card: str) -> bool:
        if self._visible is None:
            return True
        return any(
            name == str(number) or (name.startswith("GPU-") and card.startswith(name))
            for name in self._visible
        )

    def _ask(self, fields: str) -> list[list[str]]:
        command = (self._program, f"--query-gpu={fields}", "--format=csv,noheader,nounits")
        try:
            asked = subprocess.run(
                command, capture_output=True, timeout=_ASK_SECONDS, check=True, text=True
            )
        except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
            return []
        return [[part.strip() for part in line.split(",")] for line in asked.stdout.splitlines()]

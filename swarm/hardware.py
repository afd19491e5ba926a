"""
What a machine is good for, as one of six classes.

A class gives the prior of the strategy and tells people where a result comes
from. It never weighs evidence: paired effects compare across machines.

Law: total; any probe has a class.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal, get_args

HardwareClass = Literal[
    "cpu-laptop", "cpu-server", "gpu-small", "gpu-large", "gpu-datacenter", "apple-silicon"
]
HARDWARE_CLASSES: tuple[HardwareClass, ...] = get_args(HardwareClass)

SERVER_CORES = 16
LARGE_MEMORY_BYTES = 12 * 10**9
DATACENTER_MEMORY_BYTES = 40 * 10**9
DATACENTER_GFLOPS = 50_000.0
"""Below this rate no device is a datacentre's, however large its memory."""

SLOW_SERVER_GFLOPS = 100.0
"""Below this rate no processor is a server's, whatever it was sold as."""

MAX_WORDS = 120

_SERVER_CPU = re.compile(r"xeon|epyc|threadripper|graviton|neoverse|ampere|power\d", re.IGNORECASE)
_SERVER_CPU_CORES = 8


@dataclass(frozen=True, slots=True)
class Device:
    """
    One accelerator.

    Attributes:
        kind: cuda, rocm, mps or the like.
        memory_bytes: Its own memory.
        gflops: How fast it multiplies matrices, in 10⁹ operations a second; 0 where
            torch cannot use it; None where that was not measured.
    """

    kind: str
    name: str
    memory_bytes: int
    gflops: float | None = None


@dataclass(frozen=True, slots=True)
class Probe:
    """
    A machine as found.

    Attributes:
        cores: Physical cores that may be used.
        gflops: How fast all of them together multiply matrices; None: not measured.
    """

    cpu_model: str
    cores: int
    memory_bytes: int
    devices: tuple[Device, ...] = ()
    gflops: float | None = None


def hardware_class(probe: Probe) -> HardwareClass:
    """The class of a machine; its largest accelerator that works decides, or else its cores."""
    working = [device for device in probe.devices if device.gflops != 0]
    if any(device.kind == "mps" for device in working):
        return "apple-silicon"
    if not working:
        return "cpu-server" if _is_server(probe) else "cpu-laptop"
    largest = max(working, key=lambda device: device.memory_bytes)
    if largest.memory_bytes >= DATACENTER_MEMORY_BYTES and not _is_slow(largest):
        return "gpu-datacenter"
    return "gpu-large" if largest.memory_bytes >= LARGE_MEMORY_BYTES else "gpu-small"


def in_words(probe: Probe) -> str:
    """A machine in a few words, for people: its accelerators, or else its processor."""
    names = Counter(device.name for device in probe.devices if device.gflops != 0)
    parts = [f"{count} × {name}" if count > 1 else name for name, count in names.items()]
    cores = f"{probe.cores} core{'' if probe.cores == 1 else 's'}"
    words = ", ".join(parts) or f"{probe.cpu_model}, {cores}"
    return "".join(letter for letter in words if letter.isprintable())[:MAX_WORDS]


def _is_slow(device: Device) -> bool:
    return device.gflops is not None and device.gflops < DATACENTER_GFLOPS


def _is_server(probe: Probe) -> bool:
    """Many cores; or fewer, of a processor sold for servers. A small cloud VM is no server."""
    if probe.gflops is not None and probe.gflops < SLOW_SERVER_GFLOPS:
        return False
    sold_for_servers = _SERVER_CPU.search(probe.cpu_model) is not None
    return probe.cores >= (_SERVER_CPU_CORES if sold_for_servers else SERVER_CORES)

"""
What a machine is good for, as one of six classes.

A class gives the prior of the strategy and tells people where a result comes
from. It never weighs evidence: paired effects compare across machines.

Law: total; any probe has a class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

HardwareClass = Literal[
    "cpu-laptop", "cpu-server", "gpu-small", "gpu-large", "gpu-datacenter", "apple-silicon"
]
HARDWARE_CLASSES: tuple[HardwareClass, ...] = get_args(HardwareClass)

SERVER_CORES = 16
LARGE_MEMORY_BYTES = 12 * 10**9
DATACENTER_MEMORY_BYTES = 40 * 10**9

_SERVER_CPU = re.compile(r"xeon|epyc|threadripper|graviton|neoverse|ampere|power\d", re.IGNORECASE)
_SERVER_CPU_CORES = 8


@dataclass(frozen=True, slots=True)
class Device:
    """One accelerator: `kind` is cuda, rocm, mps or the like; memory is its own."""

    kind: str
    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A machine as found: physical cores that may be used, main memory, accelerators."""

    cpu_model: str
    cores: int
    memory_bytes: int
    devices: tuple[Device, ...] = ()


def hardware_class(probe: Probe) -> HardwareClass:
    """The class of a machine; its largest accelerator decides, or else its cores."""
    if any(device.kind == "mps" for device in probe.devices):
        return "apple-silicon"
    memory_bytes = max((device.memory_bytes for device in probe.devices), default=None)
    if memory_bytes is None:
        return "cpu-server" if _is_server(probe) else "cpu-laptop"
    if memory_bytes >= DATACENTER_MEMORY_BYTES:
        return "gpu-datacenter"
    return "gpu-large" if memory_bytes >= LARGE_MEMORY_BYTES else "gpu-small"


def _is_server(probe: Probe) -> bool:
    """Many cores; or fewer, of a processor sold for servers. A small cloud VM is no server."""
    sold_for_servers = _SERVER_CPU.search(probe.cpu_model) is not None
    return probe.cores >= (_SERVER_CPU_CORES if sold_for_servers else SERVER_CORES)

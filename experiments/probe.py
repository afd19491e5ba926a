"""
What machine this is, found out without importing torch.

CUDA devices come from `nvidia-smi`, Apple's GPU from the processor's name; both
are asked with a time limit, and one that does not answer is not there.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import psutil

from swarm.hardware import Device, Probe

_ASK_SECONDS = 10.0
_NVIDIA_SMI = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")


def probe() -> Probe:
    """The processor, the cores this process may use, memory and accelerators."""
    memory_bytes = psutil.virtual_memory().total
    return Probe(
        cpu_model=_cpu_model(),
        cores=usable_cores(),
        memory_bytes=memory_bytes,
        devices=(*parse_nvidia_smi(_ask(*_NVIDIA_SMI)), *_apple_gpu(memory_bytes)),
    )


def usable_cores() -> int:
    """Physical cores, or fewer where this process is held to some of them; at least 1."""
    physical = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    return max(1, min(physical, _allowed_cores() or physical))


def _allowed_cores() -> int | None:
    """Logical cores of this process's affinity mask and of its cgroup's quota."""
    if sys.platform != "linux":
        return None
    allowed = len(psutil.Process().cpu_affinity() or ()) or None
    quota = parse_cgroup_quota(_read("/sys/fs/cgroup/cpu.max"))
    return min((n for n in (allowed, quota) if n is not None), default=None)


def parse_cgroup_quota(text: str) -> int | None:
    """Whole cores a `cpu.max` file grants, at least 1; None for no limit."""
    fields = text.split()
    if len(fields) != 2 or not all(field.isdigit() for field in fields) or fields[1] == "0":
        return None
    return max(1, int(fields[0]) // int(fields[1]))


def parse_nvidia_smi(text: str) -> tuple[Device, ...]:
    """The devices that `nvidia-smi` lists as lines of name and MiB of memory."""
    devices: list[Device] = []
    for line in text.splitlines():
        name, _, mebibytes = (part.strip() for part in line.rpartition(","))
        if name and mebibytes.isdigit():
            devices.append(Device("cuda", name, int(mebibytes) << 20))
    return tuple(devices)


def _apple_gpu(memory_bytes: int) -> tuple[Device, ...]:
    """Apple's processors share their memory with their GPU."""
    if sys.platform != "darwin" or platform.machine() != "arm64":
        return ()
    return (Device("mps", _cpu_model(), memory_bytes),)


def _cpu_model() -> str:
    if sys.platform == "darwin":
        return _ask("sysctl", "-n", "machdep.cpu.brand_string").strip() or platform.machine()
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _ask(*command: str) -> str:
    try:
        asked = subprocess.run(
            command, capture_output=True, timeout=_ASK_SECONDS, check=True, text=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return asked.stdout


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""

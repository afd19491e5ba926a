"""
What one run may use up, and how the kernel is told.

The supervisor also watches these from outside; the limits set here hold even
when it is slow to look.
"""

import os
import resource
import sys
from dataclasses import dataclass, replace

MEBIBYTE = 1 << 20
DEVICE_HOST_BYTES = 8 * 1024 * MEBIBYTE
"""Resident memory of a run on a device: the driver and its libraries take some of it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    Bounds on one run.

    Attributes:
        cpu_seconds: Processor time of all its processes together: the compute cap.
        wall_seconds: So that a run that sleeps for ever ends.
        memory_bytes: Resident memory of one process.
        address_bytes: Address space of one process, of which torch alone takes 1.2 GB; None
            where a device's driver reserves more of it than there is memory.
        scratch_bytes: Files in its scratch folder, together.
        scratch_files: How many of them.
        result_bytes: What training may hand over as weights.
        data_bytes: Memory of its own that one process may map, reserved or used; None: as
            much as its address space.
    """

    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int = 3 * 1024 * MEBIBYTE
    address_bytes: int | None = 5 * 1024 * MEBIBYTE
    scratch_bytes: int = 64 * MEBIBYTE
    scratch_files: int = 1000
    result_bytes: int = 256 * MEBIBYTE
    data_bytes: int | None = None


def apply_limits(limits: Limits) -> None:
    """Bind the calling process and its children to `limits`, as far as the system knows them."""
    cpu_seconds = int(limits.cpu_seconds) + 2
    _lower(resource.RLIMIT_CPU, cpu_seconds)
    _lower(resource.RLIMIT_FSIZE, limits.scratch_bytes)
    _lower(resource.RLIMIT_NOFILE, 256)
    _lower(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        if limits.address_bytes is not None:
            _lower(resource.RLIMIT_AS, limits.address_bytes)
        if limits.data_bytes is not None:
            _lower(resource.RLIMIT_DATA, limits.data_bytes)


def on_a_device(limits: Limits) -> Limits:
    """
    The same bounds for a run that computes on a device.

    A driver reserves hundreds of gigabytes of addresses without using them, so these
    cannot be bounded; RLIMIT_DATA bounds what a process may write to and leaves out
    reservations and what it shares with the device. The device's own memory is
    bounded by the share of the seat.
    """
    memory_bytes = max(limits.memory_bytes, DEVICE_HOST_BYTES)
    return replace(
        limits, memory_bytes=memory_bytes, address_bytes=None, data_bytes=4 * memory_bytes
    )


def prefer_for_out_of_memory_kill() -> None:
    """When the machine runs out of memory, let the kernel take this process before the node."""
    if sys.platform == "linux":
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("800")


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def scratch_use(folder: str) -> tuple[int, int]:
    """Bytes and number of files below `folder`, which may change meanwhile."""
    size = count = 0
    for parent, folders, files in os.walk(folder):
        count += len(folders) + len(files)
        for name in files:
            try:
                size += os.lstat(os.path.join(parent, name)).st_blocks * 512  # noqa: PTH118
            except OSError:
                continue
    return size, count

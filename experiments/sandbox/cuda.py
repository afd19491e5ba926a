"""
What of the system a run needs for a CUDA device, beside what every run may read.

The driver is part of the process that uses it: it opens device files, reads facts
about the hardware, writes the names of its threads and loads libraries of its own when
the first tensor reaches the device, which is after the walls are up. Nothing here is
open to a run that has no device.

Sources: what other sandboxes had to add before CUDA would start in them,
https://github.com/nolabs-ai/nono/pull/673 (device files, procfs) and
https://github.com/NVIDIA/OpenShell/issues/1696 (memfd_create).
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from experiments.sandbox.libraries import package_paths
from experiments.sandbox.system import system_paths

KIND = "cuda"
DEVICE_NAMES = (
    "nvidia[0-9]*",
    "nvidiactl",
    "nvidia-uvm",
    "nvidia-uvm-tools",
    "nvidia-caps",
    "dxg",
)
FACTS = (
    "/sys/module/nvidia",
    "/sys/module/nvidia_uvm",
    "/sys/bus/pci/devices",
    "/sys/devices",
)
_PROCESS_FACTS = (
    "/proc/driver/nvidia",
    "/proc/driver/nvidia-uvm",
    "/proc/devices",
    "/proc/modules",
    "/proc/self",
    "/etc/ld.so.cache",
)
_LIBRARY_FOLDERS = (
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/local/nvidia/lib64",
    "/usr/lib/wsl/lib",
    "/run/opengl-driver/lib",
)
_LIBRARIES = ("libcuda.so*", "libnvidia-*.so*", "libdxcore.so*")
_PACKAGES = ("nvidia", "triton")
THREAD_NAMES = Path("/proc/self/task")
"""Where a process names its threads: this path is another folder in every process."""


def device_files(kind: str, folder: Path = Path("/dev")) -> tuple[Path, ...]:
    """The device files of this kind of device; none for a kind that needs none."""
    if kind != KIND:
        return ()
    return tuple(path for name in DEVICE_NAMES for path in sorted(folder.glob(name)))


def driver_files(kind: str) -> tuple[Path, ...]:
    """What the driver reads: facts, its libraries, and those that torch brings along."""
    if kind != KIND:
        return ()
    paths = (*_existing(FACTS + _PROCESS_FACTS), *_libraries(), *package_paths(_PACKAGES))
    return tuple(dict.fromkeys(paths))


def beyond_system(kind: str) -> tuple[Path, ...]:
    """The part of `driver_files` that is not among the files every program has."""
    if kind != KIND:
        return ()
    roots = system_paths()
    elsewhere = (p for p in _libraries() if not any(p.is_relative_to(root) for root in roots))
    return tuple(dict.fromkeys((*_existing(FACTS), *elsewhere)))


def named_by_process(kind: str) -> tuple[Path, ...]:
    """What the driver writes to: the names of the process's own threads."""
    return (THREAD_NAMES,) if kind == KIND else ()


def _libraries() -> Iterator[Path]:
    folders = (*_LIBRARY_FOLDERS, *os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    for folder in dict.fromkeys(filter(os.path.isabs, folders)):
        for name in _LIBRARIES:
            yield from (path for path in sorted(Path(folder).glob(name)) if path.exists())


def _existing(paths: Iterable[str]) -> Iterator[Path]:
    return (Path(path) for path in paths if Path(path).exists())

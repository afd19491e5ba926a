"""Which files a run with a CUDA device may reach beside those of every run."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.bounded_log import BoundedLog
from experiments.child import Cell, Child
from experiments.frames import RESULT, write_frame
from experiments.limits import DEVICE_HOST_BYTES, Limits, on_a_device
from experiments.sandbox import Confinement, cuda
from experiments.sandbox.bubblewrap import bwrap
from experiments.sandbox.landlock import LandlockSandbox
from experiments.sandbox.seccomp import filter_program
from experiments.sandbox.syscalls import AARCH64, DRIVER, X86_64
from experiments.supervisor import reach_of
from swarm.devices import Numerics, Seat


def test_the_device_files_are_the_driver_s_and_no_others(tmp_path: Path) -> None:
    here = ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
    for name in (*here, "null", "sda", "kvm", "dri"):
        (tmp_path / name).touch()
    found = [path.name for path in cuda.device_files("cuda", tmp_path)]
    assert found == ["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_nothing_is_opened_for_a_device_without_a_driver(kind: str) -> None:
    assert cuda.device_files(kind) == cuda.driver_files(kind) == ()
    assert cuda.beyond_system(kind) == cuda.named_by_process(kind) == ()


def test_the_driver_s_libraries_are_named_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never the folder they are in, where held-out text may lie too."""
    for name in ("libcuda.so.1", "libnvidia-ptxjitcompiler.so.570", "libsecret.so"):
        (tmp_path / name).touch()
    (tmp_path / "libcuda.so").symlink_to(tmp_path / "gone")
    monkeypatch.setenv("LD_LIBRARY_PATH", f"{tmp_path}:relative:")
    found = [path for path in cuda.driver_files("cuda") if path.is_relative_to(tmp_path)]
    assert [path.name for path in found] == ["libcuda.so.1", "libnvidia-ptxjitcompiler.so.570"]
    assert all(path.exists() for path in cuda.driver_files("cuda"))
    assert set(found) <= set(cuda.beyond_system("cuda")), "where /tmp is not the system's"


def test_bubblewrap_brings_the_devices_in_after_its_own(tmp_path: Path) -> None:
    device = tmp_path / "nvidia0"
    command = bwrap([], ["true"], Confinement((), (tmp_path,), (device,)))
    place = command.index("--dev-bind")
    assert command[place : place + 3] == ["--dev-bind", str(device), str(device)]
    assert place > command.index("--dev")
    assert "--dev-bind" not in bwrap([], ["true"], Confinement((), (tmp_path,)))


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_driver_s_calls_pass_with_a_device_only(machine: str) -> None:
    """Each is a comparison with its number; the tables do not overlap."""
    numbers = {call[machine == "aarch64"] for call in DRIVER.values()}
    assert not numbers & set((X86_64 if machine == "x86_64" else AARCH64).values())
    with_one = filter_program(machine, devices=True)
    without = filter_program(machine)
    assert numbers <= {operand for code, _, _, operand in with_one if code == 0x15}
    assert len(with_one) == len(without) + 2 * len(numbers)


def test_addresses_are_unbounded_on_a_device_and_memory_is_not() -> None:
    limits = on_a_device(Limits(10, 20, memory_bytes=3 << 30))
    assert limits.address_bytes is None
    assert limits.memory_bytes == DEVICE_HOST_BYTES
    assert limits.data_bytes == 4 * DEVICE_HOST_BYTES
    assert on_a_device(Limits(10, 20, memory_bytes=64 << 30)).memory_bytes == 64 << 30


LANDLOCK = LandlockSandbox()
MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x2 | 0x20 | 0x4000


def mapped(size: int, protection: int) -> bool:
    """Whether the system lets this process have so many addresses for this use."""
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    size_of, flags = ctypes.c_size_t(size), MAP_PRIVATE_ANONYMOUS_NORESERVE
    return libc.mmap(None, size_of, protection, flags, -1, ctypes.c_long(0)) != 2**64 - 1


def act_like_a_driver() -> dict[str, bool]:
    """What a driver is known to do when CUDA starts."""
    task = Path(f"/proc/self/task/{threading.get_native_id()}/comm")
    return {
        "memory file": os.memfd_create("x") > 0,
        "event": os.eventfd(0) > 0,
        "pipe": len(os.pipe()) == 2,
        "thread name": task.write_text("cuda") == 4,
        "its own map": bool(Path("/proc/self/maps").read_text()),
        "devices": bool(Path("/proc/devices").read_text()),
        "hardware": bool(os.listdir("/sys/devices")),  # noqa: PTH208
        "a terabyte of addresses": mapped(1 << 40, 0),
        "no more memory than its bound": not mapped(40 << 30, 3),
    }


@pytest.mark.skipif(LANDLOCK.missing() is not None, reason="no Landlock here")
def test_what_a_driver_does_can_be_done_where_runs_with_a_device_are(tmp_path: Path) -> None:
    """The confinement is that of a supervisor's children, a device of the kernel's put in."""
    for name in ("work", "scratch"):
        (tmp_path / name).mkdir()
    reach = reach_of(tmp_path / "work", Seat("GPU-none", "cuda", 1, Numerics()))
    inside = replace(reach, devices=(Path("/dev/random"),))
    lifeline, other_end = socket.socketpair()

    def main(inlet: int, outlet: int) -> None:
        write_frame(outlet, RESULT, repr(act_like_a_driver()).encode())

    limits, scratch = on_a_device(Limits(60, 60)), tmp_path / "scratch"
    child = Child(main, Cell(LANDLOCK, inside, limits, scratch, lifeline.fileno()), BoundedLog())
    try:
        said = next(child.exchange()).payload.decode()
    finally:
        child.kill()
        lifeline.close()
        other_end.close()
    assert "False" not in said, said

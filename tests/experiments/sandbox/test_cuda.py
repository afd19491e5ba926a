"""Which files a run with a CUDA device may reach beside those of every run."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.limits import DEVICE_HOST_BYTES, Limits, on_a_device
from experiments.sandbox import Confinement, cuda
from experiments.sandbox.bubblewrap import bwrap
from experiments.sandbox.seccomp import filter_program
from experiments.sandbox.syscalls import AARCH64, DRIVER, X86_64


def test_the_device_files_are_the_driver_s_and_no_others(tmp_path: Path) -> None:
    here = ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
    for name in (*here, "null", "sda", "kvm", "dri"):
        (tmp_path / name).touch()
    found = [path.name for path in cuda.device_files("cuda", tmp_path)]
    assert found == ["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-uvm-tools"]


@pytest.mark.parametrize("kind", ["cpu", "mps"])
def test_nothing_is_opened_for_a_device_without_a_driver(kind: str) -> None:
    assert cuda.device_files(kind) == cuda.driver_files(kind) == ()
    assert cuda.facts(kind) == cuda.named_by_process(kind) == ()


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

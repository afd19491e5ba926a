"""Hardware classes of machines people have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.hardware import HARDWARE_CLASSES, Device, Probe, hardware_class

GIB = 1 << 30


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe("Intel(R) Core(TM) i7-1165G7", 4, 16 * GIB), "cpu-laptop"),
        (Probe("Intel(R) Xeon(R) Processor @ 2.10GHz", 2, 8 * GIB), "cpu-laptop"),
        (Probe("AMD EPYC 7763 64-Core Processor", 8, 32 * GIB), "cpu-server"),
        (Probe("AMD Ryzen 9 7950X", 16, 64 * GIB), "cpu-server"),
        (Probe("Neoverse-N1", 8, 32 * GIB), "cpu-server"),
        (Probe("i5", 6, 16 * GIB, (Device("cuda", "GTX 1650", 4 * GIB),)), "gpu-small"),
        (Probe("i9", 16, 64 * GIB, (Device("cuda", "RTX 4090", 24 * GIB),)), "gpu-large"),
        (Probe("Xeon", 32, 256 * GIB, (Device("cuda", "H100", 80 * GIB),)), "gpu-datacenter"),
        (Probe("Xeon", 32, 256 * GIB, (Device("cuda", "A100-40GB", 40 * GIB),)), "gpu-datacenter"),
        (Probe("EPYC", 64, 512 * GIB, (Device("rocm", "MI300X", 192 * GIB),)), "gpu-datacenter"),
        (Probe("Apple M3", 8, 24 * GIB, (Device("mps", "Apple M3", 24 * GIB),)), "apple-silicon"),
        (Probe("", 1, 0), "cpu-laptop"),
    ],
)
def test_class(probe: Probe, expected: str) -> None:
    assert hardware_class(probe) == expected


def test_the_largest_device_decides() -> None:
    devices = (Device("cuda", "GT 710", 2 * GIB), Device("cuda", "RTX 3090", 24 * GIB))
    assert hardware_class(Probe("i7", 8, 32 * GIB, devices)) == "gpu-large"


devices = st.builds(Device, st.text(max_size=8), st.text(max_size=8), st.integers(0, 1 << 42))


@given(st.builds(Probe, st.text(), st.integers(), st.integers(), st.lists(devices).map(tuple)))
def test_any_machine_has_a_class(probe: Probe) -> None:
    assert hardware_class(probe) in HARDWARE_CLASSES

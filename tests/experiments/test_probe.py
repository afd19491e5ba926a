"""The probe finds this machine, and reads what other machines would say."""

from __future__ import annotations

import pytest

from experiments.probe import parse_cgroup_quota, parse_nvidia_smi, probe
from swarm.hardware import Device, hardware_class


def test_a_probe_has_a_class() -> None:
    found = probe()
    assert found.cpu_model
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
    assert hardware_class(found)


def test_devices_are_read_from_nvidia_smi() -> None:
    listed = "NVIDIA H200, 143771\nNVIDIA RTX, A thing, 24564\n[N/A], [N/A]\n"
    assert parse_nvidia_smi(listed) == (
        Device("cuda", "NVIDIA H200", 143771 << 20),
        Device("cuda", "NVIDIA RTX, A thing", 24564 << 20),
    )
    assert parse_nvidia_smi("") == ()


@pytest.mark.parametrize(
    ("text", "cores"),
    [("max 100000", None), ("250000 100000", 2), ("5000 100000", 1), ("", None), ("1 0", None)],
)
def test_a_cgroup_may_grant_fewer_cores(text: str, cores: int | None) -> None:
    assert parse_cgroup_quota(text) == cores

"""The measured machine: measured once, kept for this machine and no other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments import hardware
from experiments.hardware import CACHE, measured, remembered
from swarm.hardware import Device, Probe, hardware_class, in_words

GIB = 1 << 30
LAPTOP = Probe("Some CPU", 2, 8 * GIB)
WITH_GPU = Probe("Some CPU", 16, 64 * GIB, (Device("cuda", "H100", 80 * GIB),))


def pretend(monkeypatch: pytest.MonkeyPatch, processor: float, *devices: float | None) -> None:
    """The child would find these rates."""
    rates: dict[str, object] = {"processor": processor, "devices": list(devices)}
    monkeypatch.setattr(hardware, "_measure", lambda: rates)


def test_a_machine_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a real child with torch; the second time nothing is run."""
    assert remembered(LAPTOP, tmp_path) == LAPTOP
    found = measured(LAPTOP, tmp_path)
    assert found.gflops is not None and found.gflops > 0.1
    assert replace(found, gflops=None) == LAPTOP
    monkeypatch.setattr(hardware, "_measure", lambda: pytest.fail("measured again"))
    assert measured(LAPTOP, tmp_path) == remembered(LAPTOP, tmp_path) == found


def test_another_machine_is_measured_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, 50.0)
    measured(LAPTOP, tmp_path)
    assert remembered(replace(LAPTOP, cores=4), tmp_path).gflops is None


def test_a_device_that_torch_cannot_use_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, 900.0)
    found = measured(WITH_GPU, tmp_path)
    assert found.devices[0].gflops == 0.0
    assert hardware_class(WITH_GPU) == "gpu-datacenter"
    assert hardware_class(found) == "cpu-server"
    assert in_words(found) == "Some CPU, 16 cores" != in_words(WITH_GPU) == "H100"


@pytest.mark.parametrize(
    ("rate", "expected"), [(700_000.0, "gpu-datacenter"), (9_000.0, "gpu-large"), (None, None)]
)
def test_a_slow_device_is_no_datacentres(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float | None, expected: str | None
) -> None:
    """One that could not be measured is judged by its memory."""
    pretend(monkeypatch, 1.0, rate)
    assert hardware_class(measured(WITH_GPU, tmp_path)) == (expected or "gpu-datacenter")


@pytest.mark.parametrize("kept", [b"", b"[]", b"\xff", b'{"machine": 1}', b"[" * 100_000])
def test_a_damaged_cache_is_measured_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes
) -> None:
    (tmp_path / CACHE).write_bytes(kept)
    pretend(monkeypatch, 50.0)
    assert measured(LAPTOP, tmp_path).gflops == 50.0
    assert json.loads((tmp_path / CACHE).read_bytes())["processor"] == 50.0


def test_what_cannot_be_measured_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_measure", lambda: None)
    assert measured(LAPTOP, tmp_path) == LAPTOP
    assert not (tmp_path / CACHE).exists()

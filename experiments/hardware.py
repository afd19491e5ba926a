"""
The machine with its measured speed, measured once and kept in the home.

Law: a measurement is kept for exactly the machine and the torch it was made with. One
that fails leaves the probe as it was, and is tried again at the next start.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import cast

from swarm.hardware import Device, Probe
from swarm.toml_table import is_number

CACHE = "hardware.json"
_MEASURE_SECONDS = 120.0
_MAX_CACHE_BYTES = 64 * 1024


def measured(found: Probe, cache: Path) -> Probe:
    """
    The probe with the rates of the machine, from the cache or from a child that measures them.

    Blocks for some seconds where nothing is in the cache.

    Args:
        cache: The folder of the home that may be deleted at any time.
    """
    if (known := remembered(found, cache)).gflops is not None:
        return known
    rates = _measure()
    if rates is None:
        return found
    fresh = cache / f"{CACHE}.new"
    try:
        fresh.write_text(json.dumps({"machine": _machine(found), **rates}), "utf-8")
        fresh.replace(cache / CACHE)
    except OSError:
        return _with_rates(found, rates)
    return _with_rates(found, rates)


def remembered(found: Probe, cache: Path) -> Probe:
    """The probe with the rates that were measured before, if they were."""
    try:
        with (cache / CACHE).open("rb") as file:
            kept = _object(file.read(_MAX_CACHE_BYTES))
    except OSError:
        return found
    return _with_rates(found, kept) if kept.get("machine") == _machine(found) else found


def _measure() -> dict[str, object] | None:
    command = (sys.executable, "-m", "experiments.matmul")
    folder = Path(__file__).parent.parent
    try:
        ran = subprocess.run(
            command, capture_output=True, timeout=_MEASURE_SECONDS, check=True, cwd=folder
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _object(ran.stdout[:_MAX_CACHE_BYTES]) or None


def _with_rates(found: Probe, rates: dict[str, object]) -> Probe:
    """What torch cannot use has the rate 0; what could not be measured has none."""
    listed = rates.get("devices")
    speeds = cast("list[object]", listed) if isinstance(listed, list) else []
    devices = tuple(
        _at(device, speeds[index] if index < len(speeds) else 0.0)
        for index, device in enumerate(found.devices)
    )
    return replace(found, devices=devices, gflops=_number(rates.get("processor")))


def _at(device: Device, speed: object) -> Device:
    return replace(device, gflops=_number(speed))


def _number(value: object) -> float | None:
    return float(value) if is_number(value) and value >= 0 else None


def _machine(found: Probe) -> str:
    """What a measurement holds for, as a digest."""
    devices = [(device.kind, device.name, device.memory_bytes) for device in found.devices]
    facts = [found.cpu_model, found.cores, devices, metadata.version("torch")]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _object(text: bytes) -> dict[str, object]:
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}

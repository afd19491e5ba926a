"""
What a benchmark leaves behind: its figures, and what they were measured on.

`benchmarks/results/NAME.json` is committed, so that a figure in the documentation
can be traced to the command, the commit and the machine that gave it.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from experiments.probe import probe

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"

Figure = int | float | str | bool | None | list["Figure"] | dict[str, "Figure"]


def write_result(
    name: str, figures: Mapping[str, Figure], folder: Path = RESULTS, command: str = ""
) -> Path:
    """
    Write `NAME.json` and print it.

    Args:
        name: Of the benchmark, as in `make bench ARGS=NAME`.
        figures: What was measured, units in the names; ratios where a timing on a
            busy machine would say little.
        folder: Where to write.
        command: What gives it, where that is not `make bench`.

    Returns:
        The file written.
    """
    result = {
        "name": name,
        "command": command or f"make bench ARGS={name}",
        "commit": commit(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "figures": dict(figures),
    }
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(text)
    print(text, end="")
    return path


def commit() -> str:
    """The commit checked out, marked where code differs from it; "unknown" without git."""
    described = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def machine() -> dict[str, Figure]:
    """The hardware and software that a timing depends on, and how busy it was."""
    hardware = probe()
    return {
        "cpu_model": hardware.cpu_model,
        "cores": hardware.cores,
        "memory_bytes": hardware.memory_bytes,
        "devices": [device.name for device in hardware.devices],
        "system": platform.platform(terse=True),
        "python": sys.version.split()[0],
        "load_average": round(os.getloadavg()[0], 2),
    }

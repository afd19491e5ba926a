"""
A million inputs at every door through which a stranger's bytes come in.

Promise: each door gives a value or its one typed error. Fuzzed with atheris
(libFuzzer: coverage of our code guides it), as many at once as there are cores; the
bytes and how they become inputs are in `benchmarks/fuzz/`. An input that breaks a
door is kept in a folder that the error names.

Needs atheris, which has wheels for Linux on x86-64: `pip install atheris`.
`python -m benchmarks.bench_fuzz 50000` throws fewer, without writing figures.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.fuzz.doors import DOORS
from benchmarks.result import Figure, write_result

INPUTS = 1_000_000
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+) corp: (\d+)")


class DoorBroken(Exception):  # noqa: N818
    """A door raised something else than its own error, or hung."""


def main(inputs: int) -> None:
    """Fuzz all doors; write the figures of a full run."""
    if importlib.util.find_spec("atheris") is None:
        raise SystemExit("atheris is needed: pip install atheris (Linux on x86-64)")
    figures: dict[str, Figure] = {"inputs_per_door": inputs, "broken_doors": 0}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        under_way = {door.name: pool.submit(fuzz, door.name, inputs) for door in DOORS}
        for name, outcome in under_way.items():
            figures[name] = outcome.result()
            print(name, figures[name], file=sys.stderr, flush=True)
    if inputs >= INPUTS:
        write_result("fuzz", figures)


def fuzz(name: str, inputs: int) -> dict[str, Figure]:
    """
    Throw `inputs` inputs at one door.

    Returns:
        How many there were and were accepted, edges and features covered, and
        the slowest of them.

    Raises:
        DoorBroken: Says what came out instead, and where the input is.
    """
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    command = [sys.executable, "-m", "benchmarks.fuzz.one_door", name, str(inputs), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not done.stdout:
        words = done.stdout[-2000:] + done.stderr[-2000:]
        raise DoorBroken(f"{name}; the input is in {folder}:\n{words}")
    said: dict[str, Figure] = json.loads(done.stdout)
    edges, features, corpus = _COVERAGE.findall(done.stderr)[-1]
    covered: dict[str, Figure] = {
        "edges": int(edges),
        "features": int(features),
        "corpus": int(corpus),
    }
    return said | covered


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else INPUTS)

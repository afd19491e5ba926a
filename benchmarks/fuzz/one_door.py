"""
Throw inputs at one door, guided by the coverage they reach.

Run as ``python -m benchmarks.fuzz.one_door NAME INPUTS FOLDER``; needs atheris.
Prints one line of JSON once all inputs are through; anything a door raises
beside its own error ends the process, and libFuzzer leaves the input in FOLDER.

Source: https://github.com/google/atheris
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, cast

_MAX_INPUT_BYTES = 2048
_MAX_SECONDS_PER_INPUT = 10


class Atheris(Protocol):
    """What is used of atheris, which has no types."""

    def instrument_imports(self, include: Sequence[str]) -> AbstractContextManager[None]: ...

    def Setup(  # noqa: N802
        self, arguments: list[str], take: Callable[[bytes], None]
    ) -> list[str]: ...

    def Fuzz(self) -> None: ...  # noqa: N802


def main(name: str, inputs: int, folder: Path) -> None:
    """Fuzz the door `name`; ends the process."""
    atheris = cast(Atheris, importlib.import_module("atheris"))
    ours = ["swarm", "gossip.sync_messages", "gossip.ranges", "experiments.proposers.llm_answer"]
    with atheris.instrument_imports(include=ours):
        doors = importlib.import_module("benchmarks.fuzz.doors")
    door = doors.door(name)
    began = time.monotonic()
    count = accepted = 0
    slowest = 0.0

    def take(data: bytes) -> None:
        nonlocal count, accepted, slowest
        data = door.input(data)
        started = time.perf_counter()
        accepted += door.accepts(data)
        slowest = max(slowest, time.perf_counter() - started)
        count += 1
        if count == inputs:
            figures = {"inputs": count, "accepted": accepted, "slowest_milliseconds": slowest * 1e3}
            seconds = time.monotonic() - began
            print(json.dumps(figures | {"seconds": seconds}), flush=True)
            sys.stderr.flush()
            os._exit(0)

    for number, example in enumerate(door.examples):
        (folder / f"example-{number}").write_bytes(b"\x00" + example)
        (folder / f"edited-{number}").write_bytes(bytes((1, number)) + bytes(range(40)))
    options = (
        f"-max_len={_MAX_INPUT_BYTES}",
        f"-timeout={_MAX_SECONDS_PER_INPUT}",
        f"-artifact_prefix={folder}/",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    )
    atheris.Setup([sys.argv[0], *options, str(folder)], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))

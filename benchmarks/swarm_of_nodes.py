"""
Nodes as processes that do what a benchmark tells them: started, asked, frozen and killed.

Each is a `benchmarks.commanded_node` in a home of its own; what it holds is read from
its journal, so a node that is frozen or dead can be asked as well.
"""

from __future__ import annotations

import base64
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from benchmarks.many_records import many_records
from experiments.task_folder import load_task
from gossip.home import open_home
from gossip.journal import Journal
from tests.processes import LISTEN, TOY

ANSWER_SECONDS = 120.0
NICE = ("nice", "-n", "15")


class Commanded:
    """
    One node, which may or may not run now.

    Args:
        prefix: Put before its command, as ``ip netns exec NAME`` is.
        arguments: Of `benchmarks.commanded_node`.

    Attributes:
        ahead_seconds: How far its clock is ahead, from its next start on.
    """

    def __init__(
        self,
        root: Path,
        *,
        prefix: Sequence[str] = NICE,
        listen: str = LISTEN,
        arguments: Sequence[str] = (),
    ) -> None:
        self.home = open_home(root)
        self.addrs: list[str] = []
        self.ahead_seconds = 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self._prefix, self._listen, self._arguments = prefix, listen, arguments
        self._errors = root / "errors.txt"
        self._line = bytearray()

    def start(self, join: Sequence[str] = ()) -> Commanded:
        """Start it; `ready` waits until it listens."""
        command = [*self._prefix, sys.executable, "-m", "benchmarks.commanded_node"]
        command += [str(self.home.root), "--listen", self._listen, *self._arguments]
        command += ["--ahead-seconds", str(self.ahead_seconds)]
        command += [part for addr in join for part in ("--join", addr)]
        self._line.clear()
        with self._errors.open("ab") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
            )
        return self

    def ready(self) -> Commanded:
        """Wait until it listens."""
        self.addrs = list(self.answer()["addrs"])
        return self

    def ask(self, name: str, **arguments: object) -> None:
        """Give a command; its answer is read with `answer`."""
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name, **arguments}).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, within_s: float = ANSWER_SECONDS) -> dict[str, Any]:
        """The answer to the command that has waited longest for one."""
        assert self.process is not None and self.process.stdout is not None
        output, deadline = self.process.stdout.fileno(), time.monotonic() + within_s
        while (end := self._line.find(b"\n")) < 0:
            ready, _, _ = select.select([output], [], [], max(0.0, deadline - time.monotonic()))
            piece = os.read(output, 65536) if ready else b""
            assert piece, f"{self.home.root} does not answer: {self.tell()}"
            self._line += piece
        answer = json.loads(self._line[:end])
        del self._line[: end + 1]
        return cast("dict[str, Any]", answer)

    def do(self, name: str, **arguments: object) -> dict[str, Any]:
        """Give a command and wait for its answer."""
        self.ask(name, **arguments)
        return self.answer()

    def publish(self, envelopes: Iterable[bytes], interval_s: float = 0.0) -> None:
        """Have it publish ready-made records; its answer says that all are durable there."""
        encoded = [base64.b64encode(each).decode() for each in envelopes]
        self.ask("publish", envelopes=encoded, interval_s=interval_s)

    def again(self, envelopes: Iterable[bytes]) -> None:
        """Have it gossip records that all have."""
        self.do("again", envelopes=[base64.b64encode(each).decode() for each in envelopes])

    def ids(self) -> frozenset[str]:
        """The records in its journal, whether it runs or not."""
        paths = list(self.home.journals.glob("*.sqlite"))
        if not paths:
            return frozenset()
        with Journal.open(paths[0], read_only=True) as journal:
            return frozenset(row[0] for row in journal.listed())

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.process is not None and self.process.poll() is None

    def send(self, sign: signal.Signals) -> None:
        """Send it a signal: STOP freezes it, CONT thaws it."""
        assert self.process is not None
        self.process.send_signal(sign)

    def kill(self) -> None:
        """End it with no chance to tidy up."""
        if self.process is not None:
            self.process.kill()
            self._ended(30)

    def stop(self) -> int:
        """End it in good order; returns its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self._ended(60)

    def tell(self) -> str:
        """The last of what it said as it failed."""
        return self._errors.read_text()[-4000:]

    def complaints(self) -> list[str]:
        """Everything in its logs that no healthy node says."""
        logs = [*self.home.root.glob("node.log*"), self._errors]
        lines = [line for path in logs for line in path.read_text(errors="replace").splitlines()]
        return [
            line
            for line in lines
            if any(sign in line for sign in UNHEALTHY)
            and (OF_A_PEER not in line or "Traceback" in line)
        ]

    def _ended(self, within_s: float) -> int:
        assert self.process is not None
        status = self.process.wait(within_s)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return status


UNHEALTHY = ("Traceback", '"level": "error"', '"level": "critical"', "the network broke")
OF_A_PEER = '"logger": "libp2p'
"""The library says, as an error, that a peer that was killed does not answer."""


@contextmanager
def ended(nodes: Sequence[Commanded]) -> Generator[Sequence[Commanded]]:
    """Whatever runs of these nodes is killed when the block ends."""
    try:
        yield nodes
    finally:
        for node in nodes:
            if node.runs:
                node.kill()


class Records:
    """Signed records of many authors, oldest first, each given out once."""

    def __init__(self, count: int) -> None:
        now_ms = time.time_ns() // 1_000_000
        self._rows = many_records(load_task(TOY).task, count, now_ms)

    def take(self, count: int) -> list[bytes]:
        """So many that nobody has seen."""
        return [next(self._rows).envelope for _ in range(count)]


def alike(nodes: Sequence[Commanded], expected: int, within_s: float) -> float:
    """
    Wait until all hold the same records, at least so many.

    Returns:
        Seconds that took.

    Raises:
        AssertionError: They do not, in time.
    """
    started = time.monotonic()
    while True:
        held = [node.ids() for node in nodes]
        seconds = time.monotonic() - started
        if len(set(held)) == 1 and len(held[0]) >= expected:
            return seconds
        assert seconds < within_s, f"{[len(ids) for ids in held]} of {expected} records"
        time.sleep(0.25)

"""Real nodes as real processes, each in a home of its own, on loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gossip.home import Home, open_home
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing

TOY = Path(__file__).parent / "toy_task"
LISTEN = "/ip4/127.0.0.1/tcp/0"


@dataclass
class NodeProcess:
    """A node: its home, and the process that runs it now, if any does."""

    root: Path
    settings: str = ""
    process: subprocess.Popen[bytes] | None = None
    output: Path = field(init=False)

    def __post_init__(self) -> None:
        self.home: Home = open_home(self.root)
        self.output = self.root / "output.txt"
        self.home.settings.write_text(self.settings)

    def start(self, *arguments: str, listen: str = LISTEN) -> NodeProcess:
        """Start the node and wait until it listens."""
        process = self.launch(*arguments, listen=listen)
        wait_until(
            lambda: self.status().get("pid") == process.pid and bool(self.addrs()), self.tell
        )
        return self

    def launch(
        self,
        *arguments: str,
        listen: str | None,
        within: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start the node, in a network namespace if one is named; None listens as by default."""
        command = ["ip", "netns", "exec", within] if within else []
        command += [sys.executable, "-m", "cli.main", "start", "--home", str(self.root)]
        command += ["--task", str(TOY), *arguments]
        command += ["--listen", listen] if listen else []
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
            )
        return self.process

    def status(self) -> dict[str, Any]:
        return cast("dict[str, Any]", self.home.read_status())

    def addrs(self) -> list[str]:
        return list(self.status().get("listen_addrs", []))

    def experiments(self) -> int:
        return int(self.status().get("experiments", 0))

    def journal(self) -> Path:
        return next(iter(self.home.journals.glob("*.sqlite")), self.home.journals / "none")

    def record_ids(self) -> set[str]:
        """Ids of all records in the journal."""
        try:
            with Journal.open(self.journal(), read_only=True) as journal:
                return {stored.id for _, stored in journal.replay()}
        except JournalMissing:
            return set()

    def board(self) -> dict[str, Any]:
        """What `swarm leaderboard --json` prints."""
        return json.loads(self.command("leaderboard", "--json", "--limit", "1000"))

    def command(self, *arguments: str) -> str:
        """Standard output of a command on this home."""
        command = [sys.executable, "-m", "cli.main", *arguments, "--home", str(self.root)]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode()

    def end(self, sign: signal.Signals = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal and wait for the exit status."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(timeout_s)

    def tell(self) -> str:
        return self.output.read_text()[-4000:]


@contextmanager
def nodes(folder: Path, count: int, settings: str = "") -> Generator[list[NodeProcess]]:
    """Homes for `count` nodes; whatever runs in them is ended."""
    made = [NodeProcess(folder / f"node{index}", settings) for index in range(count)]
    try:
        yield made
    finally:
        for node in made:
            if node.process is not None and node.process.poll() is None:
                os.kill(node.process.pid, signal.SIGKILL)
                node.process.wait()


def wait_until(
    condition: Callable[[], bool], tell: Callable[[], str] = str, timeout_s: float = 120.0
) -> None:
    """Wait for a condition; fail with what `tell` has to say."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, tell()
        time.sleep(0.1)

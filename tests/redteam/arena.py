"""Where cheats are run: the real supervisor and children, with a defence missing or not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments.orders import Broken, RunOrder, answer_from_line
from experiments.run import VALIDATION, Exam, Progress, RunResult
from experiments.stream import child_environment
from tests.experiments.tiny import FOLDER

ROOT = Path(__file__).parents[2]
SECRET_NAME = "OPENAI_API_KEY"


@dataclass(frozen=True)
class Setting:
    """What a cheat is up against, beside its code."""

    exams: tuple[Exam, ...] = (VALIDATION,)
    probe: float = 1.0
    eval_bytes: int = 2048
    cpu_seconds: float = 20.0
    wall_seconds: float = 40.0
    memory_bytes: int = 3 << 30
    sandbox: str = "landlock+seccomp"
    prepare: Path = FOLDER / "prepare.py"
    cache: str = "cache"


class Arena:
    """
    A warm forkserver for cheats, a context manager.

    Attributes:
        home: Folder whose `cache`, `identity.key` and `run-other` no run may reach.
        server_pid: Process id of the forkserver.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        (home / "identity.key").write_bytes(b"the key of this node")
        (home / "run-other").mkdir()
        (home / "run-other" / "weights").write_bytes(b"of another run")
        ours, theirs = socket.socketpair()
        self._orders = ours
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.redteam.server", str(theirs.fileno()), "0"],
                pass_fds=(theirs.fileno(),),
                env=child_environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
            )
        self.server_pid = self._server.pid
        assert ours.recv(64)

    def close(self) -> None:
        """End the forkserver and all below it."""
        self._orders.close()
        self._server.wait(20)

    def run(
        self, source: str, without: str = "", setting: Setting | None = None, seed: int = 0
    ) -> RunResult | None:
        """One run; None where its supervisor was killed."""
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            work, scratch = Path(folder, "work"), Path(folder, "scratch")
            work.mkdir()
            scratch.mkdir()
            (work / "train.py").write_text(source)
            return self._answer(self._order(work, scratch, setting or Setting(), seed), without)

    def _order(self, work: Path, scratch: Path, setting: Setting, seed: int) -> RunOrder:
        fields = {name: getattr(setting, name) for name in Setting.__dataclass_fields__}
        order = RunOrder(
            work=str(work),
            scratch=str(scratch),
            seed=seed,
            budget_tokens=4096,
            context=32,
            **fields,
        )
        cache = self.home / setting.cache
        return replace(order, prepare=str(setting.prepare), cache=str(cache))

    def _answer(self, order: RunOrder, without: str) -> RunResult | None:
        line = json.dumps({"order": asdict(order), "without": without}).encode() + b"\n"
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._orders, [line], [theirs.fileno()])
            with ours.makefile("rb") as answers:
                for said in answers:
                    answer = answer_from_line(said)
                    assert not isinstance(answer, Broken), answer
                    if not isinstance(answer, Progress):
                        return answer
        return None


def alive(pid: int) -> bool:
    """Whether a process is there and not only waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int) -> None:
    """Kill what a cheat left."""
    if alive(pid):
        os.kill(pid, 9)

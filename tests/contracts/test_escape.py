"""What every sandbox keeps in, however it is entered: by a fork or by starting a program."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from experiments.bounded_log import BoundedLog
from experiments.child import Cell, Child, Exited
from experiments.command_supervisor import executing
from experiments.confined import Main
from experiments.frames import RESULT, write_frame
from experiments.limits import Limits
from experiments.sandbox import (
    Confinement,
    Harness,
    NoSandbox,
    Sandbox,
    all_sandboxes,
    available_sandboxes,
    sandbox_named,
)
from experiments.sandbox.libraries import library_paths
from experiments.stream import child_environment
from tests.contracts import escape
from tests.contracts.escape import ATTEMPTS, World

HARNESSES: tuple[Harness, ...] = ("stream", "command")
WAYS = [(name, harness) for harness in HARNESSES for name in available_sandboxes(harness)]
ISOLATING = [(name, harness) for name, harness in WAYS if name != "none"]
FOLDER = Path(escape.__file__).parent


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A file, a process, servers and a secret that belong to the node."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "secret").write_text("held out")
    (tmp_path / "secret").chmod(0o644)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary").write_text("dear diary")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    abstract = f"swarm-test-{os.getpid()}"
    sleeping = subprocess.Popen(["sleep", "120"])
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        port = tcp.getsockname()[1]
        unix.bind("\0" + abstract)
        unix.listen()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", port))
            yield World(str(tmp_path), sleeping.pid, port, abstract)
            udp.setblocking(False)
            with pytest.raises(BlockingIOError):
                udp.recv(100)
    assert sleeping.poll() is None, "it killed another process"
    sleeping.kill()
    sleeping.wait()
    assert not Path("/dev/shm", abstract).exists()
    assert (tmp_path / "secret").read_text() == "held out"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o644
    assert {path.name for path in tmp_path.iterdir()} == {"secret", "scratch", "home"}


def inside(sandbox: Sandbox, harness: Harness, name: str, world: World) -> str:
    """What an attempt comes to in a sandbox."""
    if harness == "command":
        return run(sandbox, ["python", str(FOLDER / "escape.py"), name, packed(world)], world)
    answers: list[bytes] = []

    def main(inlet: int, outlet: int) -> None:
        write_frame(outlet, RESULT, escape.outcome(name, world).encode())

    confinement = Confinement(library_paths(), (world.scratch,))
    with running(main, sandbox, confinement, world.scratch) as child:
        answers.append(next(child.exchange()).payload)
    return answers[0].decode()


def packed(world: World) -> str:
    return json.dumps(asdict(world))


class running:  # noqa: N801
    """A child in its cell, ended on leaving."""

    def __init__(
        self, main: Main, sandbox: Sandbox, confinement: Confinement, scratch: Path
    ) -> None:
        self._ends = socket.socketpair()
        self.log = BoundedLog()
        limits = Limits(cpu_seconds=20, wall_seconds=30)
        cell = Cell(sandbox, confinement, limits, scratch, self._ends[0].fileno())
        self._child = Child(main, cell, self.log)

    def __enter__(self) -> Child:
        return self._child

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        for end in self._ends:
            end.close()


def run(sandbox: Sandbox, command: list[str], world: World) -> str:
    """What a wrapped command prints, run as the command harness does."""
    wrapped = sandbox.wrap(command, Confinement((FOLDER,), (world.scratch,)))
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.defpath))
    environment = child_environment() | {"PATH": programs}

    def main(inlet: int, outlet: int) -> None:
        os.environ.clear()
        os.environ.update(environment)
        executing(tuple(wrapped))(inlet, outlet)

    place = running(main, NoSandbox(), Confinement(()), world.scratch)
    with place as child, pytest.raises(Exited):
        for _ in child.exchange():
            raise AssertionError("it wrote to the harness's pipe")
    return place.log.text().strip()


@pytest.mark.parametrize(("name", "harness"), ISOLATING)
@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_does_not_get_out(
    name: str, harness: Harness, attempt: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(world.environment, raising=False)
    if harness == "command":
        monkeypatch.setenv(world.environment, "secret")
    said = inside(sandbox_named(name), harness, attempt, world)
    assert said.endswith("Error"), f"it could {attempt}: {said}"


def test_without_a_sandbox_the_same_attempts_succeed(world: World) -> None:
    """So the contract above can fail."""
    for attempt in ("read a file outside", "read through a link", "read the home"):
        for harness in HARNESSES:
            assert not inside(NoSandbox(), harness, attempt, world).endswith("Error")
    assert inside(NoSandbox(), "command", "connect to a server of this machine", world) == "None"
    assert inside(NoSandbox(), "command", "connect to an abstract socket", world) == "None"


@pytest.mark.parametrize(("name", "harness"), [way for way in ISOLATING if way[1] == "command"])
def test_a_command_works_in_its_folder(name: str, harness: Harness, world: World) -> None:
    """It starts programs, reads and writes its folder, and sees its descriptors only."""
    step = "echo 4 > a; python -c 'print(int(open(\"a\").read()) + 1)'; touch $TMPDIR/x; pwd"
    said = run(sandbox_named(name), ["/bin/sh", "-c", step], world)
    assert said == f"5\n{world.scratch}"


@pytest.mark.parametrize(("name", "harness"), [way for way in ISOLATING if way[1] == "command"])
def test_what_a_command_leaves_behind_ends(name: str, harness: Harness, world: World) -> None:
    mark = f"{300 + time.time_ns() % 10**6 / 10**6}"
    run(sandbox_named(name), ["/bin/sh", "-c", f"setsid sleep {mark} & exit 0"], world)
    gone_by = time.monotonic() + 10
    while any(mark in (p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])):
        assert time.monotonic() < gone_by
        time.sleep(0.05)


@pytest.mark.parametrize("sandbox", all_sandboxes(), ids=lambda sandbox: sandbox.name)
def test_says_what_it_holds_or_why_it_is_missing(sandbox: Sandbox) -> None:
    """Names fit in a record; a sandbox that isolates says of what."""
    assert len(sandbox.name) <= 32
    assert sandbox.serves
    assert sandbox.isolates == bool({"network", "files", "processes"} <= sandbox.holds.keys())
    reason = sandbox.missing()
    assert reason is None or (len(reason) > 10 and "\n" not in reason)

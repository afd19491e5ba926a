"""
Training code that reaches for what it must not have: text, keys, the network, other processes.

Each case names the defence that stops it and what the user then reads, and
succeeds, printing GOT, where that one defence is missing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from experiments.run import RunResult, RunStatus
from tests.experiments.tiny import training
from tests.redteam.arena import SECRET_NAME, Arena, alive, end

DENIED = "PermissionError: [Errno 13] Permission denied"
REFUSED = "PermissionError: [Errno 1] Operation not permitted"


@dataclass(frozen=True)
class Cheat:
    """
    Attributes:
        defence: Stops it; a name in `weakening.WEAKENINGS`.
        message: What the user reads of it.
        lines: What `train` does; {home}, {port}, {server} and {node} are filled in.
    """

    defence: str
    message: str
    lines: tuple[str, ...]


def reading(path: str, defence: str = "Landlock") -> Cheat:
    """Opens a file and shows that it could."""
    return Cheat(defence, DENIED, (f"print('GOT', open({path}, 'rb').read(9))",))


CHEATS: dict[str, Cheat] = {
    "reads the validation text": reading("'{home}/cache/val.bin'"),
    "reads the holdout text": reading("'{home}/cache/holdout.bin'"),
    "reads the reserve text": reading("'{home}/cache/reserve.bin'"),
    "reads the package that held-out text is cut from": reading(
        "torch.__path__[0] + '/../sympy/__init__.py'"
    ),
    "reads the node's identity key": reading("'{home}/identity.key'"),
    "reads another run's scratch folder": reading("'{home}/run-other/weights'"),
    "reads the node's environment": reading("'/proc/{node}/environ'"),
    "reads secrets in its environment": Cheat(
        "clean environment",
        f"KeyError: '{SECRET_NAME}'",
        ("import os", f"print('GOT', os.environ['{SECRET_NAME}'])"),
    ),
    "writes outside its scratch folder": Cheat(
        "Landlock", DENIED, ("open('{home}/planted', 'w').write('x')", "print('GOT')")
    ),
    "reads through a link out of scratch": Cheat(
        "sandbox",
        REFUSED,
        ("import os", "os.symlink('{home}/identity.key', 'k')", "print('GOT', open('k').read())"),
    ),
    "leaves a note in shared memory": Cheat(
        "Landlock",
        DENIED,
        (
            "import os",
            "name = '/dev/shm/cheat-' + str(os.getpid())",
            "open(name, 'w').write('x')",
            "os.unlink(name)",
            "print('GOT')",
        ),
    ),
    "makes a memory file to pass on": Cheat(
        "seccomp", REFUSED, ("import os", "print('GOT', os.memfd_create('x'))")
    ),
    "sends over the network": Cheat(
        "sandbox",
        REFUSED,
        (
            "import socket",
            "socket.create_connection(('127.0.0.1', {port}))",
            "print('GOT')",
        ),
    ),
    "asks a name server": Cheat(
        "seccomp",
        REFUSED,
        (
            "import socket",
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            "print('GOT', s.sendto(b'who is', ('127.0.0.1', {port})))",
        ),
    ),
    "talks through an abstract socket": Cheat(
        "sandbox",
        REFUSED,
        (
            "import socket",
            "s = socket.socket(socket.AF_UNIX)",
            "s.connect(chr(0) + 'cheat-{port}')",
            "print('GOT')",
        ),
    ),
    "forks without end": Cheat(
        "seccomp",
        REFUSED,
        (
            "import os, time",
            "for _ in range(40):",
            "    if os.fork() == 0:",
            "        time.sleep(60)",
            "print('GOT')",
        ),
    ),
    "starts a program": Cheat(
        "sandbox",
        REFUSED,
        ("import subprocess", "print('GOT', subprocess.check_output(['/bin/echo', 'x']))"),
    ),
    "traces its parent": Cheat(
        "sandbox",
        DENIED,
        ("import os", "os.open(f'/proc/{{os.getppid()}}/mem', os.O_RDWR)", "print('GOT')"),
    ),
    "signals the forkserver": Cheat(
        "sandbox",
        REFUSED,
        ("import os, signal", "os.kill({server}, signal.SIGCONT)", "print('GOT')"),
    ),
}


@contextmanager
def listening() -> Generator[int]:
    """The port of a server on the loopback, with its like in the abstract name space."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as local:
        port: int = tcp.getsockname()[1]
        local.bind(f"\0cheat-{port}")
        local.listen()
        yield port


def attempt(arena: Arena, cheat: Cheat, without: str) -> RunResult:
    """Run the cheat in a cache that holds the corpus."""
    with listening() as port:
        facts = {"home": arena.home, "port": port, "server": arena.server_pid, "node": os.getpid()}
        source = training(*(line.format(**facts) for line in cheat.lines))
        result = arena.run(source, without)
    assert result is not None
    return result


def succeeded(result: RunResult) -> bool:
    """Whether it came so far as to print GOT."""
    return any(line.startswith("GOT") for line in result.log_tail.splitlines())


@pytest.fixture(scope="module", autouse=True)
def _corpus(arena: Arena) -> None:  # pyright: ignore[reportUnusedFunction]
    """A run that fails for an honest reason, after which the corpus is in the cache."""
    result = arena.run(training("raise ValueError('a bug of its own')"))
    assert result is not None
    assert "a bug of its own" in result.log_tail


@pytest.mark.parametrize("name", CHEATS)
def test_is_refused_and_the_user_reads_why(arena: Arena, name: str) -> None:
    result = attempt(arena, CHEATS[name], "")
    assert result.status is RunStatus.CRASHED
    assert not succeeded(result)
    assert CHEATS[name].message in result.log_tail.splitlines()[-1], result.log_tail


@pytest.mark.parametrize("name", CHEATS)
def test_would_succeed_without_that_defence(arena: Arena, name: str) -> None:
    result = attempt(arena, CHEATS[name], CHEATS[name].defence)
    assert succeeded(result), result.log_tail


def test_kills_its_parent(arena: Arena) -> None:
    """Stopped by the sandbox; without it the supervisor dies and the run is lost."""
    source = training("import os", "os.kill(os.getppid(), 9)")
    result = arena.run(source)
    assert result is not None
    assert REFUSED in result.log_tail
    assert arena.run(source, "sandbox") is None


DAEMON = (
    "import os, time",
    "if os.fork() == 0:",
    "    os.setsid()",
    "    if os.fork() == 0:",
    "        open({path!r}, 'w').write(str(os.getpid()))",
    "        time.sleep(600)",
    "    os._exit(0)",
    "while not os.path.exists({path!r}) or not open({path!r}).read(): time.sleep(0.01)",
)


def test_outlives_its_run(arena: Arena) -> None:
    """A daemon that could start for want of a sandbox is ended by the clearing up, or lives on."""
    for without, lives in (("sandbox", False), ("sandbox, clearing up", True)):
        noted = arena.home / f"daemon {without}"
        source = training(*(line.format(path=str(noted)) for line in DAEMON))
        result = arena.run(source, without)
        assert result is not None
        assert result.status is RunStatus.COMPLETED, result.log_tail
        pid = int(noted.read_text())
        assert alive(pid) == lives
        end(pid)
    refused = arena.run(source)
    assert refused is not None
    assert REFUSED in refused.log_tail

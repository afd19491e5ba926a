"""
Attempts to get out, for a process that is inside a sandbox.

Stands alone on the standard library, so that it also runs where nothing else of
ours can be seen: ``python escape.py NAME WORLD`` prints what the attempt gave,
or the type of error it met.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class World:
    """
    What lies outside, by the names it has there.

    Attributes:
        outside: A folder with a file `secret`, and in it the folder `scratch`.
        victim: Process id of a process that only sleeps.
        port: A TCP and a UDP port of this machine, both listening.
        abstract: Name of an abstract socket, listening.
        environment: A variable of the node's that is a secret.
    """

    outside: str
    victim: int
    port: int
    abstract: str
    environment: str = "SWARM_TEST_SECRET"

    @property
    def secret(self) -> Path:
        """A file it must neither read nor change."""
        return Path(self.outside, "secret")

    @property
    def scratch(self) -> Path:
        """Its own folder."""
        return Path(self.outside, "scratch")


def _through_link(world: World) -> str:
    link = world.scratch / "link"
    link.symlink_to(world.secret)
    try:
        return link.read_text()
    finally:
        link.unlink()


def _connect(world: World) -> None:
    socket.create_connection(("127.0.0.1", world.port), 2).close()


def _send_datagram(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.connect(("127.0.0.1", world.port))
        sending.send(b"secret")
        sending.send(b"secret")


def _ask_name_server(world: World) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.sendto(b"secret", ("9.9.9.9", 53))


def _connect_abstract(world: World) -> None:
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect("\0" + world.abstract)


def _trace(world: World) -> None:
    if ctypes.CDLL(None, use_errno=True).ptrace(16, world.victim, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "refused")


def _write_outside(world: World) -> None:
    """A file there must not appear outside; the caller looks."""
    Path(world.outside, "new").write_text("x")
    raise OSError("wrote to a place of its own")


def _shared_memory(world: World) -> None:
    """A name there must not appear outside; the caller looks."""
    Path("/dev/shm", world.abstract).write_text("secret")
    raise OSError("wrote to its own shared memory")


ATTEMPTS: dict[str, Callable[[World], object]] = {
    "read a file outside": lambda world: world.secret.read_text(),
    "read through a link": _through_link,
    "read the home": lambda world: Path("~/diary").expanduser().read_text(),
    "write outside": _write_outside,
    "write to the system": lambda world: Path("/usr/new").write_text("x"),
    "truncate a file outside": lambda world: os.truncate(world.secret, 0),
    "remove a file outside": lambda world: world.secret.unlink(),
    "rename a file outside": lambda world: world.secret.rename(world.scratch / "secret"),
    "change a file's mode outside": lambda world: world.secret.chmod(0o777),
    "read another process's environment": lambda world: Path(
        f"/proc/{world.victim}/environ"
    ).read_bytes(),
    "read a secret of the node's environment": lambda world: os.environ[world.environment],
    "kill another process": lambda world: os.kill(world.victim, signal.SIGKILL),
    "trace another process": _trace,
    "connect to a server of this machine": _connect,
    "send a datagram": _send_datagram,
    "ask a name server": _ask_name_server,
    "connect to an abstract socket": _connect_abstract,
    "share memory": _shared_memory,
    "become another user": lambda world: os.setuid(12345),
    "mount a file system": lambda world: _mount(),
}


def _mount() -> None:
    if ctypes.CDLL(None, use_errno=True).mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), "refused")


def outcome(name: str, world: World) -> str:
    """What an attempt gave, or the type of error it met."""
    try:
        return repr(ATTEMPTS[name](world))
    except (OSError, KeyError, ValueError) as error:
        return type(error).__name__


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        print(outcome(sys.argv[1], World(**json.loads(sys.argv[2]))), flush=True)

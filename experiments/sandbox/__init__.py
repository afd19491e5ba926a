"""
Walls around code a stranger wrote.

There are two ways to be confined, and a sandbox offers one or both. What starts
anew is *wrapped*: its command line becomes one that starts it inside. What was
forked *enters*, on itself, before its first untrusted line, and cannot leave
again: only so can it keep the torch that its parent has loaded.

What a process may use of processor, memory and files is bounded separately and
everywhere, in `experiments.limits`; what `holds` says of a sandbox comes on top.

`tests/contracts/test_sandbox.py` is what every implementation must pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from experiments.sandbox.bubblewrap import BubblewrapSandbox
from experiments.sandbox.container import ContainerSandbox
from experiments.sandbox.landlock import LandlockSandbox
from experiments.sandbox.layered import LayeredSandbox
from experiments.sandbox.none import NoSandbox
from experiments.sandbox.seatbelt import SeatbeltSandbox

__all__ = [
    "Confinement",
    "Harness",
    "Sandbox",
    "SandboxError",
    "all_sandboxes",
    "available_sandboxes",
    "best_sandbox",
    "sandbox_named",
]

Harness = Literal["stream", "command"]
"""How a task runs: by forking a process that has torch loaded, or by shell commands."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """
    What a confined process may still reach in the file system.

    Attributes:
        readable: Files and folders (with all below them) it may read.
        writable: Folders it may also create, write and remove files in. What is
            wrapped starts in the first of them.
        devices: Device files it may open and control. Where there are any, it may also
            make the system calls that their driver needs.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()


class SandboxError(Exception):
    """This system cannot give the isolation that was asked for."""


class Sandbox(Protocol):
    """
    One way to confine a process.

    Attributes:
        name: What records say about a run in it, e.g. ``landlock+seccomp``.
        isolates: Whether strangers' code may run in it.
        serves: The harnesses it can confine the tree's code of.
        holds: By subject (network, files, …) what it keeps out, in words.
    """

    @property
    def name(self) -> str: ...

    @property
    def isolates(self) -> bool: ...

    @property
    def serves(self) -> frozenset[Harness]: ...

    @property
    def holds(self) -> Mapping[str, str]: ...

    def missing(self) -> str | None:
        """Why this system cannot provide it, in one sentence; None where it can."""
        ...

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """
        The command line that runs `command` inside.

        Beside the confinement it sees the system's programs and Python. Where it
        is for commands, descriptor 3 is a pipe that ends with the harness.
        """
        ...

    def enter(self, confinement: Confinement) -> None:
        """
        Confine the calling process, which must have a single thread, for good.

        Raises:
            OSError: The system refused; the caller must not run untrusted code.
        """
        ...


_ALL: tuple[Sandbox, ...] = (
    LayeredSandbox(),
    LandlockSandbox(),
    SeatbeltSandbox(),
    BubblewrapSandbox(),
    ContainerSandbox(),
    NoSandbox(),
)


def all_sandboxes() -> tuple[Sandbox, ...]:
    """Every sandbox there is, the strongest of each harness first, `none` last."""
    return _ALL


def available_sandboxes(harness: Harness = "stream") -> Mapping[str, Sandbox]:
    """The sandboxes this system provides for a harness by name, the strongest first."""
    serving = (sandbox for sandbox in _ALL if harness in sandbox.serves)
    return {sandbox.name: sandbox for sandbox in serving if sandbox.missing() is None}


def sandbox_named(name: str) -> Sandbox:
    """
    The sandbox of this name, whether or not this system provides it.

    Raises:
        KeyError: There is none.
    """
    return {sandbox.name: sandbox for sandbox in _ALL}[name]


def best_sandbox(harness: Harness = "stream") -> Sandbox:
    """The strongest sandbox of this system for a harness; `none` is always there."""
    return next(iter(available_sandboxes(harness).values()))

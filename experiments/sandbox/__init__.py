"""
Walls around code a stranger wrote.

A sandbox is entered by a forked child, on itself, before its first untrusted
line, and cannot be left again. What a child may use of processor, memory and
files is bounded separately and everywhere, in `experiments.limits`.

`tests/contracts/test_sandbox.py` is what every implementation must pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from experiments.sandbox.landlock import LandlockSandbox
from experiments.sandbox.none import NoSandbox

__all__ = ["Confinement", "Sandbox", "SandboxError", "available_sandboxes", "best_sandbox"]


@dataclass(frozen=True, slots=True)
class Confinement:
    """
    What a confined process may still reach in the file system.

    Attributes:
        readable: Files and folders (with all below them) it may read.
        writable: Folders it may also create, write and remove files in.
    """

    readable: tuple[Path, ...]
    writable: tuple[Path, ...] = ()


class SandboxError(Exception):
    """This system cannot give the isolation that was asked for."""


class Sandbox(Protocol):
    """
    One way to confine the calling process.

    Attributes:
        name: What records say about a run in it, e.g. ``landlock+seccomp``.
        isolates: Whether strangers' code may run in it.
    """

    @property
    def name(self) -> str: ...

    @property
    def isolates(self) -> bool: ...

    def missing(self) -> str | None:
        """Why this system cannot provide it, in one sentence; None where it can."""
        ...

    def enter(self, confinement: Confinement) -> None:
        """
        Confine the calling process, which must have a single thread, for good.

        Raises:
            OSError: The system refused; the caller must not run untrusted code.
        """
        ...


_ALL: tuple[Sandbox, ...] = (LandlockSandbox(), NoSandbox())


def available_sandboxes() -> Mapping[str, Sandbox]:
    """The sandboxes this system provides by name, the strongest first."""
    return {sandbox.name: sandbox for sandbox in _ALL if sandbox.missing() is None}


def best_sandbox() -> Sandbox:
    """The strongest sandbox of this system; `none` is always there."""
    return next(iter(available_sandboxes().values()))

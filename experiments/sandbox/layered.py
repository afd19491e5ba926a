"""
Bubblewrap around the forkserver, Landlock and seccomp around each of its children.

Namespaces need a fresh program, and a fresh program has no torch. So the trusted
forkserver is started inside bubblewrap once per node, with the corpus and the
runs' folders, and each child it forks gives up all but its own scratch folder.
A child that breaks out of the second wall is in a place without network, without
the node's home and without a process to harm but those of other runs.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from experiments.sandbox import bubblewrap
from experiments.sandbox.landlock import LandlockSandbox

if TYPE_CHECKING:
    from experiments.sandbox import Confinement, Harness


class LayeredSandbox:
    """The strongest: two walls of different kinds."""

    name = "bubblewrap+landlock+seccomp"
    isolates = True
    serves: frozenset[Harness] = frozenset({"stream"})
    holds = MappingProxyType(
        dict(LandlockSandbox.holds)
        | {
            "network": "none: no sockets, and a network namespace with nothing in it",
            "files": "Python, torch and its own scratch folder; your home is not there at all",
            "processes": "starts none, signals none; sees only those of runs",
        }
    )

    def __init__(self) -> None:
        self._inner = LandlockSandbox()

    def missing(self) -> str | None:
        """Why not here: one of the two walls is missing."""
        return bubblewrap.missing() or self._inner.missing()

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """
        The outer wall.

        It does not end with its parent as bubblewrap can: the kernel means the
        *thread* that started it, and the node's threads come and go. The
        forkserver ends with the node's end of its socket instead.
        """
        return bubblewrap.bwrap([], command, confinement)

    def enter(self, confinement: Confinement) -> None:
        """The inner wall."""
        self._inner.enter(confinement)

"""
No walls at all: for systems that offer none.

Only trees whose every line the task's author wrote, with other numbers in the
settings block, may run here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.sandbox import Confinement, Harness


class NoSandbox:
    """Lets the process do whatever its user may."""

    name = "none"
    isolates = False
    serves: frozenset[Harness] = frozenset({"stream", "command"})
    holds: MappingProxyType[str, str] = MappingProxyType({})

    def missing(self) -> None:
        """Nothing is needed for it."""

    def wrap(self, command: list[str], confinement: Confinement) -> list[str]:
        """The command as it is."""
        return command

    def enter(self, confinement: Confinement) -> None:
        """Confine nothing."""

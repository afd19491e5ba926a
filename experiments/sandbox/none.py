"""
No walls at all: for systems without Landlock.

Only trees whose every line the task's author wrote, with other numbers in the
settings block, may run here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from experiments.sandbox import Confinement


class NoSandbox:
    """Lets the process do whatever its user may."""

    name = "none"
    isolates = False

    def missing(self) -> None:
        """Nothing is needed for it."""

    def enter(self, confinement: Confinement) -> None:
        """Confine nothing."""

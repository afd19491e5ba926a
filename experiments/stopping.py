"""
Which experiments may be stopped early, and what that has cost and saved so far.

Law: one experiment in ten that could be stopped is not, whatever its losses, and is
counted if it would have been. What it then turns out to be is the regret of the rule,
and is told with the experiment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import Literal, TypeAlias, cast

from experiments.outside import Swarm
from swarm.canonical import CanonicalError, pack, unpack
from swarm.stopping import FINISH_ANYWAY, can_be_compared
from swarm.task import Task
from swarm.tree import Tree

Stop: TypeAlias = Literal["never", "stop", "watch"]
"""A run is never stopped; or once it is behind; or not, but it is noted that it was behind."""

_REMEMBERED = "stopping"
_MAX_BYTES = 1024


@dataclass(slots=True)
class Account:
    """
    What came of stopping, in all lives of a node.

    Attributes:
        stopped: Experiments that ended early.
        behind: Experiments that were behind, and finished to test the rule.
        regretted: Of those, how many were wins after all.
    """

    stopped: int = 0
    behind: int = 0
    regretted: int = 0


class Stopping:
    """
    Draws which experiments may be stopped, and keeps the account.

    Args:
        enabled: Whether any may be.
        uniform: A number in [0, 1), new at each call.
    """

    def __init__(
        self, task: Task, swarm: Swarm, *, enabled: bool, uniform: Callable[[], float]
    ) -> None:
        self._task = task
        self._swarm = swarm
        self._enabled = enabled
        self._uniform = uniform
        self.account = _from_bytes(swarm.remembered(_REMEMBERED))

    def of(self, base: Tree, candidate: Tree) -> Stop:
        """What is to be done with the runs of an experiment."""
        if not self._enabled or not can_be_compared(base, candidate, self._task):
            return "never"
        return "watch" if self._uniform() < FINISH_ANYWAY else "stop"

    async def note(self, stop: Stop, outcome: str, *, behind: bool) -> str:
        """
        Count an experiment in which a run was behind.

        Returns:
            What to say of it beside its outcome; empty where there is nothing to say.
        """
        if not behind or stop == "never":
            return ""
        account = self.account
        if stop == "stop":
            account.stopped += 1
        else:
            account.behind += 1
            account.regretted += outcome == "win"
        await self._swarm.remember(_REMEMBERED, pack(list(astuple(account))))
        if stop == "stop":
            return ""
        return (
            "it was far behind early on and finished to test that rule: "
            f"{account.regretted} of {account.behind} such were wins"
        )


def _from_bytes(data: bytes | None) -> Account:
    try:
        row = unpack(data, max_bytes=_MAX_BYTES) if data else ()
        return Account(*cast("tuple[int, ...]", row))
    except (CanonicalError, TypeError):
        return Account()

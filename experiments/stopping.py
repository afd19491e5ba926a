"""
Which experiments may be stopped early, and what that has cost and saved so far.

A run is held against its base's on the same seed, and against the best run that this node or
a friend has made, on whatever base and seed that was: with many nodes, what is built on is
often far behind what is known. That one counts only if its code is the task's own, as the
run's must be: other code may report any loss.

Law: one experiment in ten that could be stopped is not, whatever its losses, and is
counted if it would have been. What it then turns out to be is the regret of the rule,
and is told with the experiment. Only friends' runs count beside this node's own: a made-up one
would stop everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass
from typing import Literal, TypeAlias, cast

from experiments.outside import Swarm
from experiments.run import RunResult
from swarm.canonical import CanonicalError, pack, unpack
from swarm.stopping import FINISH_ANYWAY, LEADER_MARGIN, Curve, margin_between, raised
from swarm.task import Task
from swarm.tree import Tree

Mode: TypeAlias = Literal["never", "stop", "watch"]
"""A run is never stopped; or once it is behind; or not, but it is noted that it was behind."""


@dataclass(frozen=True, slots=True)
class Stop:
    """
    When runs of an experiment are stopped.

    Attributes:
        margin: How far behind the base's run they have to be; None: that cannot be told.
        leader: Losses they must not be behind, whatever the base's are; or none.
    """

    mode: Mode = "never"
    margin: float | None = None
    leader: Curve = ()

    def reference(self, base: Curve) -> Curve:
        """What a run is held against, given its base's: the lower of that and the leader's."""
        own = () if self.margin is None else raised(base, self.margin)
        return min((each for each in (own, self.leader) if each), key=_late_loss, default=())


def _late_loss(curve: Curve) -> float:
    """The mean of the later half."""
    late = curve[len(curve) // 2 :]
    return sum(loss for _, loss in late) / len(late)


@dataclass(frozen=True, slots=True)
class _Leader:
    value_nano: int
    curve: Curve


MOST_LOSS_NANO = 10**15
"""No curve is told that went above."""

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
        self._sign = 1.0 if task.metric.direction == "minimize" else -1.0
        self._own: _Leader | None = None
        self.account = _from_bytes(swarm.remembered(_REMEMBERED))

    def of(self, base: Tree, candidate: Tree) -> Stop:
        """What is to be done with the runs of an experiment."""
        margin = margin_between(base, candidate, self._task)
        if not self._enabled or margin is None:
            return Stop()
        known = [*self._friends(), *filter(None, [self._own])]
        leader = min(known, key=self._cost, default=None)
        return Stop(
            "watch" if self._uniform() < FINISH_ANYWAY else "stop",
            margin,
            raised(leader.curve, LEADER_MARGIN) if leader and self._is_plain(candidate) else (),
        )

    def saw(self, tree: Tree, results: Iterable[RunResult]) -> None:
        """Take runs of a tree in: the best of all is what others must not be far behind."""
        if not self._is_plain(tree):
            return
        for result in results:
            if result.value_nano is not None and result.curve:
                best = _Leader(result.value_nano, result.curve)
                if self._own is None or self._cost(best) < self._cost(self._own):
                    self._own = best
        self._tell_friends()

    def _tell_friends(self) -> None:
        """Say how the best run here went, as long as no friend's is better."""
        if self._own is None or len(self._swarm.anchors()) < 2:
            return
        curve = [(tokens, round(1e9 * loss)) for tokens, loss in self._own.curve]
        beaten = any(self._cost(each) <= self._cost(self._own) for each in self._friends())
        fit = all(0 < loss_nano <= MOST_LOSS_NANO for _, loss_nano in curve)
        self._swarm.lead(self._own.value_nano, curve if fit and not beaten else ())

    def _friends(self) -> list[_Leader]:
        friends = self._swarm.anchors()
        return [
            _Leader(lead.value_nano, tuple((tokens, nano / 1e9) for tokens, nano in lead.curve))
            for lead in self._swarm.leads()
            if lead.author in friends
        ]

    def _cost(self, leader: _Leader) -> float:
        return self._sign * leader.value_nano

    def _is_plain(self, tree: Tree) -> bool:
        """Whether a tree is the task's own code, with settings turned."""
        return margin_between(self._task.baseline, tree, self._task) is not None

    async def note(self, stop: Mode, outcome: str, *, behind: bool) -> str:
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

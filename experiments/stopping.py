"""
Which experiments may be stopped early, and what that has cost and saved so far.

A run is held against its base's on the same seed, and against the best run that this node or
a friend has made, on whatever base and seed that was: with many nodes, what is built on is
often far behind what is known.

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
from swarm.records import TreeHash, from_nano, to_nano
from swarm.stopping import FAR_MARGIN, FINISH_ANYWAY, Curve, code_of, margin_between, raised
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
    cost: float
    code: TreeHash
    curve: Curve


MOST_LOSS = 1e6
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
        leader = self._leader(code_of(candidate))
        return Stop(
            "watch" if self._uniform() < FINISH_ANYWAY else "stop",
            margin,
            () if leader is None else raised(leader.curve, FAR_MARGIN),
        )

    def saw(self, tree: Tree, results: Iterable[RunResult]) -> None:
        """Take runs of a tree in: the best of all is what others must not be far behind."""
        finished = [each for each in results if each.value_nano is not None and each.curve]
        for result in finished:
            assert result.value_nano is not None
            cost = self._sign * result.value_nano
            if self._own is None or cost < self._own.cost:
                self._own = _Leader(cost, code_of(tree), result.curve)
                self._tell_friends(result.value_nano)

    def _tell_friends(self, value_nano: int) -> None:
        """Tell of the best run here, unless a friend's is better, or this node has no friends."""
        own, many = self._own, len(self._swarm.anchors()) > 1
        if not own or not many or any(own.cost >= friend.cost for friend in self._friends()):
            return
        if all(0 < loss < MOST_LOSS for _, loss in own.curve):
            curve = [(tokens, to_nano(loss)) for tokens, loss in own.curve]
            self._swarm.pace(own.code, value_nano, curve)

    def _leader(self, code: TreeHash) -> _Leader | None:
        """The best run of such code, here or at a friend's."""
        known = [*self._friends(), *filter(None, [self._own])]
        alike = (each for each in known if each.code == code)
        return min(alike, key=lambda each: each.cost, default=None)

    def _friends(self) -> list[_Leader]:
        friends = self._swarm.anchors()
        return [
            _Leader(
                self._sign * pace.value_nano,
                pace.code,
                tuple((tokens, from_nano(loss)) for tokens, loss in pace.curve),
            )
            for pace in self._swarm.paces()
            if pace.author in friends
        ]

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

"""
Where hypotheses come from.

A proposer looks at a `Situation` and offers hypotheses in the families it
knows. The strategy picks the family; the proposer picks within it.

Law: a proposer never measures, never publishes and never offers what this node
has already tried on the same base.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from swarm.bounds import UNBOUNDED, Bounds
from swarm.diff import make_diff
from swarm.grade import grade
from swarm.hypothesis import Hypothesis
from swarm.records import PeerId, RecordId, TreeHash
from swarm.seen import SeenTrial
from swarm.signals import Claim
from swarm.task import Task
from swarm.tree import Tree, tree_hash

T = TypeVar("T")

MAX_TITLE = 120
"""Characters of a record's title."""


@dataclass(frozen=True, slots=True)
class Champion:
    """
    What this node builds on.

    Attributes:
        record: The win that gave it, or None for the task's baseline.
        tree: Its editable files.
        value: Its measured metric here, or None before the first run.
    """

    record: RecordId | None
    tree: Tree
    value: float | None


@dataclass(frozen=True, slots=True)
class KnownWin:
    """
    A win on the board whose trees could be rebuilt: what a fold is made of.

    Attributes:
        effect: Mean of candidate − base, as far as it is believed.
        value: Mean metric of the candidate. Both in the metric's unit.
        simpler: It claims to be no worse than its base and simpler, not to gain.
        confirmed: Somebody whom this node listens to measured it again and bore it out.
    """

    record: RecordId
    title: str
    nickname: str
    base_tree: Tree
    tree: Tree
    effect: float
    value: float
    simpler: bool = False
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """
    All that a proposer may look at.

    Attributes:
        wins: Wins that the champion does not already contain.
        code_allowed: This node has the isolation that a code diff needs.
        tried: Whether this node ran the tree (second hash) on the base (first hash).
        uniform: A number in [0, 1), new at each call.
        trials: Finished experiments on any base, oldest first: all of this node's, and
            of its peers' the latest. `base_tree` says which base each was measured against.
        bounds: What a person allows to be turned, and how far.
        claims: What peers say they measure now.
        sweep: A knob whose values are being measured at once now; "" where none is.
        friends: The peers whom this node's owner named, and this node.
        tree_of: The tree of a win, or of the baseline for None; None where it is not here.
    """

    task: Task
    champion: Champion
    wins: Sequence[KnownWin]
    code_allowed: bool
    tried: Callable[[TreeHash, TreeHash], bool]
    uniform: Callable[[], float]
    trials: Sequence[SeenTrial] = ()
    bounds: Bounds = UNBOUNDED
    claims: Sequence[Claim] = ()
    sweep: str = ""
    friends: frozenset[PeerId] = frozenset()
    tree_of: Callable[[RecordId | None], Tree | None] = lambda record: None


class Proposer(Protocol):
    """One source of hypotheses. Every implementation passes `tests/contracts`."""

    name: str

    def families(self, situation: Situation) -> Collection[str]:
        """Families in which `propose` has something untried to offer."""
        ...

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        """An untried hypothesis in this family, or None where there is none left."""
        ...


def hypothesis(
    situation: Situation,
    tree: Tree,
    *,
    title: str,
    rationale: str,
    family: str,
    proposer: str,
    parents: tuple[RecordId, ...] = (),
    knobs: tuple[tuple[str, str], ...] = (),
) -> Hypothesis:
    """The hypothesis that the champion is better as `tree`."""
    champion = situation.champion
    return Hypothesis(
        base=champion.record,
        base_tree=tree_hash(champion.tree),
        parents=parents,
        diff=make_diff(champion.tree, tree),
        tree=tree_hash(tree),
        title=title[:MAX_TITLE],
        rationale=rationale,
        family=family,
        proposer=proposer,
        knobs=knobs,
        code=grade(situation.task.baseline, tree, situation.task) == "code",
    )


def one_of(situation: Situation, options: Sequence[T], weights: Sequence[float] = ()) -> T:
    """One of some options, at random; with equal odds where no weights are given."""
    left = situation.uniform() * sum(weights or [1.0] * len(options))
    for option, weight in zip(options, weights or [1.0] * len(options), strict=True):
        left -= weight
        if left < 0:
            return option
    return options[-1]

"""
What was built on what.

A win names its base, whose tree its diff applies to, and its parents, the wins
folded in. Ids are hashes, so lineage cannot be rewritten and cannot be circular.

Law: adoption is read from lineage, never reported. A win whose base is not here
is incomplete, and nothing is fetched because a record names it; one whose diff
does not give the tree it claims, within bounds, is invalid, for ever and on every
peer. Neither is ever built on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, MutableMapping
from typing import Literal, Protocol

from swarm.diff import DiffError, apply_diff
from swarm.records import PeerId, RecordId, TreeHash
from swarm.tree import Tree, TreeError, check_bounds, tree_hash

Status = Literal["claimed", "incomplete", "invalid"]


class Linked(Protocol):
    """The part of a win that lineage is made of."""

    @property
    def author(self) -> PeerId: ...
    @property
    def base(self) -> RecordId | None: ...
    @property
    def parents(self) -> tuple[RecordId, ...]: ...


class Change(Linked, Protocol):
    """The part of a win that gives its tree."""

    @property
    def diff(self) -> str: ...
    @property
    def tree(self) -> TreeHash: ...


class Incomplete(LookupError):  # noqa: N818 - a state of the win, nobody's fault
    """
    A tree cannot be rebuilt yet.

    Attributes:
        missing: The win that has to come first.
    """

    def __init__(self, missing: RecordId) -> None:
        super().__init__(f"the win {missing} has not arrived here yet")
        self.missing = missing


class InvalidWin(ValueError):  # noqa: N818 - a verdict on the win, not our error
    """
    A win does not give the tree it claims.

    Attributes:
        record: The win at fault; it may be an ancestor of the one asked for.
    """

    def __init__(self, record: RecordId, reason: str) -> None:
        super().__init__(f"the win {record} is invalid: {reason}")
        self.record = record


class RecentTrees(OrderedDict[RecordId, Tree]):
    """A mapping that keeps the `limit` trees added last; a cache for `resolve_tree`."""

    def __init__(self, limit: int = 256) -> None:
        super().__init__()
        self._limit = limit

    def __setitem__(self, record: RecordId, tree: Tree) -> None:
        super().__setitem__(record, tree)
        if len(self) > self._limit:
            self.popitem(last=False)


def ancestors(win: RecordId, wins: Mapping[RecordId, Linked]) -> set[RecordId]:
    """Every win that `win` was built on or folded in, near or far, here or not."""
    found: set[RecordId] = set()
    waiting = [win]
    while waiting:
        here = wins.get(waiting.pop())
        new = set(_links(here)) - found if here else set[RecordId]()
        found |= new
        waiting += new
    return found


def base_chain(win: RecordId, wins: Mapping[RecordId, Linked]) -> list[RecordId]:
    """
    The wins from the task's baseline to `win`, each the base of the next.

    Raises:
        Incomplete: One of them is not in `wins`.
    """
    chain: list[RecordId] = []
    step: RecordId | None = win
    while step is not None:
        if step not in wins or len(chain) == len(wins):
            raise Incomplete(step)
        chain.append(step)
        step = wins[step].base
    return chain[::-1]


def adoption(wins: Mapping[RecordId, Linked]) -> dict[RecordId, set[PeerId]]:
    """Of every win that others built on or folded in: the authors who did."""
    adopted: dict[RecordId, set[PeerId]] = {}
    for win in wins.values():
        author = win.author
        for link in _links(win):
            if link not in wins or wins[link].author != author:
                adopted.setdefault(link, set()).add(author)
    return adopted


def adopters(win: RecordId, wins: Mapping[RecordId, Linked]) -> set[PeerId]:
    """Authors, other than the win's own, of wins that name it as base or parent."""
    return adoption(wins).get(win, set())


def known_wins(wins: Mapping[RecordId, Linked], champion: RecordId | None) -> list[RecordId]:
    """Wins that the champion does not already contain, in the order of `wins`."""
    contained = {champion, *(ancestors(champion, wins) if champion else ())}
    return [record for record in wins if record not in contained]


def resolve_tree(
    win: RecordId,
    wins: Mapping[RecordId, Change],
    baseline: Tree,
    editable: Collection[str],
    cache: MutableMapping[RecordId, Tree],
) -> Tree:
    """
    The tree of a win, rebuilt from the baseline diff by diff and checked at each.

    Args:
        win: Whose tree to give.
        wins: The wins at hand.
        baseline: The task's baseline tree.
        editable: The paths that a diff may touch.
        cache: Trees known to be right, by win; those on the way are added.

    Raises:
        Incomplete: A win on the way is not here.
        InvalidWin: A diff does not apply, changes nothing, gives another tree
            than its win claims, or one over the bounds.
    """
    chain: dict[RecordId, Change] = {}
    step: RecordId | None = win
    while step is not None and step not in cache:
        change = wins.get(step)
        if change is None or step in chain:
            raise Incomplete(step)
        chain[step] = change
        step = change.base
    tree = baseline if step is None else cache[step]
    for record, change in reversed(chain.items()):
        tree = cache[record] = _changed(record, change, tree, baseline, editable)
    return tree


def status_of(
    win: RecordId,
    wins: Mapping[RecordId, Change],
    baseline: Tree,
    editable: Collection[str],
    cache: MutableMapping[RecordId, Tree],
) -> Status:
    """What can be said of a win without running it; arguments as in `resolve_tree`."""
    try:
        resolve_tree(win, wins, baseline, editable, cache)
    except Incomplete:
        return "incomplete"
    except InvalidWin:
        return "invalid"
    return "claimed"


def _links(win: Linked) -> tuple[RecordId, ...]:
    return win.parents if win.base is None else (win.base, *win.parents)


def _changed(
    record: RecordId, win: Change, base: Tree, baseline: Tree, editable: Collection[str]
) -> Tree:
    try:
        tree = apply_diff(base, win.diff, editable)
        check_bounds(tree, baseline)
    except (DiffError, TreeError) as error:
        raise InvalidWin(record, str(error)) from error
    if tree_hash(tree) != win.tree:
        raise InvalidWin(record, "its diff gives another tree than it claims")
    if tree == base:
        raise InvalidWin(record, "it changes nothing")
    return tree

"""
Three-way merge of trees: carry one win's change over to another's tree.

Settings are merged by name, so two changes on neighbouring lines of the settings
block do not collide; everything else is merged line by line.

Law: a merge either holds both changes whole or is a conflict. It never guesses.

Source: Khanna, Kunal and Pierce, "A Formal Investigation of Diff3" (2007).
"""

from __future__ import annotations

from collections import Counter
from typing import TypeVar

from merge3 import Merge3

from swarm.settings_block import SettingsBlockError, read_literals, write_literals
from swarm.tree import Tree

MAX_LINES = 2_000
MAX_WORK = 200_000
"""
Above these a merge is a conflict. Work is counted in pairs of equal lines: text
that repeats itself would otherwise keep the matcher busy for seconds.
"""

_T = TypeVar("_T", str, bytes)


def merge_trees(base: Tree, ours: Tree, theirs: Tree) -> Tree | None:
    """
    The tree with the changes of both sides.

    Args:
        base: What `theirs` was made from.
        ours: The tree to carry the change over to.
        theirs: The tree with the change.

    Returns:
        `ours` plus what changed from `base` to `theirs`, or None where the two
        change the same lines or the same setting in different ways, or do not
        have the same files.
    """
    if not base.keys() == ours.keys() == theirs.keys():
        return None
    merged: dict[str, bytes] = {}
    for path in sorted(base):
        content = _merged(base[path], ours[path], theirs[path])
        if content is None:
            return None
        merged[path] = content
    return merged


def _merged(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    whole = _one_sided(base, ours, theirs)
    if whole is not None:
        return whole
    try:
        agreed = _agreed_settings(read_literals(base), read_literals(ours), read_literals(theirs))
    except SettingsBlockError:
        agreed = {}
    if agreed is None:
        return None
    if agreed:
        base, ours, theirs = (write_literals(side, agreed) for side in (base, ours, theirs))
        whole = _one_sided(base, ours, theirs)
        if whole is not None:
            return whole
    return _merged_lines(*(side.splitlines(keepends=True) for side in (base, ours, theirs)))


def _one_sided(base: _T, ours: _T, theirs: _T) -> _T | None:
    """The value where at most one side changed it, or both in the same way."""
    if ours in (theirs, base):
        return theirs
    return ours if theirs == base else None


def _agreed_settings(
    base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]
) -> dict[str, str] | None:
    """One literal for every setting that all three have; None if two changes disagree."""
    agreed: dict[str, str] = {}
    for name in base.keys() & ours.keys() & theirs.keys():
        literal = _one_sided(base[name], ours[name], theirs[name])
        if literal is None:
            return None
        agreed[name] = literal
    return agreed


def _merged_lines(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> bytes | None:
    if max(map(len, (base, ours, theirs))) > MAX_LINES or _work(base, ours, theirs) > MAX_WORK:
        return None
    merged: list[bytes] = []
    for group in Merge3(base, ours, theirs).merge_groups():
        if group[0] == "conflict":
            return None
        merged += group[1]
    return b"".join(merged)


def _work(base: list[bytes], ours: list[bytes], theirs: list[bytes]) -> int:
    """How many pairs of equal lines the matcher may have to look at."""
    counts = Counter(base)
    return sum(counts[line] for side in (ours, theirs) for line in side)

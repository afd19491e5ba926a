"""
Settings of a whole tree, read and turned.

Law: a setting belongs to the first file, by path, whose settings block has it.
"""

from __future__ import annotations

from collections.abc import Mapping

from swarm.settings_block import Scalar, SettingsBlockError, read_settings, write_settings
from swarm.tree import Tree


def settings_of(tree: Tree) -> dict[str, Scalar]:
    """Every setting of a tree; files without a well-formed settings block have none."""
    found: dict[str, Scalar] = {}
    for _, settings in _blocks(tree):
        found = settings | found
    return found


def turned(tree: Tree, changes: Mapping[str, Scalar]) -> Tree:
    """
    The tree with settings at other values.

    Raises:
        SettingsBlockError: A name that no file has, or a value without a plain literal.
    """
    waiting, changed = dict(changes), dict(tree)
    for path, settings in _blocks(tree):
        here = {name: waiting.pop(name) for name in settings if name in waiting}
        if here:
            changed[path] = write_settings(tree[path], here)
    if waiting:
        raise SettingsBlockError(f"no file has a setting {min(waiting)!r}")
    return changed


def _blocks(tree: Tree) -> list[tuple[str, dict[str, Scalar]]]:
    blocks: list[tuple[str, dict[str, Scalar]]] = []
    for path, source in sorted(tree.items()):
        try:
            blocks.append((path, read_settings(source)))
        except SettingsBlockError:
            continue
    return blocks

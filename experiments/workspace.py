"""
A hypothesis as files: base tree and diff, checked, in a folder of its own.

Law: nothing runs whose files do not have the hash that was asked for.
"""

import shutil
import tempfile
from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from swarm.diff import apply_diff
from swarm.tree import Tree, tree_hash

_PREFIX = "run-"


class WorkspaceError(ValueError):
    """A tree that is not the one that was asked for, or that has paths it may not have."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """
    Two folders that exist for one run.

    Attributes:
        work: The tree's files, which the run may read.
        scratch: Empty at first; the run may write here.
    """

    work: Path
    scratch: Path


def derive_tree(base: Tree, diff: str, expected_hash: str, editable: Collection[str]) -> Tree:
    """
    The tree a diff makes of a base.

    Raises:
        DiffError: The diff does not apply, or touches what it may not.
        WorkspaceError: It gives another tree than `expected_hash`.
    """
    tree = apply_diff(base, diff, editable)
    _check_hash(tree, expected_hash)
    return tree


@contextmanager
def workspace(parent: Path, tree: Tree, expected_hash: str) -> Generator[Workspace]:
    """
    Write a tree into a fresh folder below `parent`, removed again on leaving.

    Raises:
        WorkspaceError: The tree has another hash, or a path that leads out of the folder.
        OSError: The disk is full or not writable.
    """
    _check_hash(tree, expected_hash)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    try:
        work, scratch = folder / "work", folder / "scratch"
        scratch.mkdir()
        work.mkdir()
        for path, content in tree.items():
            target = work / _inside(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        yield Workspace(work, scratch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(parent: Path) -> None:
    """Remove the folders of runs that a killed node left in its scratch folder."""
    for folder in parent.glob(f"{_PREFIX}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _check_hash(tree: Tree, expected_hash: str) -> None:
    if (found := tree_hash(tree)) != expected_hash:
        raise WorkspaceError(f"the files have the hash {found}, not {expected_hash}")


def _inside(path: str) -> PurePosixPath:
    parts = PurePosixPath(path)
    if parts.is_absolute() or not parts.parts or ".." in parts.parts or "\0" in path:
        raise WorkspaceError(f"{path!r} leads out of the workspace")
    return parts

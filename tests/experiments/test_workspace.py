"""A workspace holds the tree that was asked for, and nothing leads out of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.workspace import WorkspaceError, derive_tree, workspace
from swarm.diff import DiffError, make_diff
from swarm.tree import tree_hash

TREE = {"train.py": b"A = 1\n", "lib/model.py": b"B = 2\n"}


def test_a_workspace_holds_the_tree_and_is_removed(tmp_path: Path) -> None:
    with workspace(tmp_path, TREE, tree_hash(TREE)) as place:
        assert (place.work / "lib/model.py").read_bytes() == b"B = 2\n"
        assert not list(place.scratch.iterdir())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["../out.py", "/etc/out.py", "a/../../out.py", ""])
def test_a_workspace_has_no_way_out(tmp_path: Path, path: str) -> None:
    tree = {path: b"x"}
    (tmp_path / "in").mkdir()
    with pytest.raises(WorkspaceError), workspace(tmp_path / "in", tree, tree_hash(tree)):
        pass
    assert [p.name for p in tmp_path.rglob("*")] == ["in"]


def test_a_hypothesis_is_its_base_and_its_diff() -> None:
    target = TREE | {"train.py": b"A = 3\n"}
    diff = make_diff(TREE, target)
    assert derive_tree(TREE, diff, tree_hash(target), TREE) == target
    with pytest.raises(WorkspaceError, match="the files have the hash"):
        derive_tree(TREE, diff, tree_hash(TREE), TREE)
    with pytest.raises(DiffError):
        derive_tree(target, diff, tree_hash(target), TREE)

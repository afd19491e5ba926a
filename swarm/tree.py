"""
The editable files of a task, as a value.

A tree maps relative POSIX paths to file contents. Its hash names it: two peers
who hold the same hash mean the same bytes.

Law: a tree stays small. More room than an idea needs would carry memorised
answers: 64 KiB of base85 holds half of a held-out split.
"""

from __future__ import annotations

import bz2
import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

from swarm.canonical import pack
from swarm.records import TreeHash

__all__ = ["MAX_TREE_BYTES", "MAX_TREE_GROWTH_BYTES", "Tree", "TreeError", "TreeHash"]
__all__ += ["check_bounds", "compressed_size", "tree_hash"]

Tree: TypeAlias = Mapping[str, bytes]

MAX_TREE_BYTES = 64 * 1024
MAX_TREE_GROWTH_BYTES = 4 * 1024
"""How much larger than the baseline's a tree's compressed size may be."""


class TreeError(ValueError):
    """A tree is larger than the rules allow; the message says by how much."""


def tree_hash(tree: Tree) -> TreeHash:
    """SHA-256, in hex, of the tree's canonical msgpack."""
    return hashlib.sha256(pack(tree)).hexdigest()


def compressed_size(tree: Tree) -> int:
    """
    Bytes of the tree under bz2, which needs more room the more there is to say.

    The contents are joined in the order of their paths. bz2 is used because its
    output depends on the input alone, where zlib's differs between builds.
    """
    return _compressed(b"\0".join(tree[path] for path in sorted(tree)))


@lru_cache(64)
def _compressed(content: bytes) -> int:
    return len(bz2.compress(content, 9))


def check_bounds(tree: Tree, baseline: Tree) -> None:
    """
    Check that `tree` is small enough for a task with this baseline.

    The bound is on the whole tree against the task's baseline, not against its
    base, so a long lineage cannot smuggle in piece by piece what one step may not.

    Raises:
        TreeError: Over `MAX_TREE_BYTES` in all, or compressed more than
            `MAX_TREE_GROWTH_BYTES` above the baseline.
    """
    size = sum(map(len, tree.values()))
    if size > MAX_TREE_BYTES:
        raise TreeError(f"the tree has {size} bytes; at most {MAX_TREE_BYTES} are allowed")
    growth = compressed_size(tree) - compressed_size(baseline)
    if growth > MAX_TREE_GROWTH_BYTES:
        raise TreeError(
            f"the tree is {growth} bytes larger than the baseline once compressed; "
            f"at most {MAX_TREE_GROWTH_BYTES} are allowed"
        )

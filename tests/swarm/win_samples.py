"""Wins that really lead from tree to tree, for tests of lineage and leaderboard."""

from dataclasses import replace

from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.records import Pair, RecordId, Win, encode
from swarm.settings_block import END, START, Scalar, write_settings
from swarm.tree import Tree, tree_hash
from tests.swarm.record_samples import ANN, WIN, Author

SOURCE = f"{START}\nLR = 0.1\nLAYERS = 2\nNORM = 'post'\nWIDTH = 64\n{END}\n"
BASELINE: Tree = {"train.py": SOURCE.encode()}
EDITABLE = ("train.py",)


def turned(tree: Tree, **settings: Scalar) -> Tree:
    """The tree with these settings."""
    return {"train.py": write_settings(tree["train.py"], settings)}


def pairs_around(
    value: float, base: float = 3.6, seeds: tuple[int, ...] = (1, 2, 3)
) -> tuple[Pair, ...]:
    """One pair per seed, a thousandth apart from each other."""
    return tuple(
        Pair(seed, round((base + seed / 1000) * 1e9), round((value + seed / 2000) * 1e9))
        for seed in seeds
    )


def win_of(
    base: RecordId | None,
    before: Tree,
    after: Tree,
    *,
    author: Author = ANN,
    parents: tuple[RecordId, ...] = (),
    pairs: tuple[Pair, ...] = WIN.pairs,
    created_at_ms: int = WIN.created_at_ms,
) -> tuple[RecordId, Win]:
    """The win of `author` that turns `before`, the tree of `base`, into `after`, with its id."""
    win = replace(
        WIN,
        author=author.peer_id,
        base=base,
        parents=parents,
        diff=make_diff(before, after),
        tree=tree_hash(after),
        pairs=pairs,
        created_at_ms=created_at_ms,
    )
    return cid_of(encode(win)), win

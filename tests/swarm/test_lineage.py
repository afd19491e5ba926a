"""Lineage: trees come back as they were claimed, and adoption is read off, not told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.cid import cid_of
from swarm.lineage import (
    Incomplete,
    InvalidWin,
    RecentTrees,
    adopters,
    adoption,
    ancestors,
    base_chain,
    known_wins,
    resolve_tree,
    status_of,
)
from swarm.merge import merge_trees
from swarm.records import RecordId, Win
from swarm.tree import MAX_TREE_BYTES, Tree, tree_hash
from tests.swarm.record_samples import ANN, BOB, Author
from tests.swarm.win_samples import BASELINE, EDITABLE, turned, win_of

CAT = Author(3)
FAST = turned(BASELINE, LR=1.0)
FAST_PRE = turned(FAST, NORM="pre")
DEEP = turned(BASELINE, LAYERS=4)

FIRST, first = win_of(None, BASELINE, FAST)
SECOND, second = win_of(FIRST, FAST, FAST_PRE, author=BOB)
SIDE, side = win_of(None, BASELINE, DEEP, author=CAT)
FOLD_TREE = turned(FAST_PRE, LAYERS=4)
FOLD, fold = win_of(SECOND, FAST_PRE, FOLD_TREE, author=BOB, parents=(SIDE,))
WINS: dict[RecordId, Win] = {FIRST: first, SECOND: second, SIDE: side, FOLD: fold}


def resolve(win: RecordId, wins: dict[RecordId, Win], cache: RecentTrees | None = None) -> Tree:
    return resolve_tree(win, wins, BASELINE, EDITABLE, RecentTrees() if cache is None else cache)


def test_trees_are_rebuilt_along_the_bases() -> None:
    assert resolve(FIRST, WINS) == FAST
    assert resolve(FOLD, WINS) == FOLD_TREE
    assert base_chain(FOLD, WINS) == [FIRST, SECOND, FOLD]


def test_a_fold_by_three_way_merge_gives_the_tree_its_win_claims() -> None:
    merged = merge_trees(BASELINE, resolve(SECOND, WINS), resolve(SIDE, WINS))
    assert merged == resolve(FOLD, WINS)


def test_a_win_without_its_base_is_incomplete_until_it_comes() -> None:
    wins = {FOLD: fold, FIRST: first}
    with pytest.raises(Incomplete) as error:
        resolve(FOLD, wins)
    assert error.value.missing == SECOND
    assert status_of(FOLD, wins, BASELINE, EDITABLE, RecentTrees()) == "incomplete"
    assert status_of(FOLD, {**wins, SECOND: second}, BASELINE, EDITABLE, RecentTrees()) == "claimed"


def test_a_folded_win_need_not_be_here() -> None:
    assert resolve(FOLD, {key: WINS[key] for key in (FIRST, SECOND, FOLD)}) == FOLD_TREE


@pytest.mark.parametrize(
    ("win", "reason"),
    [
        (replace(first, tree=tree_hash(DEEP)), "another tree"),
        (replace(first, diff=first.diff.replace("LR", "RL")), "does not match the base"),
        (replace(first, diff="hello"), "expected '--- a/PATH'"),
        (replace(first, diff=first.diff.replace("train.py", "prepare.py")), "not an editable file"),
        (replace(first, diff="", tree=tree_hash(BASELINE)), "changes nothing"),
    ],
)
def test_a_win_that_does_not_give_its_tree_is_invalid(win: Win, reason: str) -> None:
    with pytest.raises(InvalidWin, match=reason) as error:
        resolve("win", {"win": win})
    assert error.value.record == "win"
    assert status_of("win", {"win": win}, BASELINE, EDITABLE, RecentTrees()) == "invalid"


def test_what_stands_on_an_invalid_win_is_invalid_too() -> None:
    wins = {**WINS, FIRST: replace(first, tree=tree_hash(DEEP))}
    with pytest.raises(InvalidWin) as error:
        resolve(FOLD, wins)
    assert error.value.record == FIRST


def test_the_bound_on_size_holds_over_the_whole_lineage() -> None:
    """Two steps that are each small enough are too large together."""
    steps: dict[RecordId, Win] = {}
    base, tree = None, BASELINE
    for _ in range(2):
        grown = {"train.py": tree["train.py"] + b"#######\n" * (MAX_TREE_BYTES // 16)}
        base, steps_win = win_of(base, tree, grown)
        steps[base], tree = steps_win, grown
    assert base is not None
    with pytest.raises(InvalidWin, match="at most 65536 are allowed") as error:
        resolve(base, steps)
    assert error.value.record == base


def test_a_cached_tree_is_not_rebuilt() -> None:
    cache = RecentTrees()
    resolve(SECOND, WINS, cache)
    broken = {**WINS, FIRST: replace(first, diff="nonsense")}
    assert resolve(FOLD, broken, cache) == FOLD_TREE
    assert set(cache) == {FIRST, SECOND, FOLD}


@given(st.integers(1, 6), st.integers(1, 12))
def test_a_cache_of_any_size_gives_the_same_trees(limit: int, length: int) -> None:
    wins: dict[RecordId, Win] = {}
    trees: dict[RecordId, Tree] = {}
    base, tree = None, BASELINE
    for step in range(length):
        after = turned(tree, WIDTH=128 + step)
        base, win = win_of(base, tree, after)
        wins[base], trees[base], tree = win, after, after
    cache = RecentTrees(limit)
    for record in [*trees, *reversed(list(trees))]:
        assert resolve(record, wins, cache) == trees[record]
        assert len(cache) <= limit


def test_ancestors_are_bases_and_folded_wins_near_and_far() -> None:
    assert ancestors(FOLD, WINS) == {SECOND, SIDE, FIRST}
    assert ancestors(FIRST, WINS) == set()
    assert ancestors(FOLD, {FOLD: fold}) == {SECOND, SIDE}


def test_adopters_are_other_authors_who_built_on_it_or_folded_it_in() -> None:
    assert adopters(FIRST, WINS) == {BOB.peer_id}
    assert adopters(SIDE, WINS) == {BOB.peer_id}
    assert adopters(SECOND, WINS) == set(), "Bob built on his own win"
    assert adopters(FOLD, WINS) == set()


def test_adopters_are_counted_once_each() -> None:
    again, again_win = win_of(FIRST, FAST, turned(FAST, WIDTH=128), author=BOB)
    mine, mine_win = win_of(FIRST, FAST, turned(FAST, WIDTH=256), author=ANN)
    cats, cats_win = win_of(FIRST, FAST, turned(FAST, WIDTH=512), author=CAT)
    wins = {**WINS, again: again_win, mine: mine_win, cats: cats_win}
    assert adopters(FIRST, wins) == {BOB.peer_id, CAT.peer_id}
    assert adoption(wins)[FIRST] == {BOB.peer_id, CAT.peer_id}


def test_known_wins_are_those_the_champion_does_not_contain() -> None:
    assert known_wins(WINS, None) == [FIRST, SECOND, SIDE, FOLD]
    assert known_wins(WINS, SECOND) == [SIDE, FOLD]
    assert known_wins(WINS, FOLD) == []


def test_lineage_of_nonsense_ends() -> None:
    """Ids are hashes, so this cannot arrive; it must still end."""
    a, b = cid_of(b"a"), cid_of(b"b")
    wins = {a: replace(first, base=b), b: replace(second, base=a)}
    assert ancestors(a, wins) == {a, b}
    with pytest.raises(Incomplete):
        resolve(a, wins)

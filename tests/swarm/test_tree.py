"""Trees: one hash per content, and no room for memorised answers."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.tree import MAX_TREE_BYTES, Tree, TreeError, check_bounds, compressed_size, tree_hash

trees = st.dictionaries(
    st.sampled_from(["train.py", "lib/model.py", "a.py", "b.py"]), st.binary(max_size=200)
)


def noise(size: int) -> bytes:
    """Text that cannot be compressed: base85 of a hash chain."""
    blocks = [hashlib.sha512(str(index).encode()).digest() for index in range(size // 64 + 1)]
    return base64.b85encode(b"".join(blocks))[:size]


@given(trees, trees)
def test_equal_trees_and_only_they_share_a_hash(a: Tree, b: Tree) -> None:
    assert (tree_hash(a) == tree_hash(b)) == (a == b)


@given(trees)
def test_the_order_of_files_does_not_matter(tree: Tree) -> None:
    assert tree_hash(dict(reversed(list(tree.items())))) == tree_hash(tree)


def test_the_hash_is_the_one_other_implementations_compute() -> None:
    """Spelled out in bytes: a fixmap of one, fixstr `a.py`, bin8 of two bytes."""
    packed = b"\x81\xa4a.py\xc4\x02x\n"
    assert tree_hash({"a.py": b"x\n"}) == hashlib.sha256(packed).hexdigest()


def test_moving_bytes_between_files_changes_the_hash() -> None:
    assert tree_hash({"a.py": b"xy", "b.py": b""}) != tree_hash({"a.py": b"x", "b.py": b"y"})


def test_the_total_size_is_bounded() -> None:
    baseline = {"a.py": b"", "b.py": b""}
    half = MAX_TREE_BYTES // 2
    check_bounds({"a.py": b"#" * half, "b.py": b"#" * half}, baseline)
    with pytest.raises(TreeError, match="65537 bytes"):
        check_bounds({"a.py": b"#" * half, "b.py": b"#" * (half + 1)}, baseline)


def test_memorised_answers_do_not_fit_but_plain_code_does() -> None:
    baseline = {"train.py": b"print('a model')\n" * 100}
    check_bounds({"train.py": baseline["train.py"] + b"LAYERS = [1, 2, 3]\n" * 200}, baseline)
    with pytest.raises(TreeError, match="larger than the baseline once compressed"):
        check_bounds({"train.py": baseline["train.py"] + noise(8000)}, baseline)


def test_what_is_the_baselines_own_bulk_is_not_held_against_a_change() -> None:
    baseline = {"train.py": noise(20_000)}
    check_bounds({"train.py": baseline["train.py"] + b"\nLR = 0.1\n"}, baseline)
    assert compressed_size(baseline) > 16_000

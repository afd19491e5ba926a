"""Merging: both changes whole, or a conflict."""

import os
import subprocess
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm.merge import MAX_LINES, merge_trees
from swarm.settings_block import END, START, Scalar, read_settings, write_settings
from swarm.tree import Tree

SOURCE = f"""\
{START}
LR = 3e-4
NORM = "post"  # where the norm stands
LAYERS = 2
WIDTH = 64
{END}

def first():
    return 1


def second():
    return 2


def third():
    return 3
""".encode()
BASE: Tree = {"train.py": SOURCE}

changes = st.fixed_dictionaries(
    {},
    optional={
        "LR": st.sampled_from([1e-3, 3e-3]),
        "NORM": st.just("pre"),
        "LAYERS": st.sampled_from([1, 3]),
        "WIDTH": st.just(128),
    },
)
lines = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n", b"d\n", b"e\n"]), max_size=12).map(
    b"".join
)


def with_settings(**values: Scalar) -> Tree:
    return {"train.py": write_settings(SOURCE, values)}


def edited(old: bytes, new: bytes, tree: Tree = BASE) -> Tree:
    assert tree["train.py"].count(old) == 1
    return {"train.py": tree["train.py"].replace(old, new)}


def test_settings_on_neighbouring_lines_merge() -> None:
    """A line merge calls this a conflict; `git merge-file` does."""
    merged = merge_trees(BASE, with_settings(LR=1e-3, LAYERS=3), with_settings(NORM="pre"))
    assert merged == with_settings(LR=1e-3, LAYERS=3, NORM="pre")


def test_settings_and_code_merge() -> None:
    theirs = edited(b"return 3", b"return 33", with_settings(LR=1e-3))
    merged = merge_trees(BASE, edited(b"return 1", b"return 11"), theirs)
    assert merged == edited(b"return 1", b"return 11", theirs)


def test_one_setting_at_two_values_is_a_conflict() -> None:
    assert merge_trees(BASE, with_settings(LR=1e-3), with_settings(LR=3e-3)) is None


def test_one_line_in_two_ways_is_a_conflict() -> None:
    ours, theirs = edited(b"return 2", b"return 5"), edited(b"return 2", b"return 7")
    assert merge_trees(BASE, ours, theirs) is None


def test_a_setting_that_one_side_added_merges_with_a_value_the_other_changed() -> None:
    theirs = edited(b"WIDTH = 64\n", b"WIDTH = 64\nHEADS = 4\n")
    merged = merge_trees(BASE, with_settings(LR=1e-3), theirs)
    assert merged is not None
    assert read_settings(merged["train.py"])["HEADS"] == 4
    assert read_settings(merged["train.py"])["LR"] == 1e-3


def test_other_files_or_too_many_lines_are_a_conflict() -> None:
    assert merge_trees(BASE, {**BASE, "new.py": b""}, BASE) is None
    long = b"x\n" * (MAX_LINES + 1)
    assert merge_trees({"a": long}, {"a": long + b"y\n"}, {"a": b"z\n" + long}) is None


@given(lines, lines)
def test_a_change_of_one_side_alone_is_taken_whole(base: bytes, changed: bytes) -> None:
    before, after = {"a": base}, {"a": changed}
    assert merge_trees(before, before, after) == after
    assert merge_trees(before, after, before) == after
    assert merge_trees(before, after, after) == after


@given(changes, changes)
def test_changes_of_settings_merge_exactly_if_they_agree(
    a: dict[str, Scalar], b: dict[str, Scalar]
) -> None:
    merged = merge_trees(BASE, with_settings(**a), with_settings(**b))
    agree = all(a[name] == b[name] for name in a.keys() & b.keys())
    assert merged == (
        with_settings(**a, **{k: b[k] for k in b.keys() - a.keys()}) if agree else None
    )


def edit(choices: list[str], who: str) -> bytes:
    """Ten distinct lines, each kept, dropped, replaced or followed by a new one."""
    words = {"keep": "{0}\n", "drop": "", "replace": "{1}{0}\n", "insert": "{0}\n{1}{0}\n"}
    return "".join(words[choice].format(n, who) for n, choice in enumerate(choices)).encode()


edits = st.lists(
    st.sampled_from(["keep", "keep", "keep", "drop", "replace", "insert"]), min_size=10, max_size=10
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(edits, edits)
def test_where_git_merges_too_the_result_is_the_same(
    tmp_path: Path, ours: list[str], theirs: list[str]
) -> None:
    sides = {"base": edit(["keep"] * 10, ""), "ours": edit(ours, "o"), "theirs": edit(theirs, "t")}
    for name, content in sides.items():
        (tmp_path / name).write_bytes(content)
    git = subprocess.run(
        ["git", "merge-file", "-p", "ours", "base", "theirs"],
        cwd=tmp_path,
        env={**os.environ, "GIT_DIR": "/nonexistent"},
        capture_output=True,
        check=False,
    )
    merged = merge_trees(*({"a": sides[name]} for name in ("base", "ours", "theirs")))
    if git.returncode == 0 and merged is not None:
        assert merged["a"] == git.stdout


def test_changes_three_lines_apart_merge() -> None:
    """So that the comparison with git cannot pass by conflicts alone."""
    ours = edit(["replace", *["keep"] * 9], "o")
    theirs = edit([*["keep"] * 4, "insert", *["keep"] * 5], "t")
    merged = merge_trees({"a": edit(["keep"] * 10, "")}, {"a": ours}, {"a": theirs})
    assert merged == {"a": b"o0\n1\n2\n3\n4\nt4\n5\n6\n7\n8\n9\n"}


def test_text_that_repeats_itself_is_a_conflict_and_not_an_hour() -> None:
    """Matching equal lines takes more than linear time: above a bound nothing is matched."""
    base = b"# a\n# b\n" * 500
    ours, theirs = b"x = 1\n" + base, base + b"y = 2\n"
    assert merge_trees({"a": base}, {"a": ours}, {"a": theirs}) is None

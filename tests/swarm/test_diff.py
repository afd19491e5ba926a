"""Diffs: exact round trips, the same answer as git, and no way out of the editable files."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unidiff.patch import PatchSet

from swarm.diff import MAX_DIFF_BYTES, DiffError, apply_diff, make_diff
from swarm.tree import Tree

EDITABLE = ("model.py", "train.py")
TEXT = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n"
BASE: Tree = {"model.py": b"import math\n", "train.py": TEXT.encode()}

line = st.sampled_from(
    ["a", "b", "", "x = 1", "-- a/b", "+++ b/c", "@@ -1 +1 @@", "\ttab", "é → ü"]
)


def as_file(lines: list[str], end: str) -> bytes:
    return ("\n".join(lines) + end).encode()


file_text = st.builds(as_file, st.lists(line, max_size=30), st.sampled_from(["", "\n"]))
trees = st.fixed_dictionaries({"model.py": file_text, "train.py": file_text})


def git_apply(base: Tree, diff: str, folder: Path) -> Tree | None:
    """What `git apply` makes of it, or None where it refuses."""
    for path, content in base.items():
        (folder / path).write_bytes(content)
    process = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        input=diff.encode(),
        cwd=folder,
        env={**os.environ, "GIT_DIR": "/nonexistent"},
        capture_output=True,
        check=False,
    )
    if process.returncode != 0:
        return None
    return {path: (folder / path).read_bytes() for path in base}


@given(trees, trees)
def test_a_diff_leads_from_base_to_target(base: Tree, target: Tree) -> None:
    diff = make_diff(base, target)
    assert apply_diff(base, diff, EDITABLE) == target
    assert (diff == "") == (base == target)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(trees, trees)
def test_git_makes_the_same_tree(tmp_path: Path, base: Tree, target: Tree) -> None:
    diff = make_diff(base, target)
    if diff:
        assert git_apply(base, diff, tmp_path) == target


@given(trees, trees)
def test_unidiff_reads_the_same_changes(base: Tree, target: Tree) -> None:
    patch = PatchSet(make_diff(base, target))
    assert [file.path for file in patch] == [
        path for path in EDITABLE if base[path] != target[path]
    ]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data(), trees, trees)
def test_a_damaged_diff_never_means_something_else_than_to_git(
    tmp_path: Path, data: st.DataObject, base: Tree, target: Tree
) -> None:
    """One line dropped, doubled or swapped in: refused, or what git understands too."""
    lines = make_diff(base, target).split("\n")
    at = data.draw(st.integers(0, len(lines) - 1))
    new = data.draw(
        st.sampled_from([[], [lines[at], lines[at]], ["@@ -1,1 +1,2 @@"], ["+a"], [" a"]])
    )
    diff = "\n".join([*lines[:at], *new, *lines[at + 1 :]])
    try:
        result = apply_diff(base, diff, EDITABLE)
    except DiffError:
        return
    assert not diff or git_apply(base, diff, tmp_path) in (result, None)


@given(st.text())
def test_any_text_is_a_tree_or_a_diff_error(text: str) -> None:
    for diff in (text, f"--- a/train.py\n+++ b/train.py\n{text}"):
        try:
            result = apply_diff(BASE, diff, EDITABLE)
        except DiffError:
            continue
        assert result == BASE


def headers(path: str) -> str:
    return f"--- a/{path}\n+++ b/{path}\n"


CHANGE = "@@ -1 +1 @@\n-import math\n+import os\n"

REFUSED: Mapping[str, str] = {
    "stranger": headers("prepare.py") + CHANGE,
    "parent folder": headers("../train.py") + CHANGE,
    "absolute": headers("/etc/passwd") + CHANGE,
    "new file": "--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+x\n",
    "deleted file": "--- a/model.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-import math\n",
    "rename": "--- a/model.py\n+++ b/train.py\n" + CHANGE,
    "git rename": "diff --git a/model.py b/x.py\nrename from model.py\nrename to x.py\n",
    "symlink": "diff --git a/x b/x\nnew file mode 120000\n" + headers("x") + CHANGE,
    "mode": "diff --git a/model.py b/model.py\nold mode 100644\nnew mode 100755\n",
    "binary": "Binary files a/model.py and b/model.py differ\n",
    "git binary": "diff --git a/model.py b/model.py\nGIT binary patch\nliteral 1\nIcmZ\n",
    "prose before": "I would try this:\n" + headers("model.py") + CHANGE,
    "prose after": headers("model.py") + CHANGE + "and so on\n",
    "same file twice": headers("model.py") + CHANGE + headers("model.py") + CHANGE,
    "out of order": headers("train.py") + "@@ -1 +1 @@\n-one\n+1\n" + headers("model.py") + CHANGE,
    "no hunk": headers("model.py"),
    "empty hunk": headers("model.py") + "@@ -0,0 +0,0 @@\n",
    "hunk of context only": headers("model.py") + "@@ -1 +1 @@\n import math\n",
    "other line": headers("train.py") + "@@ -2 +2 @@\n-one\n+1\n",
    "beyond the end": headers("model.py") + "@@ -9,0 +2 @@\n+x\n",
    "lands elsewhere": headers("model.py") + "@@ -1 +2 @@\n-import math\n+import os\n",
    "overlap": headers("train.py") + "@@ -1 +1 @@\n-one\n+1\n@@ -1 +1 @@\n-one\n+1\n",
    "too few lines": headers("model.py") + "@@ -1 +1,2 @@\n-import math\n+import os\n",
    "section text": headers("model.py") + "@@ -1 +1 @@ def f():\n-import math\n+import os\n",
    "line lost its end": headers("train.py")
    + "@@ -1 +1 @@\n-one\n+1\n\\ No newline at end of file\n",
    "carriage return": headers("model.py") + "@@ -1 +1 @@\n-import math\n+x\rimport os\n",
    "reordered text": headers("model.py") + "@@ -1 +1 @@\n-import math\n+x = '\u202e'\n",
    "huge line number": headers("model.py") + f"@@ -{'9' * 5000} +1 @@\n-import math\n+x\n",
    "unicode digits": headers("model.py") + "@@ -١ +1 @@\n-import math\n+x\n",
    "surrogate": headers("model.py") + "@@ -1 +1 @@\n-import math\n+\ud800\n",
    "large": headers("model.py") + f"@@ -1 +1 @@\n-import math\n+{'x' * MAX_DIFF_BYTES}\n",
    "ten megabytes": "x" * 10_000_000,
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(DiffError):
        apply_diff(BASE, REFUSED[name], EDITABLE)


def test_a_diff_written_by_hand() -> None:
    diff = headers("model.py") + CHANGE + headers("train.py") + "@@ -1,2 +1,2 @@\n-one\n+1\n two\n"
    changed = apply_diff(BASE, diff, EDITABLE)
    assert changed == {"model.py": b"import os\n", "train.py": TEXT.replace("one", "1").encode()}


def test_a_file_in_the_tree_that_is_not_editable_is_refused() -> None:
    with pytest.raises(DiffError, match=r"'model\.py' is not an editable file"):
        apply_diff(BASE, headers("model.py") + CHANGE, {"train.py"})


def test_the_base_is_left_alone() -> None:
    apply_diff(BASE, headers("model.py") + CHANGE, EDITABLE)
    assert BASE["model.py"] == b"import math\n"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"train.py": b"x"}, "appear or vanish"),
        ({**BASE, "model.py": b"\xff"}, "not UTF-8"),
        ({**BASE, "model.py": b"a\x00b\n"}, "control character"),
        ({**BASE, "model.py": b"#" * MAX_DIFF_BYTES}, "over 65536 bytes"),
    ],
)
def test_what_a_record_could_not_carry_has_no_diff(target: Tree, reason: str) -> None:
    with pytest.raises(DiffError, match=reason):
        make_diff(BASE, target)

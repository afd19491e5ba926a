"""
How one tree becomes another: unified diffs, made and applied as pure functions.

The grammar is the narrow one that `make_diff` writes: for every changed file, in
the order of paths, `--- a/PATH`, `+++ b/PATH` and hunks. There is no way to say
"new file", "rename", "mode" or "binary", so there is nothing to refuse later.

Law: `apply_diff` is total and strict. Any text gives a tree or a `DiffError`,
every hunk applies at exactly the lines it names, and only editable files change.
Whether a record is valid hangs on it, so it depends on no library's leniency.

Source: https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from swarm.tree import Tree

MAX_DIFF_BYTES = 64 * 1024
CONTEXT_LINES = 3

_NO_NEWLINE = "\\ No newline at end of file\n"
_HUNK = re.compile(r"@@ -(\d{1,6})(?:,(\d{1,6}))? \+(\d{1,6})(?:,(\d{1,6}))? @@\n", re.ASCII)
# Characters that no record may carry (see `swarm.fields`), newline and tab apart.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class DiffError(ValueError):
    """A diff cannot be made or does not apply; the message names the place."""


@dataclass(frozen=True, slots=True)
class _Hunk:
    """Lines `before` of a file, from index `start`, become `after`."""

    start: int
    new_start: int
    before: tuple[str, ...]
    after: tuple[str, ...]


def make_diff(base: Tree, target: Tree) -> str:
    """
    The unified diff from `base` to `target`, with three lines of context.

    Returns:
        Text that `apply_diff` turns back into `target`; empty if they are equal.

    Raises:
        DiffError: The trees have different files, a changed file is not plain
            UTF-8 text, or the diff is over `MAX_DIFF_BYTES`.
    """
    if base.keys() != target.keys():
        raise DiffError(f"files appear or vanish: {sorted(base.keys() ^ target.keys())}")
    parts = (_file_diff(path, base[path], target[path]) for path in sorted(base))
    diff = "".join(parts)
    _check_text(diff)
    return diff


def apply_diff(base: Tree, diff: str, editable: Collection[str]) -> Tree:
    """
    The tree that `diff` makes of `base`.

    Args:
        base: The tree the diff was made against; every context line must match.
        diff: Untrusted text; empty changes nothing.
        editable: The paths that a diff may touch.

    Raises:
        DiffError: Not this grammar, too large, a path that is not editable, or
            lines that are not those of `base`.
    """
    _check_text(diff)
    tree = dict(base)
    previous = ""
    for path, hunks in _files(_lines(diff)):
        if path <= previous:
            raise DiffError(f"{path!r} comes twice or out of order")
        if path not in editable or path not in base:
            raise DiffError(f"{path[:200]!r} is not an editable file of this task")
        tree[path] = _patched(path, base[path], hunks)
        previous = path
    return tree


def _check_text(diff: str) -> None:
    """Refuse what a record could not carry, before any work is spent on it."""
    if len(diff) > MAX_DIFF_BYTES or len(diff.encode(errors="replace")) > MAX_DIFF_BYTES:
        raise DiffError(f"the diff is over {MAX_DIFF_BYTES} bytes")
    if found := _INVISIBLE.search(diff):
        raise DiffError(f"the diff holds a control character, {found[0]!r}")


def _lines(text: str) -> list[str]:
    """Lines with their ends. Only \\n ends a line: `splitlines` also breaks on \\f."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _text(path: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DiffError(f"{path!r} is not UTF-8 text") from error


def _file_diff(path: str, before: bytes, after: bytes) -> str:
    if before == after:
        return ""
    lines = unified_diff(
        _lines(_text(path, before)),
        _lines(_text(path, after)),
        f"a/{path}",
        f"b/{path}",
        n=CONTEXT_LINES,
    )
    return "".join(line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}" for line in lines)


def _files(lines: Sequence[str]) -> Iterator[tuple[str, list[_Hunk]]]:
    """Every file's path and hunks, in the order of the text."""
    at = 0
    while at < len(lines):
        path = _path(lines, at)
        at, hunks = at + 2, list[_Hunk]()
        while at < len(lines) and lines[at].startswith("@@"):
            at, hunk = _hunk(lines, at)
            hunks.append(hunk)
        if not hunks:
            raise DiffError(f"line {at + 1} of the diff: expected a hunk of {path!r}")
        yield path, hunks


def _path(lines: Sequence[str], at: int) -> str:
    """The path in the two header lines at `at`, which must name the same file."""
    old = lines[at]
    if not old.startswith("--- a/") or not old.endswith("\n"):
        raise DiffError(f"line {at + 1} of the diff: expected '--- a/PATH'")
    path = old[6:-1]
    if lines[at + 1 : at + 2] != [f"+++ b/{path}\n"]:
        raise DiffError(f"line {at + 2} of the diff: expected '+++ b/{path[:200]}'")
    return path


def _hunk(lines: Sequence[str], at: int) -> tuple[int, _Hunk]:
    """The hunk whose header is line `at`, and the index of the line after it."""
    header = _HUNK.fullmatch(lines[at])
    if header is None:
        raise DiffError(f"line {at + 1} of the diff: not a hunk header")
    old, old_count, new, new_count = (int(text or 1) for text in header.groups())
    before, after = list[str](), list[str]()
    end = at + 1
    while end < len(lines) and (len(before), len(after)) != (old_count, new_count):
        end = _take(lines, end, before, after)
    if (len(before), len(after)) != (old_count, new_count):
        raise DiffError(f"line {at + 1} of the diff: the hunk has other lines than it says")
    if before == after:
        raise DiffError(f"line {at + 1} of the diff: the hunk changes nothing")
    start = old - 1 if old_count else old
    new_start = new - 1 if new_count else new
    return end, _Hunk(start, new_start, tuple(before), tuple(after))


def _take(lines: Sequence[str], at: int, before: list[str], after: list[str]) -> int:
    """Add the line at `at` to the sides it belongs to; the index of the next."""
    mark, text = lines[at][:1], lines[at][1:]
    if mark not in (" ", "-", "+") or not text.endswith("\n"):
        raise DiffError(f"line {at + 1} of the diff: expected a line of a hunk")
    at += 1
    if lines[at : at + 1] == [_NO_NEWLINE]:
        text, at = text[:-1], at + 1
    if mark != "+":
        before.append(text)
    if mark != "-":
        after.append(text)
    return at


def _patched(path: str, content: bytes, hunks: Sequence[_Hunk]) -> bytes:
    old, new = _lines(_text(path, content)), list[str]()
    done = 0
    for hunk in hunks:
        end = hunk.start + len(hunk.before)
        inside = done <= hunk.start and end <= len(old)
        if not inside or tuple(old[hunk.start : end]) != hunk.before:
            raise DiffError(f"{path!r}: the hunk at line {hunk.start + 1} does not match the base")
        new += old[done : hunk.start]
        if len(new) != hunk.new_start:
            raise DiffError(f"{path!r}: the hunk at line {hunk.start + 1} lands elsewhere")
        new += hunk.after
        done = end
    new += old[done:]
    if any(not line.endswith("\n") for line in new[:-1]):
        raise DiffError(f"{path!r}: a line without an end in the middle of the file")
    return "".join(new).encode()

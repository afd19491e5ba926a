"""
Pieces of code that a script might do without.

Two kinds of cut are found: taking back one change that separates the champion from the
task's baseline, and leaving out one statement, with all that is in it. A cut takes the
whole lines of what it removes, and nothing is run to find it.

Law: code that asks for a setting stays, since without it a knob would turn nothing and
the search would be poorer; so does what other code names, and what a cut leaves behind
still parses.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass

MAX_BYTES = 64 * 1024
LEAST_SHARE = 0.04
"""Of the script's syntax tree; a smaller statement makes nothing simpler."""
_BLOCKS = ("body", "orelse", "finalbody")


@dataclass(frozen=True, slots=True)
class Cut:
    """A source without something, and what that was, in words."""

    source: bytes
    what: str


def cuts(source: bytes, baseline: bytes, settings: Collection[str]) -> Iterator[Cut]:
    """
    What could be left out of a source: changes taken back first, then statements, large ones first.

    Args:
        settings: Names whose mention keeps a statement.
    """
    tree = _parsed(source)
    if tree is None:
        return
    yield from _taken_back(source, baseline)
    yield from _left_out(source, tree, settings)


def _taken_back(source: bytes, baseline: bytes) -> Iterator[Cut]:
    now, before = source.splitlines(keepends=True), baseline.splitlines(keepends=True)
    matcher = difflib.SequenceMatcher(None, now, before, autojunk=False)
    for kind, start, end, old_start, old_end in matcher.get_opcodes():
        if kind == "equal" or end - start <= old_end - old_start:
            continue
        shorter = b"".join([*now[:start], *before[old_start:old_end], *now[end:]])
        if _parsed(shorter) is not None:
            yield Cut(shorter, f"take back the change of lines {start + 1} to {end}")


def _left_out(source: bytes, tree: ast.Module, settings: Collection[str]) -> Iterator[Cut]:
    lines = source.splitlines(keepends=True)
    named = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    named += [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    found = [
        statement
        for block in _blocks(tree)
        for statement in block
        if len(block) > 1 or block is tree.body
    ]
    least = LEAST_SHARE * _count(tree)
    found = [statement for statement in found if _count(statement) >= least]
    for statement in sorted(found, key=lambda each: (-_count(each), each.lineno)):
        if _mentions(statement, settings) or _is_needed(statement, named):
            continue
        start, end = _lines_of(statement)
        shorter = b"".join([*lines[: start - 1], *lines[end:]])
        if _parsed(shorter) is not None:
            yield Cut(shorter, f"leave out {_words(statement)} at line {start}")


def _count(node: ast.AST) -> int:
    return sum(1 for _ in ast.walk(node))


def _blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    """Every list of statements."""
    for node in ast.walk(tree):
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if isinstance(block, list) and block:
                yield block


def _mentions(statement: ast.stmt, settings: Collection[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in settings for node in ast.walk(statement))


def _is_needed(statement: ast.stmt, named: list[str]) -> bool:
    """Whether it is an import or an ending, or defines what is named outside of it."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.Return | ast.Raise | ast.Pass):
        return True
    if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return False
    within = [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return named.count(statement.name) > within.count(statement.name)


def _lines_of(statement: ast.stmt) -> tuple[int, int]:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    return first, statement.end_lineno or statement.lineno


def _words(statement: ast.stmt) -> str:
    name = getattr(statement, "name", None)
    kind = type(statement).__name__.removesuffix("Def").lower()
    return f"{kind} {name}" if isinstance(name, str) else f"one {kind}"


def _parsed(source: bytes) -> ast.Module | None:
    if len(source) > MAX_BYTES:
        return None
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

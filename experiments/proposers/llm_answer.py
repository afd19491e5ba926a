"""
What a language model answers: one idea, as search/replace edits of editable files.

The answer is asked for as JSON by a schema; where the endpoint knows none, the JSON is
looked for in the text. Either way it is read here, as strictly as a stranger's record.

Law: an answer is data. It gives a tree with the same files, small enough and of code that
compiles, or it is refused with a sentence that names the fault. Nothing in it is run,
opened, fetched or looked up, and it can say nothing else than an edit.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from swarm.families import FAMILIES
from swarm.fields import Fields, RecordError
from swarm.tree import Tree, TreeError, check_bounds

MAX_ANSWER_BYTES = 256 * 1024
MAX_EDITS = 16
MAX_TITLE = 120
MAX_RATIONALE = 2000
MAX_PATH = 200
MAX_TEXT_BYTES = 32 * 1024
_TRIES = 64
"""Objects that are looked for in one answer."""

IDEA_FAMILIES = tuple(family for family in FAMILIES if family != "fold")
"""What an idea may belong to; folds are made of wins, not of words."""


class AnswerError(ValueError):
    """An answer that is no usable idea; the message says why, in words for the model too."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Text that occurs once in a file, and what stands there instead."""

    path: str
    search: str
    replace: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One idea in words, and the edits that make it."""

    title: str
    rationale: str
    family: str
    edits: tuple[Edit, ...]


SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "description": "What changes, at most 100 characters."},
        "rationale": {"type": "string", "description": "Why it should help, in 1 to 4 sentences."},
        "family": {"type": "string", "enum": list(IDEA_FAMILIES)},
        "edits": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "search": {"type": "string", "description": "Occurs exactly once in the file."},
                    "replace": {"type": "string"},
                },
                "required": ["path", "search", "replace"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["title", "rationale", "family", "edits"],
    "additionalProperties": False,
}
"""What is asked for. Bounds are not in it, as endpoints differ in those they know."""


def read_answer(text: str) -> Answer:
    """
    The idea in the text of an answer.

    Args:
        text: Untrusted; JSON, or prose with JSON in it, the last such object counting.

    Raises:
        AnswerError: There is none, or it breaks a bound.
    """
    if len(text) > MAX_ANSWER_BYTES or len(text.encode(errors="replace")) > MAX_ANSWER_BYTES:
        raise AnswerError(f"the answer is over {MAX_ANSWER_BYTES} bytes")
    return answer_of(_sorted(_found(text)))


def answer_of(value: object) -> Answer:
    """
    The idea that a map holds, its keys in order and its lists tuples.

    Raises:
        AnswerError: It is no such map, or breaks a bound.
    """
    try:
        return _answer(Fields(value, _TOP, ""))
    except RecordError as error:
        raise AnswerError(str(error).replace("record:", "answer:")) from error


def edited(tree: Tree, edits: Sequence[Edit], baseline: Tree) -> Tree:
    """
    The tree with edits made, one after the other.

    Args:
        tree: The editable files; no others can be named.
        baseline: The task's, against which the size is bounded.

    Raises:
        AnswerError: A path that is not there, text that does not occur exactly once, a
            tree that is too large, or code that does not compile.
    """
    changed = dict(tree)
    for edit in edits:
        changed[edit.path] = _replaced(changed, edit)
    if changed == tree:
        raise AnswerError("the edits change nothing")
    try:
        check_bounds(changed, baseline)
    except TreeError as error:
        raise AnswerError(str(error)) from error
    for path in sorted(changed):
        if path.endswith(".py") and changed[path] != tree[path]:
            _check_compiles(path, changed[path])
    return changed


_TOP = ("edits", "family", "rationale", "title")
_EDIT = ("path", "replace", "search")


def _answer(fields: Fields) -> Answer:
    edits = fields.array("edits", MAX_EDITS, least=1)
    return Answer(
        title=fields.line("title", MAX_TITLE),
        rationale=fields.text("rationale", MAX_RATIONALE),
        family=fields.one_of("family", IDEA_FAMILIES),
        edits=tuple(
            _edit(Fields(edit, _EDIT, f"edits.{number}")) for number, edit in enumerate(edits)
        ),
    )


def _edit(fields: Fields) -> Edit:
    return Edit(
        path=fields.line("path", MAX_PATH),
        search=fields.code("search", MAX_TEXT_BYTES),
        replace="" if fields.value("replace") == "" else fields.code("replace", MAX_TEXT_BYTES),
    )


def _found(text: str) -> object:
    """The JSON in a text: all of it, or else the last object that has edits."""
    whole = _parsed(text.strip())
    if isinstance(whole, dict):
        return cast("object", whole)
    found = list(_objects(text))
    if not found:
        raise AnswerError("no JSON object with edits in the answer; was it cut off?")
    return found[-1]


def _objects(text: str) -> Iterator[object]:
    """Objects that name edits, each begun at a brace; no more than a few are tried."""
    at, tries = 0, 0
    while tries < _TRIES and (at := text.find("{", at)) != -1:
        if text[at + 1 : at + 200].lstrip()[:1] != '"':
            at += 1
            continue
        tries += 1
        value, end = _parsed_from(text, at)
        if isinstance(value, dict) and "edits" in value:
            yield cast("object", value)
        at = end


def _parsed(text: str) -> object:
    value, end = _parsed_from(text, 0) if text.startswith("{") else (None, 0)
    return value if end == len(text) else None


def _parsed_from(text: str, at: int) -> tuple[object, int]:
    """The JSON value that begins at a place and where it ends; None and the next place if none."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at + 1


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key comes twice")
    return found


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse)


def _sorted(value: object, depth: int = 4) -> object:
    """Maps with their keys in order and lists as tuples, as `Fields` reads them."""
    if depth == 0:
        return None
    if isinstance(value, dict):
        items = cast("dict[str, object]", value)
        return {key: _sorted(items[key], depth - 1) for key in sorted(items)}
    if isinstance(value, list):
        return tuple(_sorted(item, depth - 1) for item in cast("list[object]", value))
    return value


def _replaced(tree: Tree, edit: Edit) -> bytes:
    if edit.path not in tree:
        names = ", ".join(sorted(tree))
        raise AnswerError(f"{edit.path!r} is not an editable file; there are {names}")
    try:
        text = tree[edit.path].decode()
    except UnicodeDecodeError:
        raise AnswerError(f"{edit.path} is not UTF-8 text") from None
    at = text.find(edit.search)
    if at == -1:
        raise AnswerError(f"the search text {edit.search[:60]!r} does not occur in {edit.path}")
    if text.find(edit.search, at + 1) != -1:
        raise AnswerError(f"the search text {edit.search[:60]!r} occurs twice in {edit.path}")
    changed = text[:at] + edit.replace + text[at + len(edit.search) :]
    return changed.encode()


def _check_compiles(path: str, source: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(source, path, "exec", dont_inherit=True)
        except SyntaxError as error:
            raise AnswerError(
                f"{path} does not compile: {error.msg}, line {error.lineno}"
            ) from None
        except (ValueError, RecursionError, MemoryError, OverflowError) as error:
            raise AnswerError(f"{path} does not compile: {type(error).__name__}") from None

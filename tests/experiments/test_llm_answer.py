"""What a model says is read as an edit of editable files, or refused with a reason."""

from __future__ import annotations

import base64
import json
import random
import time

import pytest

from experiments.proposers.llm_answer import (
    MAX_ANSWER_BYTES,
    MAX_EDITS,
    SCHEMA,
    Answer,
    AnswerError,
    Edit,
    edited,
    read_answer,
)
from experiments.task_folder import load_task
from tests.experiments.llm_server import GOOD

QUICK = load_task("quick").task
BASE = QUICK.baseline


def words(**changes: object) -> str:
    return json.dumps({**GOOD, **changes})


def edit(**changes: object) -> list[dict[str, object]]:
    return [{"path": "train.py", "search": "a", "replace": "b", **changes}]


@pytest.mark.parametrize(
    "text",
    [
        words(),
        f"  {words()}\n",
        f"Sure! Here it is:\n```json\n{words()}\n```\nGood luck.",
        f"<think>maybe {{}} or {{'a': 1}} or {words(title='no')}?</think>{words()}",
        f'First {{"a": {{"b": 1}}}}, then {words()}',
    ],
    ids=["JSON", "with space", "fenced", "after thinking", "among other JSON"],
)
def test_an_answer_is_found_in_what_was_said(text: str) -> None:
    assert read_answer(text) == Answer(
        "A small shift",
        "It starts nearer to the best place.",
        "init",
        (Edit("train.py", 'SHIFT = "none"', 'SHIFT = "small"'),),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON object"),
        ("I would rather not.", "no JSON object"),
        (words()[:-20], "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"a":' * 50_000, "no JSON object"),
        ("[]", "no JSON object"),
        (words(title="a", more=1), "unknown field 'more'"),
        (json.dumps({**GOOD, "edits": edit(mode="exec")}), "unknown field 'mode'"),
        (json.dumps({key: GOOD[key] for key in ("title", "edits")}), "family is missing"),
        (words().replace('"title"', '"title": "x", "title"'), "no JSON object"),
        (words(title="x" * 121), "title: expected text of 1 to 120"),
        (words(title=""), "title: expected text"),
        (words(title="a\u202eb"), "title: the character"),
        (words(title="a\nb"), "title: the character"),
        (words(title="\x1b[31mred"), "title: the character"),
        (words(title="\ud800"), "title: the character"),
        (words(title=7), "title: expected text"),
        (words(rationale="x" * 2001), "rationale: expected text"),
        (words(rationale="\u2066"), "rationale: the character"),
        (words(family="fold"), "family: expected one of"),
        (words(family="rm -rf"), "family: expected one of"),
        (words(edits=[]), "edits: expected an array of 1"),
        (words(edits=edit() * (MAX_EDITS + 1)), "edits: expected an array of 1"),
        (words(edits={"path": "train.py"}), "edits: expected an array"),
        (words(edits=["train.py"]), "edits.0: expected a map"),
        (words(edits=edit(search="")), "edits.0.search: expected text"),
        (words(edits=edit(search="x" * 40_000)), "edits.0.search: expected text"),
        (words(edits=edit(replace="\x00")), "edits.0.replace: the character"),
        (words(edits=edit(replace="\u202e")), "edits.0.replace: the character"),
        (words(edits=edit(replace=None)), "edits.0.replace: expected text"),
        (words(edits=edit(path=["train.py"])), "edits.0.path: expected text"),
        (words(edits=[[[[[0]]]]]), "edits.0: expected a map"),
        ("NaN", "no JSON object"),
        ("9" * 100_000, "no JSON object"),
        (words(title="x" * MAX_ANSWER_BYTES), "over"),
    ],
)
def test_anything_else_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(AnswerError, match=why):
        read_answer(text)


def test_braces_without_end_take_no_time() -> None:
    began = time.monotonic()
    for text in ('{"' * 100_000, '{"edits": [' * 20_000, '{"a": 1} ' * 20_000, "{" * 250_000):
        with pytest.raises(AnswerError):
            read_answer(text)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (Edit("../../.bashrc", "a", "b"), "not an editable file; there are train.py"),
        (Edit("/etc/passwd", "root", "b"), "not an editable file"),
        (Edit("prepare.py", "def ", "b"), "not an editable file"),
        (Edit("train.py/../prepare.py", "def ", "b"), "not an editable file"),
        (Edit("train.py", "no such text anywhere", "b"), "does not occur in train.py"),
        (Edit("train.py", "import", "b"), "occurs twice in train.py"),
        (Edit("train.py", "DEPTH = 2", "DEPTH = 2"), "change nothing"),
        (Edit("train.py", "DEPTH = 2", "DEPTH = ("), "train.py does not compile: .*line"),
        (Edit("train.py", "DEPTH = 2", "return 2"), "does not compile"),
        (Edit("train.py", "DEPTH = 2", "X = " + "(" * 5000), "does not compile"),
        (Edit("train.py", "DEPTH = 2", "X = " + "-" * 30_000 + "1"), "does not compile"),
    ],
)
def test_edits_that_do_not_fit_are_refused(change: Edit, why: str) -> None:
    with pytest.raises(AnswerError, match=why):
        edited(BASE, [change], BASE)


def test_a_tree_outgrows_its_bounds_by_no_number_of_edits() -> None:
    """In size, and in what it could hide: text that does not compress."""
    noise = base64.b85encode(random.Random(1).randbytes(6000)).decode()
    for texts in (["x" * 32_000, "y" * 32_000], [noise]):
        edits = [Edit("train.py", "DEPTH = 2", f"# {text}\nDEPTH = 2") for text in texts]
        with pytest.raises(AnswerError, match="at most"):
            edited(BASE, edits, BASE)


def test_edits_are_made_one_after_the_other() -> None:
    changes = [
        Edit("train.py", "DEPTH = 2", "DEPTH = 3"),
        Edit("train.py", "DEPTH = 3  # blocks", "DEPTH = 4"),
    ]
    tree = edited(BASE, changes, BASE)
    assert tree.keys() == BASE.keys()
    assert tree["train.py"] == BASE["train.py"].replace(b"DEPTH = 2  # blocks", b"DEPTH = 4")


def test_overlapping_places_are_two() -> None:
    tree = {"train.py": b"x = 'aaa'\n"}
    with pytest.raises(AnswerError, match="twice"):
        edited(tree, [Edit("train.py", "aa", "b")], tree)


def test_files_that_are_no_text_stay_as_they_are() -> None:
    tree = {"data.bin": b"\xff\xfe", "train.py": b"x = 1\n"}
    with pytest.raises(AnswerError, match="not UTF-8"):
        edited(tree, [Edit("data.bin", "a", "b")], tree)


def test_the_schema_is_one_that_strict_endpoints_take() -> None:
    """All properties required, none besides, and no keywords that some do not know."""

    def check(schema: object) -> None:
        if isinstance(schema, dict):
            if schema.get("type") == "object":  # pyright: ignore[reportUnknownMemberType]
                assert schema["additionalProperties"] is False
                assert sorted(schema["required"]) == sorted(schema["properties"])  # pyright: ignore[reportUnknownArgumentType]
            for key, value in schema.items():  # pyright: ignore[reportUnknownVariableType]
                assert key not in ("maxLength", "maxItems", "pattern", "default")
                check(value)  # pyright: ignore[reportUnknownArgumentType]

    check(SCHEMA)

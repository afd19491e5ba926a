"""The settings block: what Python would read, and nothing that Python would run."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.settings_block import (
    END,
    START,
    Scalar,
    SettingsBlockError,
    read_literals,
    read_settings,
    write_literals,
    write_settings,
)

SOURCE = f"""\
import torch

{START}
# what is trained
LEARNING_RATE = 3e-4  # Adam, Kingma & Ba 2014
layers = 2
TIED = False

NORM = "post"  # "pre" or 'post', # either
OPTIMIZER = 'adam'
BUDGET = 1_048_576
DECAY = -0.5
{END}

LATER = 1
""".encode()

VALUES: dict[str, Scalar] = {
    "LEARNING_RATE": 3e-4,
    "layers": 2,
    "TIED": False,
    "NORM": "post",
    "OPTIMIZER": "adam",
    "BUDGET": 1048576,
    "DECAY": -0.5,
}

plain = st.text(
    st.characters(codec="ascii", exclude_characters="\"'\\", min_codepoint=32, max_codepoint=126),
    max_size=20,
)
scalars: st.SearchStrategy[Scalar] = st.one_of(
    st.booleans(),
    st.integers(-(10**18) + 1, 10**18 - 1),
    st.floats(min_value=1e-4, max_value=1e80),
    st.just(0.0),
    plain,
)


def block(body: str) -> bytes:
    return f"{START}\n{body}\n{END}\n".encode()


def test_reads_the_values_of_the_block_only() -> None:
    assert read_settings(SOURCE) == VALUES
    assert [type(value) for value in read_settings(SOURCE).values()] == list(
        map(type, VALUES.values())
    )


def test_reads_what_python_reads() -> None:
    globals_: dict[str, object] = {}
    exec(SOURCE.decode().replace("import torch", ""), globals_)
    assert {name: globals_[name] for name in VALUES} == VALUES


def test_writes_literals_and_leaves_every_other_byte() -> None:
    changed = write_settings(
        SOURCE, {"LEARNING_RATE": 0.01, "NORM": "pre", "TIED": True, "BUDGET": 7}
    )
    expected = SOURCE.decode().replace("3e-4", "0.01").replace('"post"  #', '"pre"  #')
    expected = expected.replace("TIED = False", "TIED = True").replace("1_048_576", "7")
    assert changed.decode() == expected


def test_a_value_that_is_there_already_keeps_its_spelling() -> None:
    assert write_settings(SOURCE, {"LEARNING_RATE": 0.0003, "OPTIMIZER": "adam"}) == SOURCE


def test_one_and_true_and_one_point_nought_are_three_values() -> None:
    source = block("A = 1")
    assert write_settings(source, {"A": True}) == block("A = True")
    assert write_settings(source, {"A": 1.0}) == block("A = 1.0")


@given(st.sampled_from(sorted(VALUES)), scalars)
def test_what_is_written_is_read_back_and_python_agrees(name: str, value: Scalar) -> None:
    changed = write_settings(SOURCE, {name: value})
    assert repr(read_settings(changed)) == repr({**VALUES, name: value})
    assert repr(ast.literal_eval(read_literals(changed)[name])) == repr(value)


@given(st.text(max_size=40))
def test_any_line_is_a_setting_a_comment_or_an_error(text: str) -> None:
    """Whatever the block accepts, Python reads the same plain values from it."""
    try:
        settings = read_settings(block(f"A = {text}"))
    except SettingsBlockError:
        return
    module = ast.parse(f"A = {text}")
    assert [type(node) for node in module.body] == [ast.Assign]
    assert repr(settings["A"]) == repr(ast.literal_eval(module.body[0].value))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "line",
    [
        "A = 1; import os",
        "A = __import__('os')",
        "A = 1  # x\rimport os",
        "A = 'a' 'b'",
        "A = 'it\\'s'",
        "A = f'x'",
        "A = 007",
        "A = 1e999",
        "A = nan",
        "A = 1" + "0" * 18,
        "A = ١",
        "A = '''",
        "A = [1]",
        "A == 1",
        "A.b = 1",
        "A=1",
        "import os",
        "  A = 1",
        "A = 1\nA = 2",
    ],
)
def test_refused(line: str) -> None:
    with pytest.raises(SettingsBlockError):
        read_settings(block(line))


@pytest.mark.parametrize(
    "source",
    [
        b"A = 1\n",
        f"{START}\nA = 1\n".encode(),
        f"{END}\n{START}\n".encode(),
        block("") * 2,
        b"\xff",
    ],
)
def test_a_source_without_one_block_is_refused(source: bytes) -> None:
    with pytest.raises(SettingsBlockError):
        read_settings(source)


def test_writing_refuses_unknown_names_and_values_that_are_not_plain() -> None:
    with pytest.raises(SettingsBlockError, match="no 'UNKNOWN'"):
        write_settings(SOURCE, {"UNKNOWN": 1})
    for value in ('"', "\n", "\\", float("inf"), float("nan"), 10**18):
        with pytest.raises(SettingsBlockError, match="not a plain literal"):
            write_settings(SOURCE, {"NORM": value})
    with pytest.raises(SettingsBlockError, match="not a plain literal"):
        write_literals(SOURCE, {"NORM": "1; import os"})

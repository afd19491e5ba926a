"""Every door for a stranger's bytes gives a value or its one typed error, never anything else."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.fuzz.doors import DOORS, Door, door

each_door = pytest.mark.parametrize("each", DOORS, ids=lambda each: each.name)


@each_door
def test_its_examples_are_accepted(each: Door) -> None:
    """So that edited examples come close to what it accepts."""
    assert all(each.accepts(example) for example in each.examples)


@each_door
def test_any_bytes_are_read_or_refused(each: Door) -> None:
    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=400))
    def run(data: bytes) -> None:
        each.accepts(data)
        each.accepts(each.input(b"\x01" + data))

    run()


@each_door
def test_edits_get_past_the_first_check(each: Door) -> None:
    """Some edited examples are accepted and some refused, or the fuzzing proves little."""
    drawn = random.Random(0)
    answers = {each.accepts(each.input(b"\x01" + drawn.randbytes(60))) for _ in range(600)}
    assert answers == {True, False}


def test_another_error_than_its_own_is_not_swallowed() -> None:
    """The fuzzing can fail: a door with a bug in it is seen."""

    def opens(data: bytes) -> object:
        raise KeyError(data)

    broken = Door("broken", opens, ValueError, (b"x",), lambda example, source: example)
    with pytest.raises(KeyError):
        broken.accepts(b"x")


@pytest.mark.parametrize(
    "number", ["1" + "0" * 400, "0x" + "f" * 5000, "9" * 5000, "-9223372036854775809"]
)
def test_integers_that_python_cannot_handle_are_refused(number: str) -> None:
    """Found by fuzzing: they were no float, or could not be printed in the refusal."""
    example = door("task file").examples[0].decode()
    for line in ("context = 32", "low = 1e-5", 'choices = ["layer", "rms"]'):
        assert line in example
        name = line.split(" = ")[0]
        value = f"[{number}, 1]" if name == "choices" else number
        assert not door("task file").accepts(example.replace(line, f"{name} = {value}").encode())

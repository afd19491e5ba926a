"""Text from a peer reaches the terminal as visible characters only."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.text import plain, plain_lines, shortened
from swarm.visible_text import MARKS_AT_MOST, slug


@settings(deadline=None)
@given(st.text())
def test_nothing_that_steers_a_terminal_comes_through(text: str) -> None:
    for line in [plain(text), *plain_lines(text)]:
        assert not [letter for letter in line if unicodedata.category(letter) in ("Cc", "Cf", "Cs")]


@settings(deadline=None)
@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_what_can_be_seen_is_kept(text: str) -> None:
    assert plain(text) == text


def test_an_escape_sequence_loses_its_escape() -> None:
    assert plain("good\x1b[31m\x07\u202e news\n") == "good[31m news"
    assert plain_lines("a\tb\x1b[2J\nc") == ["a    b[2J", "c"]


def test_long_text_is_cut_where_it_can_be_seen() -> None:
    assert shortened("abcdef", 6) == "abcdef"
    assert shortened("abcdef", 4) == "abc…"


@pytest.mark.parametrize("between", ["", "\u200d", "\u200b", "\x00"])
def test_a_letter_cannot_smear_over_the_lines_above(between: str) -> None:
    shown = plain("a" + between.join(["\u0301"] * 50) + "b")
    assert shown == "a" + "\u0301" * MARKS_AT_MOST + "b"


@settings(deadline=None)
@given(st.text())
def test_a_slug_is_a_name_on_every_system(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug(text))
    assert len(slug(text)) <= 40

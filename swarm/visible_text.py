"""
Text from peers, made safe to show.

Law: what a peer wrote reaches a reader as visible characters only. Escape
sequences, control characters, invisible marks and those that turn the direction
of writing are dropped, and no letter carries more than a few marks. Markup is
the business of who writes the page: this gives plain text, never markup.
"""

import re
import unicodedata

MARKS_AT_MOST = 4
"""Combining marks that one letter may carry; Vietnamese needs two, a smear over
the lines above and below needs dozens."""

_TAB = "    "
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ELSEWHERE = re.compile("[^a-z0-9]+")


def plain(text: str) -> str:
    """`text` as one line of visible characters."""
    return _visible(" ".join(text.split()))


def plain_lines(text: str) -> list[str]:
    """`text` as lines of visible characters; only a newline ends a line."""
    return [_visible(line.replace("\t", _TAB)) for line in text.split("\n")]


def shortened(text: str, length: int) -> str:
    """`text`, cut to `length` characters with an ellipsis where it is longer."""
    return text if len(text) <= length else text[: length - 1] + "…"


def short_id(record_id: str) -> str:
    """The end of a record id, enough for `swarm show`; ids of one kind begin alike."""
    return record_id[-10:]


def slug(text: str, length: int = 40) -> str:
    """`text` in lower-case ASCII letters, digits and hyphens, for names; may be empty."""
    return _ELSEWHERE.sub("-", text.lower())[:length].strip("-")


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    kept: list[str] = []
    marks = 0
    for letter in text:
        category = unicodedata.category(letter)
        if category in _INVISIBLE:
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MARKS_AT_MOST:
            kept.append(letter)
    return "".join(kept)

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

_FIXED_INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202f\u2060-\u206f\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U000e0000-\U0010ffff]"
)
_FIXED_MARKS = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
    f"{{{MARKS_AT_MOST}}})[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    "\ufe20-\ufe2f]+"
)
_TAB = "    "
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ELSEWHERE = re.compile("[^a-z0-9]+")


def plain(text: str) -> str:
    """`text` as one line of visible characters."""
    return _visible(" ".join(text.split()))


def steady(text: str) -> str:
    """
    `text` as one line, by rules that no version of Unicode changes.

    For text that must come out the same, byte by byte, on every machine. It keeps
    a few rare invisible characters that `plain` drops.
    """
    return _FIXED_MARKS.sub(r"\1", _FIXED_INVISIBLE.sub("", " ".join(text.split()))).strip()


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

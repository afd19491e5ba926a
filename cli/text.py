"""
Text from peers, made safe to print.

Law: what a peer wrote reaches the terminal as visible characters only. Escape
sequences, control characters and invisible direction marks are dropped; markup
is never interpreted, since callers print `rich.text.Text` and plain strings.
"""

import unicodedata

_TAB = "    "
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


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


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter for letter in text if unicodedata.category(letter) not in _INVISIBLE)

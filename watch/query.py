"""
What a reader may ask for, checked.

Law: every parameter is known, given once and within its bounds, or the answer is a
sentence that says which is not.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

LONGEST_VALUE = 128
LARGEST_NUMBER = 2**53


class QueryError(ValueError):
    """A parameter that cannot be; the text names it and what is expected."""


class Query:
    """
    The parameters of one request.

    Args:
        given: Names and values, in order.
        known: The names this path knows; `token` may be anywhere.

    Raises:
        QueryError: A name is unknown or given twice, or a value is too long.
    """

    def __init__(self, given: Sequence[tuple[str, str]], known: Collection[str]) -> None:
        names = [name for name, _ in given]
        for name, value in given:
            if name not in known and name != "token":
                expected = ", ".join(known) or "none"
                raise QueryError(f"unknown parameter {name[:40]!r}; there are: {expected}")
            if names.count(name) > 1:
                raise QueryError(f"{name}: given twice")
            if len(value) > LONGEST_VALUE:
                raise QueryError(f"{name}: longer than {LONGEST_VALUE} characters")
        self._values = dict(given)

    def number(self, name: str, default: int, least: int, most: int = LARGEST_NUMBER) -> int:
        """A whole number within bounds, `default` where it is not given."""
        text = self._values.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise QueryError(f"{name}: expected a whole number from {least} to {most}")
        return int(text)

    def word(self, name: str, words: Collection[str]) -> str | None:
        """One of some words, None where it is not given."""
        text = self._values.get(name)
        if text is not None and text not in words:
            raise QueryError(f"{name}: expected one of {', '.join(words)}")
        return text

    def text(self, name: str) -> str | None:
        """Any short text, None where it is not given."""
        return self._values.get(name)

"""
Reading one TOML table strictly.

Law: every key is asked for once, by name, type and bounds; a key nobody asked
for is an error too, so a typo never passes for a default.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from typing import TypeGuard, cast

_MAX_DOCUMENT_BYTES = 256 << 10
_MAX_LIST = 256
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class TableError(ValueError):
    """
    A document that does not say what it must.

    Attributes:
        key: Dotted path of the key at fault, "" for the document itself.
        problem: What is wrong with it and what is expected.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key
        self.problem = problem


class Table:
    """One table, read key by key and then closed with `done`."""

    def __init__(self, values: Mapping[str, object], path: str = "") -> None:
        self._values = dict(values)
        self._path = path

    @classmethod
    def parse(cls, document: bytes) -> Table:
        """The root table of a TOML document; raises TableError if it is not one."""
        if len(document) > _MAX_DOCUMENT_BYTES:
            raise TableError("", f"more than {_MAX_DOCUMENT_BYTES} bytes")
        try:
            return cls(tomllib.loads(document.decode()))
        except (ValueError, RecursionError) as error:  # bad UTF-8, bad TOML, too many digits
            raise TableError("", f"not valid TOML: {error}") from error

    def key(self, name: str) -> str:
        """The dotted path of a key of this table."""
        return f"{self._path}.{name}" if self._path else name

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None, *, most: int = 400) -> str:
        """A string of 1 to `most` characters without control characters but newline."""
        value = self._take(name, default)
        if not isinstance(value, str) or not 0 < len(value) <= most or _CONTROL.search(value):
            raise TableError(self.key(name), f"expected text of 1 to {most} characters")
        return value

    def choice(self, name: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """One of the given words."""
        value = self.text(name, default)
        if value not in choices:
            raise TableError(self.key(name), f"is {value!r}, expected one of {', '.join(choices)}")
        return value

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """An integer in [low, high]."""
        value = self._take(name, default)
        if type(value) is not int or not low <= value <= high:
            raise TableError(self.key(name), f"is {value!r}, expected an integer {low} … {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number in [low, high], as a float."""
        value = self._take(name, default)
        if not is_number(value) or not low <= value <= high:
            raise TableError(self.key(name), f"is {value!r}, expected a number {low} … {high}")
        return float(value)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise TableError(self.key(name), f"is {value!r}, expected true or false")
        return value

    def scalar(self, name: str) -> int | float | str | bool:
        """A number that is finite, a short string, true or false."""
        value = self._take(name, None)
        if isinstance(value, str) and len(value) <= 200:
            return value
        if isinstance(value, bool) or is_number(value):
            return value
        raise TableError(self.key(name), f"is {value!r}, expected a number, text, true or false")

    def items(self, name: str, default: list[object] | None = None) -> list[object]:
        """A list of at most `_MAX_LIST` values of any type."""
        value = self._take(name, default)
        if not isinstance(value, list) or len(cast("list[object]", value)) > _MAX_LIST:
            raise TableError(self.key(name), f"expected a list of at most {_MAX_LIST}")
        values = cast("list[object]", value)
        for item in values:
            self._check_size(name, item)
        return values

    def texts(self, name: str, default: list[object] | None = None) -> tuple[str, ...]:
        """A list of different, non-empty strings."""
        values = self.items(name, default)
        texts = tuple(value for value in values if isinstance(value, str) and value)
        if len(texts) != len(values) or len(set(texts)) != len(texts):
            raise TableError(self.key(name), "expected a list of different, non-empty strings")
        return texts

    def table(self, name: str) -> Table:
        """A table inside this one; an empty one if it is missing."""
        value = self._take(name, {})
        if not isinstance(value, dict):
            raise TableError(self.key(name), "expected a table")
        return Table(cast("dict[str, object]", value), self.key(name))

    def names(self) -> tuple[str, ...]:
        """The keys nobody has asked for yet, in the document's order."""
        return tuple(self._values)

    def done(self) -> None:
        """Raise TableError if a key is left that nobody asked for."""
        if self._values:
            raise TableError(self.key(next(iter(self._values))), "unknown key; remove it")

    def _take(self, name: str, default: object) -> object:
        value = self._values.pop(name, default)
        if value is None:
            raise TableError(self.key(name), "missing")
        self._check_size(name, value)
        return value

    def _check_size(self, name: str, value: object) -> None:
        """TOML's integers have 64 bits; Python reads any, and then can neither print nor use it."""
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise TableError(self.key(name), "an integer of more than 64 bits")


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; a bool is not one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

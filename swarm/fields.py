"""
Reading one map of untrusted values, field by field, within bounds.

Law: every reader gives a value of exactly the named type and range, or raises
`RecordError` with the field's path. Nothing is coerced: True is not 1, and 1.0
is not 1.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, NamedTuple, cast

from swarm.cid import is_cid
from swarm.peer_id import PeerIdError, public_key_of

INT_LIMIT = 2**63 - 1
LAST_MILLISECOND = 253_402_300_799_999  # 9999-12-31, the last day an ISO 8601 year can name

_TREE_HASH = re.compile("[0-9a-f]{64}")
# Control characters, characters that reorder the text around them, and lone surrogates.
_INVISIBLE = "\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff"


class _Refused(NamedTuple):
    """What a text may not hold: as a pattern, and its ASCII part for the quick way."""

    pattern: re.Pattern[str]
    controls: bytes


def _refused(more: str, *, allowed: str) -> _Refused:
    controls = bytes(code for code in (*range(32), 127) if chr(code) not in allowed)
    return _Refused(re.compile(f"(?![{allowed}])[{_INVISIBLE}{more}]"), controls)


_NOT_IN_LINE = _refused("\u2028\u2029", allowed=" ")
_NOT_IN_TEXT = _refused("", allowed="\n")
_NOT_IN_CODE = _refused("", allowed="\n\t")


class RecordError(ValueError):
    """A record, or bytes claiming to be one, breaks the schema; the message names the field."""


class Fields:
    """The fields of one map, under the path `where`; exactly `names`, in sorted order."""

    __slots__ = ("_values", "_where")

    def __init__(self, value: object, names: tuple[str, ...], where: str) -> None:
        if type(value) is not dict:
            raise RecordError(f"{where or 'record'}: expected a map")
        self._values = cast(dict[str, object], value)
        self._where = where
        if tuple(self._values) != names:
            self._refuse_names(names)

    def path(self, name: str) -> str:
        """Where the field `name` stands, from the record's top."""
        return f"{self._where}.{name}" if self._where else name

    def value(self, name: str) -> object:
        """The field as it came."""
        return self._values[name]

    def line(self, name: str, most: int, *, least: int = 1) -> str:
        """`least` to `most` characters on one line, none of them invisible control."""
        return self._text(self._values[name], name, least, most, _NOT_IN_LINE)

    def text(self, name: str, most: int) -> str:
        """At most `most` characters of prose; newlines allowed."""
        return self._text(self._values[name], name, 0, most, _NOT_IN_TEXT)

    def code(self, name: str, most_bytes: int) -> str:
        """1 to `most_bytes` of UTF-8 source text; newlines and tabs allowed."""
        text = self._text(self._values[name], name, 1, most_bytes, _NOT_IN_CODE)
        if not text.isascii() and len(text.encode()) > most_bytes:
            raise RecordError(f"{self.path(name)}: over {most_bytes} bytes")
        return text

    def one_of(self, name: str, allowed: Collection[str]) -> str:
        """One of the `allowed` words."""
        value = self._values[name]
        if type(value) is not str or value not in allowed:
            raise RecordError(f"{self.path(name)}: expected one of {', '.join(allowed)}")
        return value

    def integer(self, name: str, *, least: int = 0, most: int = INT_LIMIT) -> int:
        """An integer from `least` to `most`."""
        value = self._values[name]
        if type(value) is not int or not least <= value <= most:
            raise RecordError(f"{self.path(name)}: expected an integer from {least} to {most}")
        return value

    def instant(self, name: str) -> int:
        """Unix epoch milliseconds, until the year 9999."""
        return self.integer(name, most=LAST_MILLISECOND)

    def octets(self, name: str, count: int) -> bytes:
        """Exactly `count` bytes."""
        value = self._values[name]
        if type(value) is not bytes or len(value) != count:
            raise RecordError(f"{self.path(name)}: expected {count} bytes")
        return value

    def peer_id(self, name: str) -> str:
        """The peer id of an Ed25519 key."""
        text = self.line(name, 64)
        try:
            public_key_of(text)
        except PeerIdError as error:
            raise RecordError(f"{self.path(name)}: {error}") from error
        return text

    def cid(self, name: str) -> str:
        """An id of canonical bytes."""
        return self._cid(self._values[name], name)

    def cid_or_none(self, name: str) -> str | None:
        """An id of canonical bytes, or nothing."""
        value = self._values[name]
        return None if value is None else self._cid(value, name)

    def cids(self, name: str, most: int) -> tuple[str, ...]:
        """At most `most` different ids."""
        cids = tuple([self._cid(value, name) for value in self.array(name, most)])
        self._check_different(name, cids)
        return cids

    def tree_hash(self, name: str) -> str:
        """64 lower-case hexadecimal digits."""
        value = self._values[name]
        if type(value) is not str or not _TREE_HASH.fullmatch(value):
            raise RecordError(f"{self.path(name)}: expected a tree hash, 64 hexadecimal digits")
        return value

    def lines(self, name: str, most: int, most_characters: int) -> tuple[str, ...]:
        """At most `most` lines of 1 to `most_characters` characters, as `line` reads one."""
        return tuple(
            self._text(value, f"{name}.line", 1, most_characters, _NOT_IN_LINE)
            for value in self.array(name, most)
        )

    def settings(self, name: str, most: int) -> tuple[tuple[str, str], ...]:
        """At most `most` knobs with their literals, no knob twice."""
        knobs: list[tuple[str, str]] = []
        for row in self.array(name, most):
            if type(row) is not tuple or len(cast(tuple[object, ...], row)) != 2:
                raise RecordError(f"{self.path(name)}: expected rows of a name and a literal")
            knob, literal = cast(tuple[object, object], row)
            knobs.append(
                (
                    self._text(knob, f"{name}.name", 1, 64, _NOT_IN_LINE),
                    self._text(literal, f"{name}.literal", 1, 256, _NOT_IN_LINE),
                )
            )
        if len({knob for knob, _ in knobs}) != len(knobs):
            raise RecordError(f"{self.path(name)}: the same knob twice")
        return tuple(knobs)

    def array(self, name: str, most: int, *, least: int = 0) -> tuple[object, ...]:
        """An array of `least` to `most` items of any type."""
        value = self._values[name]
        if type(value) is not tuple or not least <= len(cast(tuple[object, ...], value)) <= most:
            raise RecordError(f"{self.path(name)}: expected an array of {least} to {most} items")
        return cast(tuple[object, ...], value)

    def rows(
        self, name: str, width: int, most: int, *, least: int = 0, lowest: int = -INT_LIMIT
    ) -> tuple[tuple[int, ...], ...]:
        """`least` to `most` rows of `width` integers from `lowest` to `INT_LIMIT`."""
        rows: tuple[Any, ...] = self.array(name, most, least=least)
        if not rows:
            return rows
        if set(map(type, rows)) != {tuple} or set(map(len, rows)) != {width}:
            raise RecordError(f"{self.path(name)}: expected rows of {width} integers")
        cells = list(chain.from_iterable(rows))
        if set(map(type, cells)) != {int} or min(cells) < lowest or max(cells) > INT_LIMIT:
            raise RecordError(f"{self.path(name)}: expected integers from {lowest} on")
        return rows

    def seeded_rows(
        self, name: str, width: int, most: int, *, least: int = 0
    ) -> tuple[tuple[int, ...], ...]:
        """`rows` that begin with a seed each, no seed twice: repeats would feign evidence."""
        rows = self.rows(name, width, most, least=least)
        if not rows:
            return rows
        seeds = [row[0] for row in rows]
        if min(seeds) < 0:
            raise RecordError(f"{self.path(name)}: a seed is negative")
        self._check_different(name, seeds)
        return rows

    def _text(self, value: object, name: str, least: int, most: int, refused: _Refused) -> str:
        if type(value) is not str or not least <= len(value) <= most:
            raise RecordError(f"{self.path(name)}: expected text of {least} to {most} characters")
        if value.isprintable():
            return value
        if value.isascii() and len(value.encode().translate(None, refused.controls)) == len(value):
            return value
        if found := refused.pattern.search(value):
            raise RecordError(f"{self.path(name)}: the character {found[0]!r} is not allowed")
        return value

    def _cid(self, value: object, name: str) -> str:
        if type(value) is not str or not is_cid(value):
            raise RecordError(f"{self.path(name)}: expected a record or task id")
        return value

    def _check_different(self, name: str, values: Collection[object]) -> None:
        if len(set(values)) != len(values):
            raise RecordError(f"{self.path(name)}: the same item twice")

    def _refuse_names(self, names: Iterable[str]) -> None:
        missing = sorted(set(names) - set(self._values))
        unknown = sorted(map(str, set(self._values) - set(names)))
        where = self._where or "record"
        if missing:
            raise RecordError(f"{where}: the field {missing[0]} is missing")
        if unknown:
            raise RecordError(f"{where}: unknown field {unknown[0][:40]!r}")
        raise RecordError(f"{where}: the fields are out of order")


def plain_map(part: Any) -> dict[str, object]:
    """A dataclass instance as a map of values that `swarm.canonical.pack` knows."""
    return {field.name: _plain(getattr(part, field.name)) for field in dataclasses.fields(part)}


def names_of(part: Any, *header: str) -> tuple[str, ...]:
    """The names of a dataclass's fields, and of what stands beside them, sorted."""
    return tuple(sorted([*header, *(field.name for field in dataclasses.fields(part))]))


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return tuple(_plain(item) for item in cast(tuple[object, ...], value))
    return plain_map(value) if dataclasses.is_dataclass(value) else value

"""
What sync says on the wire: four questions and their answers, canonical msgpack.

Law: every message is read strictly and every list has an end. Whatever cannot
be read raises `SyncError`, and that costs the sender its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from gossip.ranges import END, FINGERPRINT_BYTES, KEY_BYTES, Part, Range
from gossip.transport import (
    MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    QuestionError,
)
from swarm.canonical import CanonicalError, pack, unpack

MAX_SCOPE_CHARS = 256
MAX_KIND_CHARS = 32
MAX_RANGES = 512
MAX_PARTS = 4096
MAX_PIECES = 64
MAX_KEYS = 4096
MAX_RECORDS = 256
MAX_FETCH_BYTES = 2 * 1024 * 1024
MAX_COUNT = 2**40


class SyncError(QuestionError):
    """The partner said something that is not sync, or not of our scope."""


@dataclass(frozen=True, slots=True)
class AskParts:
    """
    What do you hold in these ranges, each cut in at most so many pieces?

    Answered by parts. Ranges ascend and do not overlap, here and in `AskKeys`.
    """

    kind: str
    ranges: tuple[Range, ...]
    pieces: int


@dataclass(frozen=True, slots=True)
class AskKeys:
    """Which keys are in these ranges? Answered by the first `MAX_KEYS` of them."""

    kind: str
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class AskRecords:
    """Give me the records that have these keys. Answered by `Records`."""

    kind: str
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AskVisit:
    """Please pull from me now. Answered by no bytes, once that is done or takes long."""


Question = AskParts | AskKeys | AskRecords | AskVisit


@dataclass(frozen=True, slots=True)
class Records:
    """The envelopes held of the first ``considered`` keys asked for."""

    envelopes: tuple[bytes, ...]
    considered: int


def write_question(scope: str, question: Question) -> bytes:
    """The bytes of a question about a scope (topic and schema version)."""
    head: dict[str, object] = {"scope": scope}
    match question:
        case AskParts(kind, ranges, pieces):
            about = {"kind": kind, "ranges": _bounds(ranges), "pieces": pieces}
            return pack(head | {"ask": "parts"} | about)
        case AskKeys(kind, ranges):
            return pack(head | {"ask": "keys", "kind": kind, "ranges": _bounds(ranges)})
        case AskRecords(kind, keys):
            return pack(head | {"ask": "records", "kind": kind, "keys": b"".join(keys)})
        case AskVisit():
            return pack(head | {"ask": "visit", "kind": ""})


def read_question(data: bytes, scope: str) -> Question:
    """
    Read a question about our scope.

    Raises:
        SyncError: It is malformed or about another scope.
    """
    fields = _fields(data, MAX_REQUEST_BYTES)
    if _text(fields, "scope", MAX_SCOPE_CHARS) != scope:
        raise SyncError("asked about another task or schema version")
    kind = _text(fields, "kind", MAX_KIND_CHARS)
    match fields.get("ask"):
        case "parts":
            ranges = _ranges(fields)
            most = min(MAX_PIECES, MAX_PARTS // len(ranges))
            return AskParts(kind, ranges, _number(fields.get("pieces"), most))
        case "keys":
            return AskKeys(kind, _ranges(fields))
        case "records":
            return AskRecords(kind, _keys(fields, MAX_RECORDS))
        case "visit":
            return AskVisit()
        case _:
            raise SyncError("an unknown question")


def write_parts(parts: Iterable[Part]) -> bytes:
    """The answer to `AskParts`; where each part begins follows from the question."""
    return pack({"parts": [(part.range.high, part.count, part.fingerprint) for part in parts]})


def read_parts(data: bytes, asked: Sequence[Range]) -> list[Part]:
    """
    Parts that cover every range ``asked``, in order.

    Raises:
        SyncError: Malformed, too many, or not of these ranges.
    """
    rows = iter(_items(_fields(data, MAX_RESPONSE_BYTES), "parts", MAX_PARTS))
    found: list[Part] = []
    for span in asked:
        low = span.low
        while low != span.high:
            part = _part(low, next(rows, None))
            if not low < part.range.high <= span.high:
                raise SyncError("parts that are not of the ranges asked about")
            found.append(part)
            low = part.range.high
    if next(rows, None) is not None:
        raise SyncError("more parts than were asked for")
    return found


def write_keys(keys: Iterable[bytes]) -> bytes:
    """The answer to `AskKeys`."""
    return pack({"keys": b"".join(keys)})


def read_keys(data: bytes, asked: Sequence[Range]) -> tuple[bytes, ...]:
    """
    Keys in the ranges ``asked``, ascending.

    Raises:
        SyncError: Malformed, too many, out of order or of other ranges; a list that
            goes back could be asked for for ever.
    """
    keys = _keys(_fields(data, MAX_RESPONSE_BYTES), MAX_KEYS)
    if any(later <= earlier for earlier, later in pairwise(keys)):
        raise SyncError("keys out of order")
    spans = iter(asked)
    span = next(spans, None)
    for key in keys:
        while span is not None and key >= span.high:
            span = next(spans, None)
        if span is None or key < span.low:
            raise SyncError("a key outside the ranges asked about")
    return keys


def write_records(records: Records) -> bytes:
    """The answer to `AskRecords`."""
    return pack({"envelopes": records.envelopes, "considered": records.considered})


def read_records(data: bytes, asked: int) -> Records:
    """
    Envelopes for some of the ``asked`` ids.

    Raises:
        SyncError: Malformed, too many, too large, or no progress.
    """
    fields = _fields(data, MAX_RESPONSE_BYTES)
    considered = _number(fields.get("considered"), asked)
    envelopes = _items(fields, "envelopes", considered)
    if considered < 1:
        raise SyncError("an answer that considered nothing")
    for envelope in envelopes:
        if not isinstance(envelope, bytes) or len(envelope) > MAX_MESSAGE_BYTES:
            raise SyncError("an envelope that is too large or not bytes")
    return Records(cast("tuple[bytes, ...]", envelopes), considered)


def _fields(data: bytes, most_bytes: int) -> dict[str, object]:
    try:
        value = unpack(data, max_bytes=most_bytes, max_depth=3, max_items=MAX_PARTS)
    except CanonicalError as error:
        raise SyncError(f"unreadable: {error}") from error
    if not isinstance(value, dict):
        raise SyncError("not a map")
    return cast("dict[str, object]", value)


def _text(fields: dict[str, object], name: str, most: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise SyncError(f"{name} is not a text of at most {most} characters")
    return value


def _items(fields: dict[str, object], name: str, most: int) -> tuple[object, ...]:
    value = fields.get(name)
    if not isinstance(value, tuple):
        raise SyncError(f"{name} is not a list")
    items = cast("tuple[object, ...]", value)
    if len(items) > most:
        raise SyncError(f"{name} has {len(items)} items, at most {most} allowed")
    return items


def _bounds(ranges: Iterable[Range]) -> list[tuple[bytes, bytes]]:
    return [(span.low, span.high) for span in ranges]


def _ranges(fields: dict[str, object]) -> tuple[Range, ...]:
    """One range or more, ascending and apart, so that one question costs one pass."""
    ranges = tuple(map(_range, _items(fields, "ranges", MAX_RANGES)))
    apart = all(before.high <= span.low for before, span in pairwise(ranges))
    if not ranges or not apart or any(span.low >= span.high for span in ranges):
        raise SyncError("ranges that are none, empty or out of order")
    return ranges


def _range(value: object) -> Range:
    row = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    if len(row) != 2:
        raise SyncError("a range that is not two bounds")
    return Range(_octets(row[0], len(END)), _octets(row[1], len(END)))


def _part(low: bytes, value: object) -> Part:
    """The part that begins at ``low``."""
    row = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    if len(row) != 3:
        raise SyncError("a part that is not a bound, a count and a fingerprint")
    fingerprint = _octets(row[2], FINGERPRINT_BYTES)
    return Part(Range(low, _octets(row[0], len(END))), _number(row[1], MAX_COUNT), fingerprint)


def _keys(fields: dict[str, object], most: int) -> tuple[bytes, ...]:
    joined = _octets(fields.get("keys"), most * KEY_BYTES)
    if len(joined) % KEY_BYTES:
        raise SyncError(f"keys that are not {KEY_BYTES} bytes each")
    return tuple(joined[at : at + KEY_BYTES] for at in range(0, len(joined), KEY_BYTES))


def _octets(value: object, most: int) -> bytes:
    if not isinstance(value, bytes) or len(value) > most:
        raise SyncError(f"not at most {most} bytes")
    return value


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise SyncError(f"not a number from 0 to {most}")
    return value

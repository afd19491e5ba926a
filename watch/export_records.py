"""
Records in one file, to be carried by hand from one home to another.

The file is a stream of msgpack objects: a header that names the task, then one
signed envelope after the other, as they travel between nodes. Whoever reads it
judges every envelope as if a peer had sent it.

Law: reading is bounded, and a damaged file gives what came before the damage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import msgpack

from swarm.envelope import MAX_ENVELOPE_BYTES
from swarm.records import TaskId

FORMAT = "research-swarm records"
VERSION = 1
_READ_BYTES = 1 << 16
_Unpacker: Any = cast(Any, msgpack).Unpacker
_MOST_BUFFERED = MAX_ENVELOPE_BYTES + _READ_BYTES + 64


class RecordsFileError(ValueError):
    """A file holds no records, or is damaged; the message says where."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of itself."""

    task: TaskId
    count: int


def packed(header: Header, envelopes: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of a file with so many signed envelopes, in this order."""
    yield _pack({"format": FORMAT, "version": VERSION, "task": header.task, "count": header.count})
    yield from map(_pack, envelopes)


def unpacked(file: BinaryIO) -> tuple[Header, Iterator[bytes]]:
    """
    The header of a file, and its envelopes as they are read.

    Raises:
        RecordsFileError: At once where the header is wrong; from the iterator where
            an envelope is damaged or missing.
    """
    rows = _objects(file)
    header = _header(next(rows, None))
    return header, _envelopes(rows, header)


def _envelopes(rows: Iterator[object], header: Header) -> Iterator[bytes]:
    seen = 0
    for row in rows:
        if not isinstance(row, bytes):
            raise RecordsFileError(f"damaged after {seen:,} of {header.count:,} records")
        seen += 1
        yield row
    if seen != header.count:
        raise RecordsFileError(f"it ends after {seen:,} of {header.count:,} records")


def _objects(file: BinaryIO) -> Iterator[object]:
    """The msgpack objects in a file; what is none ends them with None."""
    unpacker: Any = _Unpacker(
        raw=False,
        strict_map_key=True,
        max_buffer_size=_MOST_BUFFERED,
        max_bin_len=MAX_ENVELOPE_BYTES,
        max_str_len=1024,
        max_map_len=16,
        max_array_len=0,
        max_ext_len=0,
    )
    while chunk := file.read(_READ_BYTES):
        try:
            unpacker.feed(chunk)
            yield from cast("Iterator[object]", unpacker)
        except (ValueError, RecursionError, msgpack.UnpackException):
            yield None
            return


def _header(found: object) -> Header:
    if isinstance(found, dict):
        table = cast("dict[str, object]", found)
        task, count = table.get("task"), table.get("count")
        if table.get("format") == FORMAT and table.get("version") != VERSION:
            raise RecordsFileError(f"it is of version {table.get('version')!r}, not {VERSION}")
        if table.get("format") == FORMAT and isinstance(task, str) and isinstance(count, int):
            return Header(task, count)
    raise RecordsFileError("it is no records file of an export")


def _pack(value: object) -> bytes:
    return cast(bytes, msgpack.packb(value))  # pyright: ignore[reportUnknownMemberType]

"""
JSON as every reader of the API understands it.

Law: what is not finite is null, since JSON has no word for it; what is not ASCII is
escaped, so that no reader needs to guess an encoding.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import cast


def to_json(value: object) -> bytes:
    """A document of dicts, lists, strings and numbers as compact JSON."""
    try:
        return _dumped(value)
    except ValueError:
        return _dumped(_finite(value))


def rows_to_json(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Many small objects as one array, in small steps, so that other threads get their turn."""
    return as_array([to_json(row) for row in rows])


def as_array(items: Sequence[bytes]) -> bytes:
    """Items that are JSON already as one array."""
    return b"[" + b",".join(items) + b"]"


def with_rows(document: Mapping[str, object], rows: Mapping[str, bytes]) -> bytes:
    """One object of a document's members and of arrays that are JSON already."""
    members = [to_json(name) + b":" + array for name, array in rows.items()]
    head = to_json(document)[1:-1]
    return b"{" + b",".join([*([head] if head else []), *members]) + b"}"


def _dumped(value: object) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {name: _finite(member) for name, member in members.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("Sequence[object]", value)]
    return value

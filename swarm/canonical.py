"""
Canonical msgpack: one value, one byte string.

Maps have string keys in strictly ascending UTF-8 order, every number and length
takes its shortest form, floats are 64-bit and finite, and there are no
extension types. Ids are hashes of these bytes, so anything that could be
written in two ways must have one way only.

Law: `unpack` is total. Any bytes give a value or a `CanonicalError`, within
bounded memory; and `pack(unpack(data)) == data` for all it accepts.

Source: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias, cast

import msgpack

MAX_DEPTH = 8
MAX_ITEMS = 4096
_SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({dict, tuple})
_KNOWN = _SCALARS | _CONTAINERS
_Hook: TypeAlias = Callable[[list[tuple[object, object]]], dict[str, object]]


class CanonicalError(ValueError):
    """A value has no canonical bytes, or bytes are not canonical."""


def pack(value: object, *, max_depth: int = MAX_DEPTH) -> bytes:
    """
    The canonical bytes of `value`.

    Args:
        value: None, bool, int (64-bit), finite float, str, bytes, or sequences and
            string-keyed mappings of these. Tuples and lists are both arrays.
        max_depth: Containers inside each other, at most.

    Raises:
        CanonicalError: The value holds anything else.
    """
    try:
        return _pack_plain(_plain(value, max_depth))
    except (ValueError, OverflowError) as error:
        raise CanonicalError(f"no canonical form: {error}") from error


def unpack(
    data: bytes, *, max_bytes: int, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS
) -> object:
    """
    The value whose canonical bytes are `data`; arrays become tuples.

    Args:
        data: Untrusted bytes.
        max_bytes: Refuse longer data.
        max_depth: Containers inside each other, at most.
        max_items: Items in one array or map, at most. The parser allocates what
            a header announces, so this also bounds its memory.

    Raises:
        CanonicalError: Too long, too deep, too wide, not msgpack, or not canonical.
    """
    value = _unpack(data, max_bytes, max_items, _ascending)
    _check_values(value, max_depth)
    return value


def unpack_unchecked(data: bytes, *, max_bytes: int, max_items: int = MAX_ITEMS) -> object:
    """
    `unpack` for a reader that checks every value's type itself, as `swarm.fields` does.

    Non-finite floats, extension types and deep nesting pass here: such a reader
    refuses them as values of the wrong type, and saves a walk over all of them. Map
    keys may be in any order, as it compares them with the names it expects.

    Raises:
        CanonicalError: As `unpack`, but for these.
    """
    return _unpack(data, max_bytes, max_items, None)


def _unpack(data: bytes, max_bytes: int, max_items: int, hook: _Hook | None) -> object:
    if len(data) > max_bytes:
        raise CanonicalError(f"{len(data)} bytes, at most {max_bytes} allowed")
    try:
        value = _unpack_any(data, max_items, hook)
        again = _pack_plain(value)
    except (ValueError, msgpack.UnpackException) as error:
        reason = str(error) or type(error).__name__
        raise CanonicalError(f"not canonical msgpack: {reason}") from error
    if again != data:
        raise CanonicalError("not canonical msgpack: a number or length is not in shortest form")
    return value


def _pack_plain(value: object) -> bytes:
    """Pack a value whose maps are already sorted."""
    return cast(bytes, msgpack.packb(value, use_bin_type=True))  # pyright: ignore[reportUnknownMemberType]


def _unpack_any(data: bytes, max_items: int, hook: _Hook | None) -> object:
    value = msgpack.unpackb(  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        data,
        raw=False,
        use_list=False,
        object_pairs_hook=hook,
        max_array_len=max_items,
        max_map_len=max_items,
    )
    return cast(object, value)


def _ascending(pairs: list[tuple[object, object]]) -> dict[str, object]:
    """A dict of `pairs`, whose keys must be strings in strictly ascending order."""
    previous: str | None = None
    for key, _ in pairs:
        if not isinstance(key, str):
            raise CanonicalError("a map key is not a string")
        if previous is not None and key <= previous:
            raise CanonicalError(f"map key {key[:40]!r} is repeated or out of order")
        previous = key
    return dict(cast(list[tuple[str, object]], pairs))


def _check_values(value: object, max_depth: int) -> None:
    """Refuse non-finite floats, unknown types and deep nesting, one level at a time."""
    level: list[Any] = [value]
    for _ in range(max_depth + 1):
        types = set(map(type, level))
        if not types <= _KNOWN:
            raise CanonicalError("an extension type")
        if float in types:
            _check_finite(level)
        if types.isdisjoint(_CONTAINERS):
            return
        level = _inside(level, types)
    raise CanonicalError(f"containers nested more than {max_depth} deep")


def _inside(level: list[Any], types: set[type]) -> list[Any]:
    """What the containers among `level` hold, in no particular order."""
    inside: list[Iterable[Any]] = []
    if tuple in types:
        inside += [item for item in level if type(item) is tuple]
    if dict in types:
        inside += [item.values() for item in level if type(item) is dict]
    return list(chain.from_iterable(inside))


def _check_finite(values: list[Any]) -> None:
    if not all(math.isfinite(value) for value in values if isinstance(value, float)):
        raise CanonicalError("a float is not finite")


def _plain(value: object, depth: int) -> object:
    """`value` as dicts with sorted keys, tuples and scalars of exactly the known types."""
    if isinstance(value, float) and not math.isfinite(value):
        raise CanonicalError("a float is not finite")
    if type(value) in _SCALARS:
        return value
    if depth == 0:
        raise CanonicalError("containers nested too deep")
    if isinstance(value, Mapping):
        return _plain_map(cast(Mapping[object, object], value), depth)
    if isinstance(value, (list, tuple)):
        items = cast(Sequence[object], value)
        return tuple(_plain(item, depth - 1) for item in items)
    raise CanonicalError(f"a {type(value).__name__} has no canonical form")


def _plain_map(value: Mapping[object, object], depth: int) -> dict[str, object]:
    keys = [key for key in value if isinstance(key, str)]
    if len(keys) != len(value):
        raise CanonicalError("a map key is not a string")
    return {key: _plain(value[key], depth - 1) for key in sorted(keys)}

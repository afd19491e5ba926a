"""One value, one byte string; and no bytes that `unpack` cannot answer for."""

import math
import tracemalloc
from collections import OrderedDict
from enum import IntEnum

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm.canonical import CanonicalError, pack, unpack

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
    | st.binary(max_size=40)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5).map(tuple) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=20,
)


def read(data: bytes) -> object:
    return unpack(data, max_bytes=100_000, max_depth=40)


@given(VALUES)
def test_what_is_packed_is_unpacked(value: object) -> None:
    """Packing and unpacking are inverse, types included."""
    data = pack(value, max_depth=40)
    again = read(data)
    assert again == value
    assert pack(again, max_depth=40) == data


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=8), st.data())
def test_insertion_order_does_not_show(value: dict[str, int], data: st.DataObject) -> None:
    """The same map has the same bytes however it was built."""
    shuffled = data.draw(st.permutations(list(value.items())))
    assert pack(OrderedDict(shuffled)) == pack(value)


@given(st.binary(max_size=64))
@example(b"\xc0\xc0")
@example(b"")
@example(b"\xc1")
@settings(max_examples=500)
def test_any_bytes_give_a_value_or_the_one_error(data: bytes) -> None:
    """`unpack` is total, and what it accepts it would have written itself."""
    try:
        value = read(data)
    except CanonicalError:
        return
    assert pack(value, max_depth=40) == data


@given(VALUES, st.data())
def test_a_flipped_byte_gives_another_value_or_the_one_error(
    value: object, data: st.DataObject
) -> None:
    """Damage close to valid bytes is where parsers break."""
    packed = bytearray(pack(value, max_depth=40))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        again = read(bytes(packed))
    except CanonicalError:
        return
    assert pack(again, max_depth=40) == bytes(packed)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xcb\x7f\xf8" + bytes(6), id="NaN"),
        pytest.param(b"\x92\x01\x81\xa1a\xcb\x7f\xf0" + bytes(6), id="nested infinity"),
        pytest.param(b"\xca\x3f\x80\x00\x00", id="32-bit float"),
        pytest.param(b"\xcc\x01", id="uint8 where a fixint does"),
        pytest.param(b"\xd1\x00\x01", id="int16 where a fixint does"),
        pytest.param(b"\xd9\x01a", id="str8 where a fixstr does"),
        pytest.param(b"\xdc\x00\x01\x01", id="array16 where a fixarray does"),
        pytest.param(b"\xde\x00\x01\xa1a\x01", id="map16 where a fixmap does"),
        pytest.param(b"\x82\xa1a\x01\xa1a\x01", id="repeated key"),
        pytest.param(b"\x82\xa1b\x01\xa1a\x01", id="keys out of order"),
        pytest.param(b"\x81\x01\x01", id="integer key"),
        pytest.param(b"\x81\xc4\x01a\x01", id="bytes key"),
        pytest.param(b"\xa1\xff", id="not UTF-8"),
        pytest.param(b"\xa3\xed\xa0\x80", id="surrogate in UTF-8"),
        pytest.param(b"\xd4\x05x", id="extension type"),
        pytest.param(b"\xd6\xff\x00\x00\x00\x01", id="timestamp"),
        pytest.param(b"\x01\x01", id="trailing bytes"),
        pytest.param(b"\x92\x01", id="truncated"),
    ],
)
def test_only_canonical_bytes_are_read(data: bytes) -> None:
    with pytest.raises(CanonicalError):
        read(data)


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        {"a": [math.inf]},
        2**64,
        -(2**63) - 1,
        {1: 2},
        {"a": {None: 1}},
        {1, 2},
        object(),
        "\ud800",
        IntEnum("Few", ["ONE"])["ONE"],
    ],
)
def test_what_has_no_canonical_form_is_not_packed(value: object) -> None:
    with pytest.raises(CanonicalError):
        pack(value)


def test_depth_is_the_same_both_ways() -> None:
    """Eight containers inside each other pass, nine do not."""
    eight: object = 1
    for level in range(8):
        eight = {"a": eight} if level % 2 else [eight]
    data = pack(eight)
    assert unpack(data, max_bytes=100) is not None
    with pytest.raises(CanonicalError, match="deep"):
        pack([eight])
    with pytest.raises(CanonicalError, match="deep"):
        unpack(b"\x91" + data, max_bytes=100)


def test_size_is_checked_before_anything_is_parsed() -> None:
    with pytest.raises(CanonicalError, match="at most 10 allowed"):
        unpack(b"\xc1" * 11, max_bytes=10)
    with pytest.raises(CanonicalError):
        unpack(pack(list(range(11))), max_bytes=100, max_items=10)


@pytest.mark.parametrize("header", [b"\xdd\x00\x00\x0f\xff", b"\xdd\xff\xff\xff\xff", b"\x91"])
def test_headers_that_promise_much_cost_little(header: bytes) -> None:
    """A parser that allocates what nested headers announce would take gigabytes here."""
    bomb = header * (256 * 1024 // len(header))
    tracemalloc.start()
    try:
        with pytest.raises(CanonicalError):
            unpack(bomb, max_bytes=len(bomb))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 48 * 2**20

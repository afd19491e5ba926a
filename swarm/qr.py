"""
QR codes of alphanumeric text, at the lowest error correction: the smallest there are.

An invite has up to a few hundred letters and is read off a screen once, so density
matters and damage does not. Text is of ``0-9A-Z $%*+-./:`` alone.

Law: total for such text up to the capacity of version 40; the grid is a function of
the text.

Source: ISO/IEC 18004; the structure follows https://www.nayuki.io/page/qr-code-generator-library
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

Grid = list[list[bool]]

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
_VERSIONS = range(1, 41)
# Error correction level L, by version from 1.
_CHECK_BYTES = (
    7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28,
    28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
)  # fmt: skip
_BLOCKS = (
    1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8,
    8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25,
)  # fmt: skip
_MASKS: tuple[Callable[[int, int], int], ...] = (
    lambda x, y: (x + y) % 2,
    lambda x, y: y % 2,
    lambda x, y: x % 3,
    lambda x, y: (x + y) % 3,
    lambda x, y: (x // 3 + y // 2) % 2,
    lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2,
    lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
)


class QrError(ValueError):
    """A text that has no QR code of this kind."""


def qr_code(text: str) -> Grid:
    """
    The code of a text: rows of modules, True is dark, without the quiet border.

    Raises:
        QrError: A letter that is not in the alphabet, or more text than fits.
    """
    version, data = _data(text)
    grid, fixed = _frame(version)
    _draw(grid, fixed, _with_checks(version, data))
    masked = [_masked(grid, fixed, mask) for mask in range(len(_MASKS))]
    return min(masked, key=_penalty)


def _size(version: int) -> int:
    return 17 + 4 * version


def _total_bytes(version: int) -> int:
    """Code bytes, data and checks, that a version holds."""
    bits = (16 * version + 128) * version + 64
    if version >= 2:
        aligned = version // 7 + 2
        bits -= (25 * aligned - 10) * aligned - 55
        if version >= 7:
            bits -= 36
    return bits // 8


def _data_bytes(version: int) -> int:
    return _total_bytes(version) - _CHECK_BYTES[version - 1] * _BLOCKS[version - 1]


def _data(text: str) -> tuple[int, bytes]:
    """The smallest version for a text, and its data bytes, padded."""
    if unknown := set(text) - set(_LETTERS):
        raise QrError(f"no letter for {min(unknown)!r} in an alphanumeric QR code")
    bits = "".join(_packed(text))
    for version in _VERSIONS:
        length = 9 if version < 10 else 11 if version < 27 else 13
        room = _data_bytes(version) * 8
        if 4 + length + len(bits) <= room and len(text) < 1 << length:
            said = f"0010{len(text):0{length}b}{bits}"
            said += "0" * min(4, room - len(said))
            said += "0" * (-len(said) % 8)
            data = bytes(int(said[at : at + 8], 2) for at in range(0, len(said), 8))
            return version, (data + b"\xec\x11" * room)[: room // 8]
    raise QrError(f"{len(text)} letters are more than a QR code holds")


def _packed(text: str) -> Iterator[str]:
    """Two letters in 11 bits, a last single one in 6."""
    for at in range(0, len(text), 2):
        pair = [_LETTERS.index(letter) for letter in text[at : at + 2]]
        yield f"{pair[0] * 45 + pair[1]:011b}" if len(pair) == 2 else f"{pair[0]:06b}"


def _with_checks(version: int, data: bytes) -> bytes:
    """The data in blocks with their check bytes, interleaved."""
    blocks, checks = _BLOCKS[version - 1], _CHECK_BYTES[version - 1]
    short, longer = divmod(len(data), blocks)
    divisor = _divisor(checks)
    parts: list[bytes] = []
    at = 0
    for index in range(blocks):
        size = short + (index >= blocks - longer)
        parts.append(data[at : at + size])
        at += size
    tails = [_remainder(part, divisor) for part in parts]
    said = [part[i] for i in range(short + 1) for part in parts if i < len(part)]
    return bytes(said + [tail[i] for i in range(checks) for tail in tails])


def _times(one: int, other: int) -> int:
    """The product in GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product_ = 0
    for bit in range(7, -1, -1):
        product_ = (product_ << 1) ^ ((product_ >> 7) * 0x11D) ^ ((other >> bit & 1) * one)
    return product_


def _divisor(degree: int) -> list[int]:
    """The Reed-Solomon generator polynomial, without its leading 1."""
    result = [0] * (degree - 1) + [1]
    root = 1
    for _ in range(degree):
        for at in range(degree):
            result[at] = _times(result[at], root)
            if at + 1 < degree:
                result[at] ^= result[at + 1]
        root = _times(root, 2)
    return result


def _remainder(data: bytes, divisor: list[int]) -> bytes:
    result = [0] * len(divisor)
    for byte in data:
        factor = byte ^ result.pop(0)
        result.append(0)
        result = [old ^ _times(each, factor) for old, each in zip(result, divisor, strict=True)]
    return bytes(result)


def _frame(version: int) -> tuple[Grid, Grid]:
    """A grid with all that every code of a version has, and where that is."""
    size = _size(version)
    grid = [[False] * size for _ in range(size)]
    fixed = [[False] * size for _ in range(size)]

    def put(x: int, y: int, dark: bool) -> None:
        if 0 <= x < size and 0 <= y < size:
            grid[y][x], fixed[y][x] = dark, True

    for at in range(size):
        put(6, at, at % 2 == 0)
        put(at, 6, at % 2 == 0)
    for x, y in ((3, 3), (size - 4, 3), (3, size - 4)):
        for dx, dy in product(range(-4, 5), repeat=2):
            put(x + dx, y + dy, max(abs(dx), abs(dy)) not in (2, 4))
    centres = _alignment(version)
    corners = {(6, 6), (6, size - 7), (size - 7, 6)}
    for x, y in product(centres, repeat=2):
        if (x, y) not in corners:
            for dx, dy in product(range(-2, 3), repeat=2):
                put(x + dx, y + dy, max(abs(dx), abs(dy)) != 1)
    for x, y, _ in (*_format_places(size, 0), *_version_places(version)):
        put(x, y, False)
    for x, y, dark in _version_places(version):
        put(x, y, dark)
    return grid, fixed


def _alignment(version: int) -> list[int]:
    if version == 1:
        return []
    count = version // 7 + 2
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2
    return [6, *sorted(_size(version) - 7 - index * step for index in range(count - 1))]


def _format_places(size: int, mask: int) -> Iterator[tuple[int, int, bool]]:
    """Both copies of what level (L) and mask the code has, and the module always dark."""
    value = 1 << 3 | mask
    rest = value
    for _ in range(10):
        rest = (rest << 1) ^ ((rest >> 9) * 0x537)
    bits = (value << 10 | rest) ^ 0x5412
    first = [(8, at) for at in range(6)] + [(8, 7), (8, 8), (7, 8)]
    first += [(14 - at, 8) for at in range(9, 15)]
    second = [(size - 1 - at, 8) for at in range(8)]
    second += [(8, size - 15 + at) for at in range(8, 15)]
    for at in range(15):
        dark = bool(bits >> at & 1)
        yield (*first[at], dark)
        yield (*second[at], dark)
    yield 8, size - 8, True


def _version_places(version: int) -> Iterator[tuple[int, int, bool]]:
    """Both copies of the version, which large codes say."""
    if version < 7:
        return
    rest = version
    for _ in range(12):
        rest = (rest << 1) ^ ((rest >> 11) * 0x1F25)
    bits = version << 12 | rest
    for at in range(18):
        near, far = at // 3, _size(version) - 11 + at % 3
        yield far, near, bool(bits >> at & 1)
        yield near, far, bool(bits >> at & 1)


def _draw(grid: Grid, fixed: Grid, data: bytes) -> None:
    """Put the bytes, bit by bit, into the free modules in zigzag from the lower right."""
    bits = (bool(byte >> shift & 1) for byte in data for shift in range(7, -1, -1))
    for x, y in _zigzag(len(grid)):
        if not fixed[y][x]:
            grid[y][x] = next(bits, False)


def _zigzag(size: int) -> Iterator[tuple[int, int]]:
    rights = [*range(size - 1, 6, -2), 5, 3, 1]
    up = True
    for right in rights:
        rows: Iterable[int] = range(size - 1, -1, -1) if up else range(size)
        for y in rows:
            yield right, y
            yield right - 1, y
        up = not up


def _masked(grid: Grid, fixed: Grid, mask: int) -> Grid:
    """The code under one of eight patterns, which it names."""
    flips = _MASKS[mask]
    rows = [
        [dark if fixed[y][x] else dark ^ (flips(x, y) == 0) for x, dark in enumerate(row)]
        for y, row in enumerate(grid)
    ]
    for x, y, dark in _format_places(len(grid), mask):
        rows[y][x] = dark
    return rows


def _penalty(grid: Grid) -> int:
    """How hard a grid is to read; the least is taken."""
    size = len(grid)
    lines = [*grid, *(list(column) for column in zip(*grid, strict=True))]
    total = sum(_runs(line) + 40 * _like_finders(line) for line in lines)
    for y, x in product(range(size - 1), repeat=2):
        block = {grid[y][x], grid[y][x + 1], grid[y + 1][x], grid[y + 1][x + 1]}
        total += 3 * (len(block) == 1)
    dark = sum(map(sum, grid))
    return total + 10 * (abs(20 * dark - 10 * size * size) // (size * size))


def _runs(line: list[bool]) -> int:
    total, run = 0, 1
    for before, after in zip(line, [*line[1:], not line[-1]], strict=True):
        if before == after:
            run += 1
        else:
            total += run - 2 if run >= 5 else 0
            run = 1
    return total


def _like_finders(line: list[bool]) -> int:
    text = "".join("1" if dark else "0" for dark in line)
    patterns = ("10111010000", "00001011101")
    return sum(text.startswith(pattern, at) for at in range(len(text)) for pattern in patterns)

"""
Inputs made of random bytes: half of them raw, half a valid example with edits.

Raw bytes test the outermost check only. An example in which one field has
another value, or one line is gone, reaches what stands behind it.

Law: the same bytes give the same input, so that a failure can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

_NUMBERS = (0, 1, -1, 2, 63, 64, 65, 255, 256, 4096, 2**31, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
_TEXTS = (
    "",
    "a",
    "\n",
    "\t",
    "\x00",
    "\x1b[31m",
    "\u202e",
    "\ufeff",
    "é",
    "x" * 130,
    "-1",
    "1e999",
)
_MAX_EDITS = 3
DEEPEST = 20


class Source:
    """Random bytes, drawn one by one; zeros once they are used up."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1; `count` is at most 65536."""
        taken = self.raw(1 if count <= 256 else 2)
        return int.from_bytes(taken, "little") % max(1, count)

    def raw(self, count: int) -> bytes:
        """The next `count` bytes."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def text(self) -> str:
        """A short text: one that has broken programs before, or any."""
        chosen = self.below(len(_TEXTS) + 4)
        if chosen < len(_TEXTS):
            return _TEXTS[chosen]
        return self.raw(self.below(24)).decode(errors="replace")

    def value(self, depth: int = DEEPEST) -> object:
        """A value msgpack can carry, at most `depth` levels deep."""
        match self.below(10 if depth else 7):
            case 0:
                return None
            case 1:
                return bool(self.below(2))
            case 2 | 3:
                return _NUMBERS[self.below(len(_NUMBERS))]
            case 4:
                return int.from_bytes(self.raw(8), "little", signed=True)
            case 5:
                return self.text()
            case 6:
                return self.raw(self.below(80))
            case 7:
                return [self.value(depth - 1) for _ in range(self.below(4))]
            case 8:
                return {self.text(): self.value(depth - 1) for _ in range(self.below(3))}
            case _:
                return self.below(256) / 8


def altered(value: object, source: Source) -> object:
    """
    A copy of a nested value with one part at another value, repeated or gone.

    Args:
        value: Maps, lists and scalars, as `swarm.canonical.unpack` gives.
        source: Decides where and what.
    """
    if isinstance(value, Mapping) and value and source.below(8):
        fields = dict(cast("Mapping[str, object]", value))
        name = sorted(fields)[source.below(len(fields))]
        match source.below(12):
            case 0:
                del fields[name]
            case 1:
                fields[source.text()] = fields[name]
            case _:
                fields[name] = altered(fields[name], source)
        return fields
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and value:
        items = list(cast("Sequence[object]", value))
        at = source.below(len(items))
        match source.below(6):
            case 0:
                del items[at]
            case 1:
                items += [items[at]] * source.below(80)
            case _:
                items[at] = altered(items[at], source)
        return items
    return source.value()


def edited(text: str, tokens: Sequence[str], source: Source) -> str:
    """
    A text with up to three edits: lines gone, repeated, moved, or with other words in them.

    Args:
        text: A valid example.
        tokens: Words of its grammar, to put in.
        source: Decides where and what.
    """
    lines = text.split("\n")
    for _ in range(1 + source.below(_MAX_EDITS)):
        at, other = source.below(len(lines)), source.below(len(lines))
        line = lines[at]
        column = source.below(len(line) + 1)
        rest = column + source.below(4)
        word = tokens[source.below(len(tokens))]
        match source.below(7):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(other, line)
            case 2:
                lines[at], lines[other] = lines[other], line
            case 3:
                lines[at] = line[:column] + word + line[rest:]
            case 4:
                lines[at] = line[:column] + source.text() + line[rest:]
            case 5:
                lines.insert(at, word)
            case _:
                lines[at] = line[:column] + line[rest:]
    return "\n".join(lines)

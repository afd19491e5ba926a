"""
Which ids does the other have that I lack, without sending all of them.

Every id has a key, uniform over 16 bytes, and a set of ids is the sorted list of
its keys. Two nodes compare fingerprints of ranges of keys; a range that differs
is cut into smaller ones until few keys are left in it, and those are listed. Ten
differences among 30,000 ids cost some 8 KB and five questions.

A fingerprint is the SHA-256 of the keys in a range, one after another. Sums of
hashes would be quicker to update, but anyone may make records, and whoever makes
some thousand can choose two sets with equal sums. Hashing is cheap enough: all
of 100,000 ids take a millisecond, and the ranges of one question do not overlap.

Pure: no clock, no IO.

Source: Meyer, "Range-Based Set Reconciliation" (2023),
https://arxiv.org/abs/2212.13567
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

KEY_BYTES = 16
FINGERPRINT_BYTES = 16
END = b"\xff" * (KEY_BYTES + 1)
"""A bound above every key."""
LISTED_AT_MOST = 16
"""A range with more keys than this is cut before it is listed."""


def key_of(record: str) -> bytes:
    """The key of an id: the first 16 bytes of its SHA-256."""
    return hashlib.sha256(record.encode()).digest()[:KEY_BYTES]


@dataclass(frozen=True, slots=True)
class Range:
    """The keys from ``low`` up to, but without, ``high``, as bytes compare."""

    low: bytes
    high: bytes


WHOLE = Range(b"", END)


@dataclass(frozen=True, slots=True)
class Part:
    """A range, how many keys a node holds in it, and their fingerprint."""

    range: Range
    count: int
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Index:
    """
    A set of ids in the order of their keys.

    Attributes:
        keys: Ascending.
        ids: By key.
    """

    keys: Sequence[bytes] = ()
    ids: Mapping[bytes, str] = field(default_factory=dict[bytes, str])
    _joined: bytes = b""

    def with_ids(self, ids: Iterable[str]) -> Index:
        """The index of these ids too: one merge, whatever their order or repetition."""
        added = {key_of(record): record for record in ids}
        keys = sorted([*self.keys, *(added.keys() - self.ids.keys())])
        return Index(keys, {**self.ids, **added}, b"".join(keys))

    def part(self, span: Range) -> Part:
        """What is held in a range."""
        return self._part(span, *self._places(span))

    def cut(self, span: Range, pieces: int) -> list[Part]:
        """A range in at most ``pieces`` adjoining parts of about as many keys each."""
        start, stop = self._places(span)
        pieces = max(1, min(pieces, stop - start))
        places = [start + (stop - start) * piece // pieces for piece in range(pieces + 1)]
        bounds = [span.low, *map(self._bound, places[1:-1]), span.high]
        return [
            self._part(Range(low, high), first, last)
            for (low, high), (first, last) in zip(pairwise(bounds), pairwise(places), strict=True)
        ]

    def listed(self, spans: Iterable[Range], limit: int) -> list[bytes]:
        """The first ``limit`` keys in some ranges, range after range."""
        found: list[bytes] = []
        for span in spans:
            start, stop = self._places(span)
            found += self.keys[start : min(stop, start + limit - len(found))]
        return found

    def _places(self, span: Range) -> tuple[int, int]:
        return bisect_left(self.keys, span.low), bisect_left(self.keys, span.high)

    def _bound(self, place: int) -> bytes:
        """The shortest bytes that tell the key at a place from the one before."""
        before, key = self.keys[place - 1], self.keys[place]
        same = next(at for at in range(KEY_BYTES) if before[at] != key[at])
        return key[: same + 1]

    def _part(self, span: Range, start: int, stop: int) -> Part:
        keys = memoryview(self._joined)[start * KEY_BYTES : stop * KEY_BYTES]
        fingerprint = hashlib.sha256(keys).digest()[:FINGERPRINT_BYTES]
        return Part(span, stop - start, fingerprint)


@dataclass(frozen=True, slots=True)
class Differences:
    """What to ask next: ranges to be cut further, and ranges few enough to be listed."""

    cut: list[Range]
    listed: list[Range]


def compare(mine: Index, theirs: Iterable[Part]) -> Differences:
    """
    The ranges in which they may hold something that we lack.

    Where we hold nothing there is nothing to compare, so that is listed at once.
    """
    found = Differences([], [])
    for part in theirs:
        own = mine.part(part.range)
        if part.count == 0 or part == own:
            continue
        few = part.count <= LISTED_AT_MOST or own.count == 0
        (found.listed if few else found.cut).append(part.range)
    return found


def rest(spans: Sequence[Range], listed: Sequence[bytes], limit: int) -> list[Range]:
    """The parts of ``spans`` that a list of ``limit`` keys has not reached."""
    if len(listed) < limit:
        return []
    after = listed[-1] + b"\0"
    return [Range(max(span.low, after), span.high) for span in spans if span.high > after]

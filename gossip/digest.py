"""
Which ids does the other have that I lack, without sending all of them.

Ids fall into 256 buckets by their hash; a digest holds one hash per bucket.
Two nodes that differ by a few records differ in a few buckets, so 4 KiB and
the ids of those buckets tell them all.

Pure: no clock, no IO.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

BUCKETS = 256
HASH_BYTES = 16
DIGEST_BYTES = BUCKETS * HASH_BYTES


@dataclass(frozen=True, slots=True)
class Index:
    """
    A set of ids, in buckets.

    Attributes:
        buckets: 256 sorted tuples of ids.
        digest: 256 hashes of 16 bytes, one a bucket; equal for equal buckets.
    """

    buckets: tuple[tuple[str, ...], ...]
    digest: bytes


def index_of(ids: Iterable[str]) -> Index:
    """The index of a set of ids; their order does not matter."""
    buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
    for record in set(ids):
        buckets[hashlib.sha256(record.encode()).digest()[0]].append(record)
    ordered = tuple(tuple(sorted(bucket)) for bucket in buckets)
    return Index(ordered, b"".join(_hash(bucket) for bucket in ordered))


def _hash(bucket: Sequence[str]) -> bytes:
    if not bucket:
        return bytes(HASH_BYTES)
    return hashlib.sha256("\n".join(bucket).encode()).digest()[:HASH_BYTES]


def differing(mine: bytes, theirs: bytes) -> tuple[int, ...]:
    """The buckets in which they hold something and we do not hold the same."""
    empty = bytes(HASH_BYTES)
    slices = [slice(at * HASH_BYTES, (at + 1) * HASH_BYTES) for at in range(BUCKETS)]
    return tuple(
        bucket
        for bucket, part in enumerate(slices)
        if theirs[part] != mine[part] and theirs[part] != empty
    )


def page(index: Index, buckets: Collection[int], after: str, limit: int) -> tuple[str, ...]:
    """The first ids, in order, of some buckets that come after ``after``: ``limit`` at most."""
    ids = sorted(record for bucket in set(buckets) for record in index.buckets[bucket])
    start = bisect_right(ids, after)
    return tuple(ids[start : start + limit])


def missing(index: Index, buckets: Collection[int], theirs: Iterable[str]) -> list[str]:
    """Those of their ids in some buckets that we lack."""
    held = {record for bucket in buckets for record in index.buckets[bucket]}
    return [record for record in theirs if record not in held]

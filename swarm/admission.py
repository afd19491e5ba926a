"""
Who may hand in how much, and when: the network door.

Admission never says what is true. A valid record is admitted, deferred to a
later time, or refused because it has expired; what was delayed comes again by
sync. Each author has a token bucket per kind, counted in bytes, so that one
voice cannot fill a journal faster than its share.

Law: state is explicit, time is an argument, and every table is bounded.

Source: token bucket as in RFC 2697, with one rate.
"""

from bisect import bisect_left, insort
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

from swarm.envelope import MAX_ENVELOPE_BYTES
from swarm.records import Kind, PeerId, Record, RecordId, Trials, kind_of

MAX_AHEAD_MS = 26 * 60 * 60 * 1000
"""Two clocks set for the wrong time zones are at most this far apart."""

TRIALS_LIFETIME_MS = 48 * 60 * 60 * 1000
# What a record costs beside its bytes: a signature to verify and a row to keep.
RECORD_COST_BYTES = 1024

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admit:
    """The record may be appended now."""


@dataclass(frozen=True, slots=True)
class Defer:
    """The record may come again at ``until_ms`` (Unix epoch milliseconds)."""

    until_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The record is of no more use to anyone."""

    reason: str


Admission: TypeAlias = Admit | Defer | Refuse


@dataclass(frozen=True, slots=True)
class Rate:
    """
    One token bucket's size and refill.

    Raises:
        ValueError: The bucket could never hold one record of the largest size.
    """

    burst_bytes: int
    bytes_per_second: int

    def __post_init__(self) -> None:
        least = MAX_ENVELOPE_BYTES + RECORD_COST_BYTES
        if self.burst_bytes < least or self.bytes_per_second < 1:
            raise ValueError(f"a rate needs burst_bytes >= {least} and bytes_per_second >= 1")


DEFAULT_RATES: Mapping[Kind, Rate] = {
    "win": Rate(burst_bytes=16 * 2**20, bytes_per_second=8 * 1024),
    "replication": Rate(burst_bytes=16 * 2**20, bytes_per_second=8 * 1024),
    "trials": Rate(burst_bytes=16 * 2**20, bytes_per_second=8 * 1024),
}


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What was left in a bucket at a time, in milli-bytes so that refill is exact."""

    left: int
    at_ms: int


class Quotas:
    """
    Every author's token buckets.

    At most `max_buckets` are remembered; beyond, the one used longest ago is
    forgotten and starts full again. Keys are free, so this bounds memory and
    shares the door fairly among authors; it is no defence against many of them.
    """

    def __init__(
        self, rates: Mapping[Kind, Rate] = DEFAULT_RATES, *, max_buckets: int = 10_000
    ) -> None:
        self._rates = rates
        self._max_buckets = max_buckets
        self._buckets: dict[tuple[PeerId, Kind], _Bucket] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, author: PeerId, kind: Kind, cost_bytes: int, now_ms: int) -> int:
        """
        Take `cost_bytes` from the author's bucket, if it holds as many.

        Returns:
            Milliseconds until the bucket will hold enough; 0 where it did and
            the bytes were taken.
        """
        rate = self._rates[kind]
        bucket = self._buckets.pop((author, kind), _Bucket(rate.burst_bytes * 1000, now_ms))
        # A clock set back neither fills the bucket nor empties it.
        passed_ms = max(0, now_ms - bucket.at_ms)
        left = min(rate.burst_bytes * 1000, bucket.left + passed_ms * rate.bytes_per_second)
        missing = cost_bytes * 1000 - left
        if missing <= 0:
            left = -missing
        self._remember((author, kind), _Bucket(left, now_ms))
        return max(0, -(-missing // rate.bytes_per_second))

    def _remember(self, key: tuple[PeerId, Kind], bucket: _Bucket) -> None:
        self._buckets[key] = bucket
        if len(self._buckets) > self._max_buckets:
            del self._buckets[next(iter(self._buckets))]


def admit(record: Record, envelope_size: int, now_ms: int, quotas: Quotas) -> Admission:
    """
    Whether a valid record may enter now.

    Args:
        record: A record that `swarm.validation.validate` has passed.
        envelope_size: Bytes of its envelope.
        now_ms: The time here, Unix epoch milliseconds.
        quotas: The buckets to take from; only an admitted record takes.

    Returns:
        `Refuse` for trials over 48 hours old, `Defer` for a record dated more
        than `MAX_AHEAD_MS` ahead or over its author's quota, else `Admit`.
    """
    if is_expired(record, now_ms):
        return Refuse("the trials are over 48 hours old")
    if record.created_at_ms > now_ms + MAX_AHEAD_MS:
        return Defer(record.created_at_ms - MAX_AHEAD_MS, "dated in the future")
    cost_bytes = envelope_size + RECORD_COST_BYTES
    wait_ms = quotas.take(record.author, kind_of(record), cost_bytes, now_ms)
    if wait_ms:
        return Defer(now_ms + wait_ms, f"its author's quota of {kind_of(record)} is used up")
    return Admit()


def is_expired(record: Record, now_ms: int) -> bool:
    """Whether `record` is a batch of trials that is dropped everywhere by now."""
    return isinstance(record, Trials) and record.created_at_ms + TRIALS_LIFETIME_MS <= now_ms


class Deferred(Generic[T]):
    """
    Records to look at again, soonest first; at most `capacity`.

    When full, the one that would wait longest is dropped: sync offers it again.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self._capacity = capacity
        self._items: dict[RecordId, tuple[int, T]] = {}
        self._order: list[tuple[int, RecordId]] = []

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, record_id: RecordId) -> bool:
        return record_id in self._items

    def add(self, record_id: RecordId, item: T, until_ms: int) -> None:
        """Keep `item` until `until_ms`; one added again waits until the new time."""
        if record_id in self._items:
            self._remove(record_id)
        self._items[record_id] = (until_ms, item)
        insort(self._order, (until_ms, record_id))
        if len(self._order) > self._capacity:
            self._remove(self._order[-1][1])

    def due(self, now_ms: int) -> list[tuple[RecordId, T]]:
        """Take out everything whose time has come, soonest first."""
        count = bisect_left(self._order, (now_ms + 1, ""))
        ready, self._order = self._order[:count], self._order[count:]
        return [(record_id, self._items.pop(record_id)[1]) for _, record_id in ready]

    def next_ms(self) -> int | None:
        """When the soonest is due, or None where nothing waits."""
        return self._order[0][0] if self._order else None

    def _remove(self, record_id: RecordId) -> None:
        until_ms, _ = self._items.pop(record_id)
        del self._order[bisect_left(self._order, (until_ms, record_id))]

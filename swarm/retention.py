"""
Which records a peer keeps.

Per author, kind and day the lowest ids stay, for each author's newest days, and
of a kept record everything it was built on. The choice depends on the set alone:
whatever order records came in, honest peers keep the same ones. An author who
looks for low ids displaces only records of his own.

An ancestor that was dropped before its descendant came is offered again by
whoever passes the descendant on, since that peer keeps both.

Law: pure; the time only ends the life of trials.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import nlargest, nsmallest
from typing import TypeAlias

from swarm.admission import TRIALS_LIFETIME_MS
from swarm.records import Kind, PeerId, Record, RecordId, Replication, Win, kind_of

EPOCH_MS = 24 * 60 * 60 * 1000
EPOCHS_KEPT = 400
KEPT_PER_EPOCH: Mapping[Kind, int] = {"win": 128, "replication": 512, "trials": 512}

_Days: TypeAlias = defaultdict[tuple[PeerId, Kind], defaultdict[int, list[RecordId]]]
_Counts: TypeAlias = defaultdict[tuple[PeerId, Kind], defaultdict[int, int]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What retention needs to know of a record; `ancestors` is what it was built on."""

    id: RecordId
    kind: Kind
    author: PeerId
    created_at_ms: int
    ancestors: tuple[RecordId, ...] = ()


def entry_of(record_id: RecordId, record: Record) -> Entry:
    """The entry of a record: a win stands on its base and parents, a replication on its win."""
    return Entry(
        record_id, kind_of(record), record.author, record.created_at_ms, _ancestors(record)
    )


class Room:
    """
    Whether everything there is is kept, told record by record.

    While no author has used up a share, `keep` gives back all that has not
    expired; that is the usual state, and it needs no look at all records.
    """

    def __init__(
        self, kept_per_epoch: Mapping[Kind, int] = KEPT_PER_EPOCH, epochs_kept: int = EPOCHS_KEPT
    ) -> None:
        self._kept_per_epoch = kept_per_epoch
        self._epochs_kept = epochs_kept
        self._counts: _Counts = defaultdict(lambda: defaultdict(int))

    def take(self, kind: Kind, author: PeerId, created_at_ms: int) -> bool:
        """Count one more record; False if its author's share is used up with it."""
        days = self._counts[author, kind]
        day = created_at_ms // EPOCH_MS
        days[day] += 1
        return days[day] <= self._kept_per_epoch[kind] and len(days) <= self._epochs_kept


def keep(
    entries: Iterable[Entry],
    now_ms: int,
    kept_per_epoch: Mapping[Kind, int] = KEPT_PER_EPOCH,
    epochs_kept: int = EPOCHS_KEPT,
) -> set[RecordId]:
    """
    The ids to keep of `entries`.

    Args:
        entries: Every record at hand, in any order.
        now_ms: The time here, Unix epoch milliseconds.
        kept_per_epoch: How many ids stay per author, kind and day (UTC).
        epochs_kept: Of how many days per author and kind, newest first.

    Returns:
        A subset of the entries' ids.
    """
    living = {entry.id: entry for entry in entries if not _is_expired(entry, now_ms)}
    days: _Days = defaultdict(lambda: defaultdict(list))
    for entry in living.values():
        days[entry.author, entry.kind][entry.created_at_ms // EPOCH_MS].append(entry.id)
    kept: set[RecordId] = set()
    for (_, kind), ids_by_day in days.items():
        for day in nlargest(epochs_kept, ids_by_day):
            kept.update(nsmallest(kept_per_epoch[kind], ids_by_day[day]))
    return _with_ancestors(kept, living)


def _with_ancestors(kept: set[RecordId], living: Mapping[RecordId, Entry]) -> set[RecordId]:
    """`kept` and everything among `living` that it was built on."""
    reached = set(kept)
    waiting = list(kept)
    while waiting:
        for ancestor in living[waiting.pop()].ancestors:
            if ancestor in living and ancestor not in reached:
                reached.add(ancestor)
                waiting.append(ancestor)
    return reached


def _is_expired(entry: Entry, now_ms: int) -> bool:
    return entry.kind == "trials" and entry.created_at_ms + TRIALS_LIFETIME_MS <= now_ms


def _ancestors(record: Record) -> tuple[RecordId, ...]:
    if isinstance(record, Win):
        return ((record.base,) if record.base else ()) + record.parents
    return (record.win,) if isinstance(record, Replication) else ()

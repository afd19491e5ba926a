"""
Finished experiments as a node looks at them: its own beside those of its peers.

Law: pure data, bounded. Whose experiment it was travels with it, because nobody's
word weighs as much as what this node measured itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from swarm.records import Pair, PeerId, RecordId, Trial, Trials, from_nano
from swarm.statistics import Direction

MAX_SEEN = 20_000
"""Experiments that are looked at."""

MAX_SEEN_OF_AUTHOR = 2_000


@dataclass(frozen=True, slots=True)
class SeenTrial:
    """
    A finished experiment, and where it ran.

    Attributes:
        author: Who ran it.
        hardware_class: On what kind of machine.
        own: Whether this node ran it.
    """

    author: PeerId
    hardware_class: str
    own: bool
    trial: Trial


def cost(pairs: Sequence[Pair], direction: Direction) -> float:
    """The mean metric of the candidate over some pairs, turned so that smaller is better."""
    sign = 1.0 if direction == "minimize" else -1.0
    return sign * math.fsum(from_nano(pair.candidate_nano) for pair in pairs) / len(pairs)


class LatestTrials:
    """
    The latest experiments on record, in the order they finished.

    When an author, or all of them together, have more than there is room for, the
    oldest batches give way.
    """

    def __init__(self, max_seen: int = MAX_SEEN, max_of_author: int = MAX_SEEN_OF_AUTHOR) -> None:
        self._max_seen = max_seen
        self._max_of_author = max_of_author
        self._batches: dict[RecordId, Trials] = {}
        self._counts: Counter[PeerId] = Counter()
        self._seen: list[SeenTrial] | None = None

    def add(self, record_id: RecordId, batch: Trials) -> None:
        """Take in a batch; one that is here already changes nothing."""
        if record_id in self._batches:
            return
        self._batches[record_id] = batch
        self._counts[batch.author] += len(batch.trials)
        self._seen = None
        if self._counts[batch.author] > self._max_of_author:
            self._make_room(batch.author)
        elif self._counts.total() > self._max_seen:
            self._make_room(None)

    def drop(self, record_ids: Iterable[RecordId]) -> None:
        """Forget batches that are no longer kept."""
        for record_id in record_ids:
            if (batch := self._batches.pop(record_id, None)) is not None:
                self._counts[batch.author] -= len(batch.trials)
                self._seen = None

    def all(self) -> list[SeenTrial]:
        """Every experiment, the oldest first."""
        if self._seen is None:
            found = [
                SeenTrial(batch.author, batch.hardware_class, False, trial)
                for batch in self._batches.values()
                for trial in batch.trials
            ]
            self._seen = sorted(found, key=lambda seen: seen.trial.finished_at_ms)
        return self._seen

    def _make_room(self, author: PeerId | None) -> None:
        """Drop the oldest tenth of an author's batches, or of all, so that it is done seldom."""
        theirs = sorted(
            (batch.created_at_ms, record_id)
            for record_id, batch in self._batches.items()
            if author is None or batch.author == author
        )
        self.drop([record_id for _, record_id in theirs[: len(theirs) // 10 + 1]])

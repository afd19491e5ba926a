"""
Every experiment that a running node knows of, each with the number in which it was learned.

Records are read once, when they come; what the board no longer keeps is forgotten,
own experiments stay. A reader that knows everything up to a number asks for what is
after it.

Law: bounded; used by one thread at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from swarm.board import Board
from swarm.records import PeerId, Record, RecordId, Trial, Trials, Win
from watch.found import Reader
from watch.json_text import to_json
from watch.tried import WIN, Tried, of_trial, of_trials, of_win

MOST = 50_000
"""Experiments held; the oldest learned are forgotten first."""
READ_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Row:
    """An experiment and its document as JSON."""

    seq: int
    tried: Tried
    line: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which experiments to give; None does not narrow."""

    after: int
    limit: int
    family: str | None = None
    outcome: str | None = None
    author: str | None = None
    since_ms: int = 0

    def holds(self, row: Row) -> bool:
        """Whether an experiment is wanted."""
        tried = row.tried
        return (
            row.seq > self.after
            and tried.finished_at_ms >= self.since_ms
            and self.family in (None, tried.family)
            and self.outcome in (None, tried.outcome)
            and self.author in (None, tried.author)
        )


@dataclass(slots=True)
class Known:
    """What a peer's experiments say of it."""

    nickname: str
    hardware_class: str
    trials: int = 0
    last_ms: int = 0


class TriedIndex:
    """
    The experiments of one node and its peers.

    Args:
        read: Gives records by id.
        own: This node.
        nickname: Its own.
    """

    def __init__(self, read: Reader, own: PeerId, nickname: str) -> None:
        self._read = read
        self._own = own
        self._nickname = nickname
        self._own_seen = 0
        self._records: set[RecordId] = set()
        self._rows: dict[tuple[str, str | None, str, int], Row] = {}
        self.last = 0

    def learn(self, board: Board, own: Sequence[Trial], hardware_class: str) -> None:
        """
        Take in what is new on a board and among own experiments; forget what is gone.

        Args:
            hardware_class: Where new ones of its own were run.
        """
        kept = board.wins.keys() | board.trials.keys()
        self._forget(self._records - kept)
        fresh = list(self._tell(own[self._own_seen :], hardware_class))
        self._own_seen = len(own)
        new = [record for record in kept if record not in self._records]
        self._records.update(new)
        for start in range(0, len(new), READ_AT_ONCE):
            records = self._read(new[start : start + READ_AT_ONCE])
            for record_id, record in records.items():
                fresh += _told(record_id, record)
        for tried in sorted(fresh, key=lambda each: (each.finished_at_ms, each.author, each.tree)):
            self._add(tried)

    def rows(self, wanted: Wanted) -> tuple[int, list[Row]]:
        """How many are wanted, and the last of them in the order they were learned."""
        found = [row for row in self._rows.values() if wanted.holds(row)]
        return len(found), found[-wanted.limit :]

    def authors(self) -> dict[PeerId, Known]:
        """Who told of experiments, as they said last."""
        known: dict[PeerId, Known] = {}
        for row in self._rows.values():
            tried = row.tried
            about = known.setdefault(tried.author, Known(tried.nickname, tried.hardware))
            about.trials += 1
            if tried.finished_at_ms >= about.last_ms:
                about.last_ms = tried.finished_at_ms
                about.nickname, about.hardware_class = tried.nickname, tried.hardware
        return known

    def _tell(self, trials: Iterable[Trial], hardware_class: str) -> Iterator[Tried]:
        for trial in trials:
            if trial.outcome != WIN:
                yield of_trial(None, trial, self._own, self._nickname, hardware_class)

    def _add(self, tried: Tried) -> None:
        key = (tried.author, tried.base, tried.tree, tried.finished_at_ms)
        if key in self._rows:
            return
        self.last += 1
        line = to_json(_document(self.last, tried, own=tried.author == self._own))
        self._rows[key] = Row(self.last, tried, line)
        for oldest in list(islice(self._rows, max(0, len(self._rows) - MOST))):
            del self._rows[oldest]

    def _forget(self, gone: set[RecordId]) -> None:
        self._records -= gone
        for key, row in list(self._rows.items()) if gone else ():
            if row.tried.record in gone and row.tried.author != self._own:
                del self._rows[key]


def _told(record_id: RecordId, record: Record) -> Iterator[Tried]:
    if isinstance(record, Win):
        yield of_win(record_id, record)
    elif isinstance(record, Trials):
        yield from of_trials(record_id, record)


def _document(seq: int, tried: Tried, *, own: bool) -> dict[str, object]:
    effect = tried.effect
    return {
        "seq": seq,
        "author": tried.author,
        "nickname": tried.nickname,
        "own": own,
        "hardware_class": tried.hardware,
        "title": tried.title,
        "family": tried.family,
        "proposer": tried.proposer,
        "outcome": tried.outcome,
        "record": tried.record,
        "base": tried.base,
        "parents": list(tried.parents),
        "knobs": dict(tried.knobs),
        "tree": tried.tree,
        "pairs": len(tried.pairs),
        "base_value": tried.base_value,
        "value": tried.value,
        "effect": None if effect is None else effect.mean,
        "milliseconds": tried.milliseconds,
        "finished_at_ms": tried.finished_at_ms,
    }

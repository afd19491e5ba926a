"""
The wins of a journal, with their diffs.

The board keeps what ranks a win; this gives the whole record, read when asked
for, so that its tree can be rebuilt.

Law: reads only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from gossip.board import VIEW
from gossip.journal import Journal
from swarm.board import Board, states
from swarm.records import Record, RecordId, Trials, Win

_DECODED_WINS = 2048
_LATEST_TRIALS = 2048


class JournalWins(Mapping[RecordId, Win]):
    """Wins by id; a bounded number stay in memory."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._decoded: OrderedDict[RecordId, Win] = OrderedDict()

    def __getitem__(self, record: RecordId) -> Win:
        if record not in self._decoded:
            self.remember({record: self._load(record)})
        self._decoded.move_to_end(record)
        return self._decoded[record]

    def remember(self, wins: Mapping[RecordId, Win]) -> None:
        """Keep wins of the journal at hand; those used longest ago give way."""
        self._decoded.update(wins)
        while len(self._decoded) > _DECODED_WINS:
            self._decoded.popitem(last=False)

    def __iter__(self) -> Iterator[RecordId]:
        return iter(self._journal.ids("win"))

    def __len__(self) -> int:
        return self._journal.count("win")

    def _load(self, record: RecordId) -> Win:
        envelope = self._journal.get(record)
        found = self._journal.read(envelope) if envelope is not None else None
        if not isinstance(found, Win):
            raise KeyError(record)
        return found


def whole_records(journal: Journal, wanted: Iterable[RecordId]) -> dict[RecordId, Record]:
    """Those of the wanted records that are in the journal."""
    found = ((record, journal.get(record)) for record in wanted)
    return {record: journal.read(data) for record, data in found if data is not None}


def latest_trials(journal: Journal) -> Iterator[tuple[RecordId, Trials]]:
    """The batches of trials that came last, the oldest of them first."""
    for record in journal.ids("trials")[-_LATEST_TRIALS:]:
        envelope = journal.get(record)
        found = journal.read(envelope) if envelope is not None else None
        if isinstance(found, Trials):
            yield record, found


def unchecked(journal: Journal, board: Board) -> list[RecordId]:
    """
    Wins whose diff was not applied when the board was last stored.

    Those are the wins that came after the stored view, and those that still
    waited for their base.
    """
    view = journal.view(VIEW)
    later = (stored for _, stored in journal.replay(view[0] if view else 0))
    waiting = [record for record, state in states(board).items() if state == "incomplete"]
    return [*waiting, *(stored.id for stored in later if stored.kind == "win")]

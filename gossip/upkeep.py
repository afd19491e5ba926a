"""
Keep the journal within its bounds.

Law: drops what `swarm.retention` does not keep, which is the same on every peer
that holds the same records, and nothing else.
"""

from __future__ import annotations

from gossip.journal import Journal
from swarm.envelope import open_envelope
from swarm.records import RecordId, decode
from swarm.retention import entry_of, keep


def drop_unkept(journal: Journal, now_ms: int) -> set[RecordId]:
    """Forget the records that are not kept any more, and say which."""
    entries = [
        entry_of(stored.id, decode(open_envelope(stored.envelope)[1]))
        for _, stored in journal.replay()
    ]
    dropped = {entry.id for entry in entries} - keep(entries, now_ms)
    if dropped:
        journal.drop(dropped)
    return dropped

"""
What the network brings, told so that nobody can flood a screen or a log.

Law: of each sender the first refusal of a period is told with its reason, and of
the rest how many there were, when the period ends. Of many wins at once a few
are told. The same trouble is told once in a period.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from swarm import events
from swarm.records import PeerId, Win
from swarm.validation import Valid

SENDERS = 64
TROUBLES = 64
WINS = 4
OTHERS = "other peers"


class Notices:
    """
    Turns what happens at the door into few events.

    Args:
        report: Told the events; must not block or raise.
        own: This node's peer id; its wins are told first.
    """

    def __init__(self, report: Callable[[events.Event], None], own: PeerId) -> None:
        self._report = report
        self._own = own
        self._refusals: Counter[PeerId] = Counter()
        self._troubles: set[str] = set()

    def accepted(self, batch: Sequence[Valid]) -> None:
        """These records came in at once."""
        wins = [(valid.id, valid.record) for valid in batch if isinstance(valid.record, Win)]
        wins.sort(key=lambda win: win[1].author != self._own)
        for told, (record_id, win) in enumerate(wins[:WINS], 1):
            own = win.author == self._own
            more = len(wins) - WINS if told == WINS else 0
            self._report(events.WinAccepted(record_id, win.title, win.nickname, own, more))

    def refused(self, reason: str, sender: PeerId) -> None:
        """One more record was refused; senders beyond `SENDERS` are counted as one."""
        if sender not in self._refusals and len(self._refusals) >= SENDERS:
            sender = OTHERS
        if sender not in self._refusals:
            self._report(events.RecordRefused(reason, sender))
        self._refusals[sender] += 1

    def trouble(self, message: str) -> None:
        """Something about the network or the disk that a person may want to fix."""
        if message not in self._troubles and len(self._troubles) < TROUBLES:
            self._troubles.add(message)
            self._report(events.NetworkTrouble(message))

    async def end_period(self) -> None:
        """Tell how many more refusals there were of each sender, and begin anew."""
        refusals, self._refusals = self._refusals, Counter()
        self._troubles.clear()
        for sender, count in refusals.items():
            if count > 1:
                reason = f"and {count - 1:,} more records of the same peer"
                self._report(events.RecordRefused(reason, sender))

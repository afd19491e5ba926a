"""
Which good records gossip passes on when somebody makes very many.

Keys are free, so a flood may come under a new name with every record. What is above
these shares is not passed on and not heard; it is nobody's fault, and sync brings it at
its own pace. Authors that are in the journal have a share that newcomers cannot use up,
and those who keep to the pace of experiments one that the eager cannot: who has used up
half of an own share is eager, and all who are have a small one together.

Law: who keeps to the pace of experiments is passed on, whoever floods.
"""

from __future__ import annotations

from collections.abc import Iterable

from gossip.limits import AUTHOR, EAGER, NEWCOMERS, RELAYED
from gossip.meters import Meters
from swarm.records import PeerId


class Relay:
    """
    The shares of authors.

    Args:
        known: Authors of what is in the journal.
    """

    def __init__(self, known: Iterable[PeerId]) -> None:
        self._known = set(known)
        self._authors: Meters[PeerId] = Meters(AUTHOR)
        self._newcomers: Meters[str] = Meters(NEWCOMERS)
        self._eager: Meters[str] = Meters(EAGER)
        self._all: Meters[str] = Meters(RELAYED)

    @property
    def is_full(self) -> bool:
        """Whether nothing at all would be passed on now."""
        return self._all.left("") < 1

    def knows(self, author: PeerId) -> bool:
        """Whether an author has records in the journal."""
        return author in self._known

    def note(self, authors: Iterable[PeerId]) -> None:
        """These authors have records in the journal."""
        self._known.update(authors)

    def takes(self, author: PeerId) -> bool:
        """Whether one more valid record of an author is passed on; counts it if so."""
        if author not in self._known:
            if not self._newcomers.take(""):
                return False
            self._authors.charge(author, AUTHOR.burst / 2 - 1)
        if not self._authors.take(author):
            return False
        if self._authors.left(author) < AUTHOR.burst / 2 and not self._eager.take(""):
            return False
        return self._all.take("")

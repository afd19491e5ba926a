"""What we asked whom for, lately: bounded, and forgotten after a while."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import trio

from gossip.transport import PeerId

ASKED_LIMIT = 20_000
ASK_AGAIN_S = 600.0


class Asked:
    """
    The last questions.

    A record that we do not keep (refused, deferred, expired) stays missing; it
    is not fetched again from the same peer every turn. Per peer, so that one
    that serves garbage for an id does not hide the record of another.
    """

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[PeerId, bytes], float] = OrderedDict()

    def add(self, peer: PeerId, keys: Sequence[bytes]) -> None:
        """These were asked for now."""
        now = trio.current_time()
        for key in keys:
            self._at[peer, key] = now
            self._at.move_to_end((peer, key))
        while len(self._at) > ASKED_LIMIT:
            self._at.popitem(last=False)

    def lately(self, peer: PeerId, key: bytes) -> bool:
        """Whether this was asked for so lately that it is not asked for again."""
        at = self._at.get((peer, key))
        return at is not None and trio.current_time() < at + ASK_AGAIN_S

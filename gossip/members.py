"""
Who has proved to hold a private topic's key, and when this node saw it last.

Law: a memory for people to look at, bounded and of no consequence: who is a member
now is decided by the key alone, each time anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from swarm.canonical import CanonicalError, pack, unpack
from swarm.records import PeerId

STATE = "members"
"""Under which name a journal remembers them."""

MAX_MEMBERS = 1024
_MAX_BYTES = 256 * 1024


class Members:
    """
    The members seen, by peer id, each with the Unix milliseconds of when it was last.

    Args:
        remembered: What `save` wrote last, if anything.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(self, remembered: bytes | None, now_ms: Callable[[], int]) -> None:
        self.seen_at_ms = read_members(remembered)
        self._now_ms = now_ms
        self._changed = False

    def note(self, peer: PeerId) -> None:
        """A peer has just proved that it holds the key."""
        self.seen_at_ms[peer] = self._now_ms()
        if len(self.seen_at_ms) > MAX_MEMBERS:
            del self.seen_at_ms[min(self.seen_at_ms, key=self.seen_at_ms.__getitem__)]
        self._changed = True

    async def save(self, remember: Callable[[str, bytes], Awaitable[None]]) -> None:
        """Have them remembered, if there is anything new."""
        if self._changed:
            self._changed = False
            await remember(STATE, pack(self.seen_at_ms))


def read_members(remembered: bytes | None) -> dict[PeerId, int]:
    """What `Members.save` had remembered; nobody where that is missing or damaged."""
    try:
        found = unpack(remembered or b"", max_bytes=_MAX_BYTES)
    except CanonicalError:
        return {}
    seen = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    return {peer: at for peer, at in seen.items() if isinstance(at, int)}

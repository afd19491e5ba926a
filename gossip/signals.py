"""
Claims, presences and leads: telling peers of this moment, and hearing it from them.

Law: nothing here is stored, synced or waited for. What is told is sent when it
changes and again now and then, the more seldom the more peers there are, since each
of them hears everyone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import trio

from gossip.identity import Identity
from gossip.limits import SIGNALS
from gossip.meters import Meters
from swarm.heard import LEAST_GAP_MS, Heard
from swarm.signals import (
    MAX_IDEAS,
    Claim,
    Idea,
    InvalidSignal,
    Lead,
    Presence,
    Signal,
    seal_signal,
    validate_signal,
)
from swarm.validation import Scope

AGAIN_SECONDS = 30.0
"""How often a signal is told again, at the most."""

AGAIN_SECONDS_PER_PEER = 2.0
AGAIN_SECONDS_AT_LEAST = 100.0
"""How often it is told again in the largest swarm; well within the time a signal holds."""

LOOK_SECONDS = 5.0
"""How often to look whether somebody new is there to be told."""

GAP_SECONDS = 2 * LEAST_GAP_MS / 1000
"""Between one claim or lead and the next: what changes meanwhile is told as one."""


class Signals:
    """
    What this node says of this moment, and what it heard.

    Args:
        publish: Hands bytes to the outbound queue.
        presence: What to say of this node now.
        peers: How many peers are connected.
        refused: Called with the reason and the sender of what was refused.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    def __init__(
        self,
        identity: Identity,
        scope: Scope,
        *,
        publish: Callable[[bytes], Awaitable[None]],
        presence: Callable[[], Presence],
        peers: Callable[[], int],
        refused: Callable[[str, str], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._identity = identity
        self._scope = scope
        self._publish = publish
        self._presence = presence
        self._peers = peers
        self._refused = refused
        self._now_ms = now_ms
        self._heard = Heard()
        self._passed: Meters[str] = Meters(SIGNALS)
        self._nothing = Claim(identity.peer_id, scope.topic, scope.task, 0, ())
        self._saying: dict[type[Signal], Signal] = {Claim: self._nothing}
        self._changed: dict[type[Signal], trio.Event] = {Claim: trio.Event(), Lead: trio.Event()}

    def would_pass(self, data: bytes) -> bool | None:
        """Whether gossip may pass a signal on; None where a good one is no news here."""
        try:
            signal = validate_signal(data, self._scope)
        except InvalidSignal:
            return False
        news = self._heard.is_news(signal, self._now_ms())
        return (news and self._passed.take("")) or None

    def offer(self, data: bytes, sender: str) -> None:
        """Hear what a peer sent; never raises for what it is."""
        try:
            signal = validate_signal(data, self._scope)
        except InvalidSignal as refusal:
            self._refused(str(refusal), sender)
            return
        if signal.author != self._identity.peer_id:
            self._heard.hear(signal, self._now_ms())

    def claims(self) -> list[Claim]:
        """What peers measure now."""
        return self._heard.claims(self._now_ms())

    def presences(self) -> list[Presence]:
        """Which peers are there, and what they say of themselves."""
        return self._heard.presences(self._now_ms())

    def claim(self, ideas: Sequence[Idea]) -> None:
        """Tell peers soon that this, and nothing else, is being measured here."""
        self._say(replace(self._nothing, ideas=tuple(ideas[:MAX_IDEAS])))

    def leads(self) -> list[Lead]:
        """How the best runs of peers went."""
        return self._heard.leads(self._now_ms())

    def lead(self, value_nano: int, curve: tuple[tuple[int, int], ...]) -> None:
        """Tell peers soon that this is how the best run here went; no more of it if empty."""
        author, scope = self._identity.peer_id, self._scope
        if curve:
            self._say(Lead(author, scope.topic, scope.task, 0, value_nano, curve))
        else:
            self._saying.pop(Lead, None)

    async def run(self) -> None:
        """Tell peers, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell_presence)
            nursery.start_soon(self._tell_again, Claim)
            nursery.start_soon(self._tell_again, Lead)

    async def _tell_presence(self) -> None:
        while True:
            await self._tell(self._presence())
            await self._due(trio.Event())

    def _say(self, signal: Signal) -> None:
        """From now on tell this, dated when it is told."""
        if self._saying.get(type(signal)) != signal:
            self._saying[type(signal)] = signal
            self._changed[type(signal)].set()

    async def _tell_again(self, kind: type[Signal]) -> None:
        while True:
            await self._due(self._changed[kind])
            signal, news = self._saying.get(kind), self._changed[kind].is_set()
            self._changed[kind] = trio.Event()
            if signal is None or (signal == self._nothing and not news):
                continue
            await self._tell(replace(signal, created_at_ms=self._now_ms()))
            await trio.sleep(GAP_SECONDS)

    async def _due(self, changed: trio.Event) -> None:
        """Wait until something changed, somebody came, or it is time to say it again."""
        fewest, until = self._peers(), trio.current_time() + self._again_seconds()
        while trio.current_time() < until and self._peers() <= fewest:
            fewest = min(fewest, self._peers())
            with trio.move_on_after(LOOK_SECONDS):
                await changed.wait()
                return

    def _again_seconds(self) -> float:
        wanted = max(AGAIN_SECONDS, AGAIN_SECONDS_PER_PEER * self._peers())
        return min(wanted, AGAIN_SECONDS_AT_LEAST)

    async def _tell(self, signal: Signal) -> None:
        try:
            envelope = seal_signal(signal, self._identity.sign, self._identity.public_key)
        except InvalidSignal as refusal:
            self._refused(f"this node would say of itself: {refusal}", signal.author)
            return
        await self._publish(envelope)

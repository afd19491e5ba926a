"""
How this node stands in the network: measured by asking peers, kept for who asks.

Every few minutes a few connected peers are asked to dial back (`gossip.dial_back`);
beside that, how long it took until somebody was there and until the first record of
somebody else came. What it means is said by `cli.network_doctor`.

Law: bounded in peers asked and answers kept; a peer that does not answer is passed
over. Answers are peers' words.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import trio

from gossip.circuits import Place
from gossip.dial_back import Seen
from gossip.skew import own_skew_ms
from gossip.transport import CallError, PeerId

PEERS_ASKED = 3
AGAIN_S = 300.0
LEAST_GAP_S = 60.0
SOON_S = 1.0
LOOK_S = 1.0
KEPT = 8
KEPT_S = 1800.0
MAX_SHOWN = 64

AskBack = Callable[[PeerId], Awaitable[Seen]]
"""Asks a connected peer to dial back; raises `CallError`."""


@dataclass(frozen=True, slots=True)
class _Answer:
    seen: Seen
    at_s: float
    at_ms: int


class NetworkHealth:
    """
    What a node knows of its own place in the network.

    Args:
        peers: The peers connected now.
        ask_back: Asks one of them.
        now_ms: The wall clock, Unix epoch milliseconds.
        entrances: The addresses this node was told to begin with; only told.
        uniform: Draws a float in [0, 1), to choose whom to ask.
    """

    def __init__(
        self,
        peers: Callable[[], Sequence[PeerId]],
        ask_back: AskBack,
        now_ms: Callable[[], int],
        entrances: Sequence[str] = (),
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._peers = peers
        self._ask_back = ask_back
        self._now_ms = now_ms
        self._entrances = list(entrances[:MAX_SHOWN])
        self._uniform = uniform
        self._began_s = trio.current_time()
        self._first_peer_s: float | None = None
        self._first_record_s: float | None = None
        self._answers: OrderedDict[PeerId, _Answer] = OrderedDict()
        self._mute: set[PeerId] = set()
        self._asked_at: dict[PeerId, float] = {}

    def record_came(self) -> None:
        """Somebody else's record is here now, and so somebody is."""
        self._peer_came()
        if self._first_record_s is None:
            self._first_record_s = trio.current_time() - self._began_s

    def place(self) -> Place:
        """What peers have lately said of where this node is."""
        oldest_s = trio.current_time() - KEPT_S
        recent = [answer.seen for answer in self._answers.values() if answer.at_s > oldest_s]
        is_reached = any("reached" in seen.ports.values() for seen in recent)
        return Place(is_reached, tuple(dict.fromkeys(seen.ip for seen in recent)))

    async def run(self) -> None:
        """Ask when the first peer is there and now and then, until cancelled."""
        while True:
            while not self._peers():  # noqa: ASYNC110 - peers come in their own time
                await trio.sleep(LOOK_S)
            self._peer_came()
            await trio.sleep(SOON_S)
            await self.ask()
            await self._until_due()

    async def ask(self) -> None:
        """Ask a few peers now, at the same time."""
        async with trio.open_nursery() as nursery:
            for peer in self._chosen():
                nursery.start_soon(self._ask, peer)

    def document(self) -> dict[str, object]:
        """All of it, as `status.json` holds it under `network`; times in seconds and ms."""
        now_s = trio.current_time()
        recent = {p: a for p, a in self._answers.items() if now_s < a.at_s + KEPT_S}
        peers = self._peers()
        return {
            "up_seconds": round(now_s - self._began_s, 1),
            "entrances": self._entrances,
            "connected": list(peers[:MAX_SHOWN]),
            "first_peer_seconds": _rounded(self._first_peer_s),
            "first_record_seconds": _rounded(self._first_record_s),
            "clock_skew_ms": own_skew_ms([answer.seen.clock for answer in recent.values()]),
            "mute_peers": len(self._mute.intersection(peers)),
            "checks": [_check(peer, answer) for peer, answer in recent.items()],
        }

    def _peer_came(self) -> None:
        if self._first_peer_s is None:
            self._first_peer_s = trio.current_time() - self._began_s

    async def _until_due(self) -> None:
        """Wait for the next round; a first answer that is still missing is asked for sooner."""
        asked, ends = set(self._peers()), trio.current_time() + AGAIN_S
        while trio.current_time() < ends:
            await trio.sleep(LOOK_S)
            if len(self._answers) < PEERS_ASKED and not asked.issuperset(self._peers()):
                return

    def _chosen(self) -> list[PeerId]:
        """Peers to ask, at random, none twice in a minute; those asked before come last."""
        now_s, peers = trio.current_time(), set(self._peers())
        self._asked_at = {p: at for p, at in self._asked_at.items() if now_s < at + LEAST_GAP_S}
        ranked = [(self._rank(p), self._uniform(), p) for p in peers - self._asked_at.keys()]
        return [peer for _, _, peer in sorted(ranked)[:PEERS_ASKED]]

    def _rank(self, peer: PeerId) -> int:
        return 2 if peer in self._mute else int(peer in self._answers)

    async def _ask(self, peer: PeerId) -> None:
        self._asked_at[peer] = trio.current_time()
        try:
            seen = await self._ask_back(peer)
        except CallError:
            self._mute = {*self._mute.intersection(self._peers()), peer}
            return
        self._mute.discard(peer)
        self._answers[peer] = _Answer(seen, trio.current_time(), self._now_ms())
        self._answers.move_to_end(peer)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)


def _check(peer: PeerId, answer: _Answer) -> Mapping[str, object]:
    seen = answer.seen
    return {
        "peer": peer,
        "at_ms": answer.at_ms,
        "seen_ip": seen.ip,
        "seen_port": seen.port,
        "ports": {str(port): outcome for port, outcome in seen.ports.items()},
        "clock_ahead_ms": seen.clock.ahead_ms,
        "clock_error_ms": seen.clock.error_ms,
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 2)

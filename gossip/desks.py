"""
The desks at which one peer may call another.

On a public topic each desk is a protocol of its own; among the members of a private one
its byte stands sealed before the question, on the protocol of the first.
"""

from __future__ import annotations

from typing import Protocol

import trio

from gossip.transport import PeerEvent, PeerId, Responder

GREETING, SYNC, TASK, PEERS = b"\x00", b"\x01", b"\x02", b"\x03"

PROTOCOLS = {
    SYNC: "/research-swarm/sync/1.0.0",
    PEERS: "/research-swarm/peers/1.0.0",
}
"""The libp2p protocols of the desks that are open to all."""


class Desks(Protocol):
    """A transport as those see it who call at desks of their own."""

    @property
    def peer_id(self) -> PeerId:
        """This node's own peer id."""
        ...

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Full multiaddrs to dial this node at."""
        ...

    def peers(self) -> tuple[PeerId, ...]:
        """The peers connected now."""
        ...

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Who comes and goes from now on."""
        ...

    def serve(self, responder: Responder, desk: bytes = SYNC) -> None:
        """Answer calls to a desk with ``responder`` from now on."""
        ...

    async def call(
        self, peer: PeerId, request: bytes, timeout_s: float = 10.0, desk: bytes = SYNC
    ) -> bytes:
        """
        Ask a connected peer at a desk.

        Raises:
            CallError: No good answer within the deadline.
        """
        ...

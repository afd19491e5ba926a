"""
What the rest of the node may know about a network.

A transport moves opaque bytes: it spreads messages by gossip, answers and makes
bounded calls to one peer, and says who is connected. It promises nothing about
delivery: gossip is a hint, `gossip.sync` is the guarantee.

Law: publishing never waits for the network, every call has a deadline, and
every queue has an end. Implementations: `gossip.libp2p_transport` for real
networks, `gossip.memory_transport` for virtual time. Both pass the contract
suite in ``tests/contracts/transport``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import trio

MAX_MESSAGE_BYTES = 256 * 1024
MAX_REQUEST_BYTES = 64 * 1024
MAX_RESPONSE_BYTES = 4 * 1024 * 1024

PeerId = str


class TransportError(Exception):
    """Something about the network went wrong; the text names it and the fix."""


class ListenError(TransportError):
    """A listen address cannot be used: taken, forbidden or not one of this machine's."""


class DialError(TransportError):
    """A peer could not be reached at an address."""


class CallError(TransportError):
    """A call to a peer got no good answer: gone, too slow, too large or refused."""


class QuestionError(Exception):
    """A question that cannot be read or is not for us: its asker is to blame."""


@dataclass(frozen=True, slots=True)
class Received:
    """A gossip message. ``sender`` is the peer that published it, its signature checked."""

    data: bytes
    sender: PeerId


@dataclass(frozen=True, slots=True)
class PeerEvent:
    """A peer is now connected, or its last connection has ended."""

    peer: PeerId
    connected: bool


Verdict = Callable[[bytes], bool | None]
"""
Says quickly whether a gossip message is worth forwarding. None: it is not, and whoever
passed it on is not to blame; False: no honest peer does. An exception counts as no.
"""

Responder = Callable[[PeerId, bytes], Awaitable[bytes]]
"""Answers one call: (caller, request) -> response of at most `MAX_RESPONSE_BYTES`."""


class Transport(Protocol):
    """One node's connection to one topic."""

    @property
    def peer_id(self) -> PeerId:
        """This node's own peer id."""
        ...

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Full multiaddrs, with ``/p2p/``, to dial this node at; empty while it is down."""
        ...

    def peers(self) -> tuple[PeerId, ...]:
        """The peers connected now."""
        ...

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        """Full multiaddrs at which a connected peer says it can be dialled, best first."""
        ...

    async def publish(self, data: bytes) -> None:
        """
        Hand a message to the paced outbound queue; returns at once.

        When the queue is full its oldest message is dropped and counted: sync heals.

        Raises:
            ValueError: The message is larger than `MAX_MESSAGE_BYTES`.
        """
        ...

    def received(self) -> trio.MemoryReceiveChannel[Received]:
        """Messages from others: bounded, the newest dropped and counted when full."""
        ...

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """A new bounded channel of who comes and goes from now on; dropped when full."""
        ...

    def serve(self, responder: Responder) -> None:
        """Answer calls with ``responder`` from now on; it replaces the one before."""
        ...

    async def call(self, peer: PeerId, request: bytes, timeout_s: float = 10.0) -> bytes:
        """
        Ask a connected peer and wait for its answer.

        Raises:
            CallError: No answer within the deadline, or not a good one.
            ValueError: The request is larger than `MAX_REQUEST_BYTES`.
        """
        ...

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        """
        Connect to a peer and return its id; at once if it is connected already.

        Raises:
            DialError: Not a usable address, or nobody with that id answers there.
        """
        ...

"""
The queues between a network and the node: all bounded, all shared by every
life of the network, so that a restart loses nothing that was queued.

Law: the network's side never waits. What does not fit is dropped and counted.
"""

from __future__ import annotations

import trio

from gossip.outbox import Outbox
from gossip.transport import MAX_MESSAGE_BYTES, PeerEvent, PeerId, Received

RECEIVED_LIMIT = 1024
EVENTS_LIMIT = 256


class Mailroom:
    """Messages out, messages in, and who comes and goes."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self.received_dropped = 0
        """Messages that found the inbound queue full, ever."""
        self._arrive, self.received = trio.open_memory_channel[Received](RECEIVED_LIMIT)
        self._listeners: list[trio.MemorySendChannel[PeerEvent]] = []

    def publish(self, data: bytes) -> None:
        """
        Queue a message to send.

        Raises:
            ValueError: It is larger than `MAX_MESSAGE_BYTES`.
        """
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError(f"a message of {len(data)} bytes; at most {MAX_MESSAGE_BYTES}")
        self.outbox.put(data)

    def deliver(self, data: bytes, sender: PeerId) -> None:
        """Queue a message that arrived."""
        try:
            self._arrive.send_nowait(Received(data, sender))
        except (trio.WouldBlock, trio.ClosedResourceError, trio.BrokenResourceError):
            self.received_dropped += 1

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """A channel of the events from now on; closing it ends the subscription."""
        send, receive = trio.open_memory_channel[PeerEvent](EVENTS_LIMIT)
        self._listeners.append(send)
        return receive

    def announce(self, peer: PeerId, connected: bool) -> None:
        """Tell every listener that a peer came or went."""
        for listener in list(self._listeners):
            try:
                listener.send_nowait(PeerEvent(peer, connected))
            except trio.WouldBlock:
                continue
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self._listeners.remove(listener)

    def close(self) -> None:
        """End all channels: readers see their end once they are empty."""
        self._arrive.close()
        for listener in self._listeners:
            listener.close()

"""
A network inside one process, for tests in virtual time.

Messages arrive after a delay, may be lost, and cross only links that are up:
everything a real network does to us, repeatable. It has no mesh: a published
message goes to every node of the topic that is connected by some path.

Law: the same contract as the real transport (``tests/contracts/transport``);
time is trio's clock, chance is the function given.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import trio

from gossip.mailroom import Mailroom
from gossip.outbox import Outbox
from gossip.transport import (
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    CallError,
    DialError,
    PeerEvent,
    PeerId,
    Received,
    Responder,
    Verdict,
)

Link = frozenset[PeerId]


class MemoryNetwork:
    """
    Nodes, the links between them, and what the links do to messages.

    Args:
        delay_s: How long a message or an answer travels over one link.
        loss: The share of gossip messages lost, in [0, 1].
        uniform: Draws a float in [0, 1).
    """

    def __init__(
        self,
        *,
        delay_s: float = 0.01,
        loss: float = 0.0,
        uniform: Callable[[], float] = lambda: 0.5,
    ) -> None:
        self.delay_s = delay_s
        self.loss = loss
        self._uniform = uniform
        self._nodes: dict[PeerId, MemoryTransport] = {}
        self._links: dict[PeerId, set[PeerId]] = {}
        self._cut: set[Link] = set()

    @asynccontextmanager
    async def open(
        self,
        peer_id: PeerId,
        topic: str,
        *,
        verdict: Verdict = lambda data: True,
        outbox: Outbox | None = None,
    ) -> AsyncGenerator[MemoryTransport]:
        """Run a node until the block ends."""
        node = MemoryTransport(
            self, peer_id, topic, verdict, Outbox() if outbox is None else outbox
        )
        self._nodes[peer_id] = node
        self._links[peer_id] = set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.mail.outbox.drain, node.spread)
            node.nursery = nursery
            try:
                yield node
            finally:
                self._remove(peer_id)
                node.mail.close()
                nursery.cancel_scope.cancel()

    def cut(self, one: PeerId, other: PeerId) -> None:
        """Break the link between two nodes and let nobody dial across."""
        self._cut.add(frozenset((one, other)))
        self._unlink(one, other)

    def heal(self, one: PeerId, other: PeerId) -> None:
        """Allow two nodes to dial each other again."""
        self._cut.discard(frozenset((one, other)))

    def linked(self, peer: PeerId) -> tuple[PeerId, ...]:
        """The nodes that one node is connected to."""
        return tuple(sorted(self._links.get(peer, ())))

    def node(self, peer: PeerId) -> MemoryTransport | None:
        """A node that runs now."""
        return self._nodes.get(peer)

    def link(self, one: PeerId, other: PeerId) -> bool:
        """Connect two nodes; False if one is not there or the way is cut."""
        link = frozenset((one, other))
        if link in self._cut or not link <= self._nodes.keys():
            return False
        if other not in self._links[one]:
            self._links[one].add(other)
            self._links[other].add(one)
            self._nodes[one].mail.announce(other, True)
            self._nodes[other].mail.announce(one, True)
        return True

    def loses_one(self) -> bool:
        """Whether the next gossip message is lost."""
        return self._uniform() < self.loss

    def _unlink(self, one: PeerId, other: PeerId) -> None:
        for end, gone in ((one, other), (other, one)):
            if gone in self._links.get(end, ()):
                self._links[end].remove(gone)
                self._nodes[end].mail.announce(gone, False)

    def _remove(self, peer: PeerId) -> None:
        for other in self.linked(peer):
            self._unlink(peer, other)
        del self._nodes[peer], self._links[peer]


class MemoryTransport:
    """A `gossip.transport.Transport` on a `MemoryNetwork`; made by `MemoryNetwork.open`."""

    nursery: trio.Nursery

    def __init__(
        self,
        network: MemoryNetwork,
        peer_id: PeerId,
        topic: str,
        verdict: Verdict,
        outbox: Outbox,
    ) -> None:
        self.mail = Mailroom(outbox)
        self.topic = topic
        self._network = network
        self._peer_id = peer_id
        self._verdict = verdict
        self._responder: Responder | None = None
        self._seen: set[bytes] = set()

    @property
    def peer_id(self) -> PeerId:
        """This node's own peer id."""
        return self._peer_id

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """The one address of this node."""
        return (f"/memory/p2p/{self._peer_id}",)

    def peers(self) -> tuple[PeerId, ...]:
        """The nodes linked to this one."""
        return self._network.linked(self._peer_id)

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        """The one address of a linked node."""
        return (f"/memory/p2p/{peer}",) if peer in self.peers() else ()

    async def publish(self, data: bytes) -> None:
        """Queue a message; see `gossip.transport.Transport.publish`."""
        self.mail.publish(data)
        await trio.lowlevel.checkpoint()

    def received(self) -> trio.MemoryReceiveChannel[Received]:
        """Messages from others."""
        return self.mail.received

    def events(self) -> trio.MemoryReceiveChannel[PeerEvent]:
        """Who comes and goes from now on."""
        return self.mail.events()

    def serve(self, responder: Responder) -> None:
        """Answer calls with ``responder`` from now on."""
        self._responder = responder

    async def call(self, peer: PeerId, request: bytes, timeout_s: float = 10.0) -> bytes:
        """Ask a peer; see `gossip.transport.Transport.call`."""
        if len(request) > MAX_REQUEST_BYTES:
            raise ValueError(f"a request of {len(request)} bytes; at most {MAX_REQUEST_BYTES}")
        try:
            with trio.fail_after(timeout_s):
                answer = await self._ask(peer, request)
        except trio.TooSlowError:
            raise CallError(f"{peer} did not answer within {timeout_s:g} s") from None
        if len(answer) > MAX_RESPONSE_BYTES:
            raise CallError(f"{peer} answered {len(answer)} bytes, at most {MAX_RESPONSE_BYTES}")
        return answer

    async def _ask(self, peer: PeerId, request: bytes) -> bytes:
        await trio.sleep(self._network.delay_s)
        node = self._network.node(peer)
        if node is None or peer not in self.peers():
            raise CallError(f"{peer} is not connected")
        try:
            answer = await node.answer(self._peer_id, request)
        except Exception as error:
            raise CallError(f"{peer} failed to answer") from error
        await trio.sleep(self._network.delay_s)
        return answer

    async def answer(self, caller: PeerId, request: bytes) -> bytes:
        """What this node's responder says."""
        if self._responder is None:
            raise CallError("nobody answers calls here yet")
        return await self._responder(caller, request)

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        """Connect to ``/memory/p2p/PEER``; see `gossip.transport.Transport.dial`."""
        await trio.sleep(self._network.delay_s)
        peer = multiaddr.removeprefix("/memory/p2p/")
        if peer == multiaddr:
            raise DialError(f"cannot dial: {multiaddr!r} is not like /memory/p2p/PEER")
        if peer == self._peer_id:
            raise DialError(f"cannot dial {multiaddr}: that is this node itself")
        if not self._network.link(self._peer_id, peer):
            raise DialError(f"cannot reach {multiaddr}: is that node running?")
        return peer

    async def spread(self, data: bytes) -> None:
        """Pass a message on to every linked node of the topic that has not had it."""
        self._seen.add(data)
        for peer in self.peers():
            node = self._network.node(peer)
            if node is not None and node.topic == self.topic and not self._network.loses_one():
                node.nursery.start_soon(node.take, data, self._peer_id)
        await trio.lowlevel.checkpoint()

    async def take(self, data: bytes, publisher: PeerId) -> None:
        """Receive a message after the link's delay and pass it on."""
        await trio.sleep(self._network.delay_s)
        if data in self._seen or not self._worth_it(data):
            return
        self.mail.deliver(data, publisher)
        await self.spread(data)

    def _worth_it(self, data: bytes) -> bool:
        try:
            return self._verdict(data) is True
        except Exception:  # noqa: BLE001 - a verdict that fails is a no, as on a real network
            return False

"""
Peer exchange: whom do you know?

Peers ask each other when they connect, soon again, and then seldom. An answer holds
where the answerer can be dialled itself, and some peers that it has lately been
connected to, with their addresses; never one that it has only heard of, so what is
invented goes one step and no further.

Law: an answer is one peer's word. Few peers and few addresses of it are taken, each peer
is answered seldom, and what is heard is a hint (`gossip.discovery`). Signed peer records
would prove what a peer once said of itself; whom a dial reaches proves more.

Protocol: ``/research-swarm/peers/1.0.0``, or desk ``0x03`` of a private topic. The
question is an empty canonical msgpack array, the answer ``[[peer id, [multiaddr, …]], …]``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import cast

import trio

from gossip.desks import PEERS, Desks
from gossip.discovery import Heard, by_peer
from gossip.elsewhere import from_here
from gossip.peer_book import PeerBook
from gossip.transport import CallError, PeerId, QuestionError
from swarm.canonical import CanonicalError, pack, unpack

TOLD = 16
ADDRS_TOLD = 6
MAX_ANSWER_BYTES = 64 * 1024
LATELY_MS = 24 * 3600 * 1000
ASK_AFTER_S = (1.0, 8.0, 60.0)
ASK_SELDOM_S = 600.0
ANSWER_AGAIN_S = 3.0
REMEMBERED = 1024
CALL_S = 10.0


class Exchange:
    """
    The way of asking peers, and the desk that answers them.

    Args:
        desks: The transport, among members on a private topic.
        book: Whom this node has met.
        now_ms: The wall clock, Unix epoch milliseconds.
    """

    name = "peer exchange"

    def __init__(self, desks: Desks, book: PeerBook, now_ms: Callable[[], int]) -> None:
        self._desks = desks
        self._book = book
        self._now_ms = now_ms
        self._answered: OrderedDict[PeerId, float] = OrderedDict()
        self._asked: set[PeerId] = set()
        desks.serve(self.answer, PEERS)

    async def run(self, heard: Heard) -> None:
        """Ask everybody who is there or comes, until cancelled or the network ends."""
        coming = self._desks.events()
        async with trio.open_nursery() as nursery:
            for peer in self._desks.peers():
                nursery.start_soon(self._keep_asking, peer, heard)
            async for event in coming:
                if event.connected:
                    nursery.start_soon(self._keep_asking, event.peer, heard)

    async def answer(self, peer: PeerId, request: bytes) -> bytes:
        """
        Where this node and some that it has met can be dialled.

        Raises:
            QuestionError: The peer has only just been answered.
        """
        await trio.lowlevel.checkpoint()
        now_s = trio.current_time()
        if now_s < self._answered.get(peer, -ANSWER_AGAIN_S) + ANSWER_AGAIN_S:
            raise QuestionError(f"{peer} asks for peers again and again")
        self._answered[peer] = now_s
        self._answered.move_to_end(peer)
        while len(self._answered) > REMEMBERED:
            self._answered.popitem(last=False)
        return pack([(known, addrs[:ADDRS_TOLD]) for known, addrs in self._known(peer)])

    def _known(self, asker: PeerId) -> list[tuple[PeerId, tuple[str, ...]]]:
        since_ms = self._now_ms() - LATELY_MS
        met = [
            (entry.peer, entry.addrs)
            for entry in self._book.latest_first()
            if entry.seen_at_ms > since_ms and entry.peer != asker
        ]
        return [(self._desks.peer_id, self._desks.listen_addrs), *met[:TOLD]]

    async def _keep_asking(self, peer: PeerId, heard: Heard) -> None:
        """Ask one peer for as long as it is connected; one task for each."""
        if peer in self._asked:
            return
        self._asked.add(peer)
        waits = list(ASK_AFTER_S)
        try:
            while True:
                await trio.sleep(waits.pop(0) if waits else ASK_SELDOM_S)
                if peer not in self._desks.peers():
                    return
                try:
                    await self._ask(peer, heard)
                except CallError:
                    waits.clear()
        finally:
            self._asked.discard(peer)

    async def _ask(self, peer: PeerId, heard: Heard) -> None:
        """Ask; where somebody says that he is himself is no way of finding him: he is here."""
        answer = await self._desks.call(peer, pack([]), CALL_S, PEERS)
        for told, addrs in read_answer(answer).items():
            usable = from_here(addrs, self._desks.listen_addrs)
            if told == peer and peer not in self._book.entries:
                self._book.note(peer, usable, self._now_ms())
            else:
                heard(told, usable, peer)


def read_answer(answer: bytes) -> dict[PeerId, tuple[str, ...]]:
    """
    Whom an answer names, at which addresses; a bounded number of each.

    Raises:
        CallError: It is no answer.
    """
    try:
        value = unpack(answer, max_bytes=MAX_ANSWER_BYTES)
    except CanonicalError as error:
        raise CallError(f"no list of peers: {error}") from error
    rows = cast("tuple[object, ...]", value) if isinstance(value, tuple) else ()
    found: dict[PeerId, tuple[str, ...]] = {}
    for row in rows[: TOLD + 1]:
        if not isinstance(row, tuple) or len(cast("tuple[object, ...]", row)) != 2:
            raise CallError("no list of peers and addresses")
        peer, addrs = cast("tuple[object, object]", row)
        if not isinstance(peer, str) or not isinstance(addrs, tuple):
            raise CallError("no list of peers and addresses")
        texts = [addr for addr in cast("tuple[object, ...]", addrs) if isinstance(addr, str)]
        found[peer] = by_peer(texts[:ADDRS_TOLD]).get(peer, ())
    return {peer: addrs for peer, addrs in found.items() if addrs}

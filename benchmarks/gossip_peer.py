"""
One peer of `benchmarks.bench_gossip`: publishes what it is given, notes when messages came.

Run as ``python -m benchmarks.gossip_peer TOPIC TASK ours|stock``; takes commands as lines
of JSON on standard input and answers each with one. The transport and the verdict
are a node's own: every record is validated before it is passed on.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, cast

import trio

from gossip.identity import new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.outbox import Outbox
from swarm.validation import Invalid, Scope, validate

Answer = dict[str, Any]


class Peer:
    """What one peer has sent and got since the last report, by hash, in Unix seconds."""

    def __init__(self, transport: Libp2pTransport) -> None:
        self._transport = transport
        self._sent: dict[str, float] = {}
        self._got: dict[str, float] = {}

    async def listen(self) -> None:
        """Note each message as it comes."""
        async for message in self._transport.received():
            self._got.setdefault(_name(message.data), time.time())

    async def dial(self, addrs: list[str]) -> Answer:
        """Connect to peers."""
        for addr in addrs:
            await self._transport.dial(addr)
        return await self.peers()

    async def peers(self) -> Answer:
        """How many peers are connected."""
        await trio.lowlevel.checkpoint()
        return {"peers": len(self._transport.peers())}

    async def publish(self, messages: list[str], start_s: float, interval_s: float) -> Answer:
        """Publish messages at a pace, the first at a time in Unix seconds."""
        for at, message in enumerate(messages):
            await trio.sleep(max(0.0, start_s + at * interval_s - time.time()))
            data = base64.b64decode(message)
            self._sent[_name(data)] = time.time()
            await self._transport.publish(data)
        return {"published": len(messages)}

    async def report(self) -> Answer:
        """What was sent and got since the last report."""
        await trio.lowlevel.checkpoint()
        report = {"sent": self._sent, "got": self._got}
        self._sent, self._got = {}, {}
        return report


def _name(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]


def _leave_libp2p_as_it_is() -> None:
    """For comparison: our guarded host without the changes in `gossip.fast`."""
    from libp2p.pubsub.gossipsub import GossipSub
    from libp2p.pubsub.pubsub import Pubsub

    from gossip import fast
    from gossip.guards import GuardedPubsub
    from gossip.router import BoundedGossipSub

    fast.apply = lambda: None
    pubsub = cast(Any, GuardedPubsub)
    for name in ("push_msg", "continuously_read_stream", "handle_sending_messages"):
        setattr(pubsub, name, getattr(Pubsub, name))
    cast(Any, BoundedGossipSub).send_rpc = GossipSub.send_rpc


async def main(topic: str, task: str, kind: str) -> None:
    """Serve commands until standard input ends."""
    if kind == "stock":
        _leave_libp2p_as_it_is()
    scope = Scope(topic, task)

    def verdict(data: bytes) -> bool:
        try:
            validate(data, scope)
        except Invalid:
            return False
        return True

    outbox = Outbox(per_second=1000, burst=16)
    listen = ("/ip4/127.0.0.1/tcp/0",)
    async with (
        open_libp2p_transport(
            new_identity(), topic, listen, verdict=verdict, outbox=outbox
        ) as transport,
        trio.open_nursery() as nursery,
    ):
        peer = Peer(transport)
        nursery.start_soon(peer.listen)
        print(json.dumps({"addr": transport.listen_addrs[0]}), flush=True)
        commands: dict[str, Callable[..., Coroutine[Any, Any, Answer]]] = {
            "dial": peer.dial,
            "peers": peer.peers,
            "publish": peer.publish,
            "report": peer.report,
        }
        async for line in trio.wrap_file(sys.stdin):
            asked = json.loads(line)
            answer = await commands[asked.pop("do")](**asked)
            print(json.dumps(answer), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])

"""What the router remembers: a message once, by the id that everyone gives it."""

from __future__ import annotations

from typing import Any

import trio
from libp2p.pubsub.pb import rpc_pb2

from gossip.libp2p_host import Network
from gossip.message_id import message_id
from tests.gossip.stock import TOPIC, connect, guarded_node
from tests.gossip.waiting import until


async def test_what_it_says_it_has_is_known_by_that_name() -> None:
    """A stock router names its messages otherwise: all that it says it has is asked for again."""
    async with guarded_node() as one, guarded_node() as other:
        await connect(one.host, other.addr)
        await until(lambda: one.host.get_id() in other.pubsub.peer_topics.get(TOPIC, ()), 60)
        await until(lambda: other.host.get_id() in one.pubsub.peer_topics.get(TOPIC, ()), 60)
        network: Network | None = one.network
        assert network is not None
        await network.publish(b"a message")
        await until(lambda: bool(other.delivered), 60)
        router: Any = one.pubsub.router
        assert router.mcache.msgs.keys() == {message_id(b"a message")}
        assert router.mcache.get(message_id(b"a message")).data == b"a message"
        asked = list[object]()

        async def emit_iwant(ids: object, to_peer: object) -> None:
            asked.append(ids)
            await trio.lowlevel.checkpoint()

        other.pubsub.router.emit_iwant = emit_iwant
        await other.pubsub.router.handle_ihave(ihave(b"a message"), one.host.get_id())
        assert not asked
        await other.pubsub.router.handle_ihave(ihave(b"another"), one.host.get_id())
        assert asked == [[message_id(b"another")]]


def ihave(data: bytes) -> Any:
    return rpc_pb2.ControlIHave(topicID=TOPIC, messageIDs=[message_id(data)])

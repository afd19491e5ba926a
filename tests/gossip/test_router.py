"""What the router remembers: a message once, by the id that everyone gives it."""

from __future__ import annotations

from typing import Any

import trio
from libp2p.pubsub.pb import rpc_pb2

from gossip.fast import Frames, PeerQueue
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


async def test_addresses_go_with_the_first_message_of_a_minute() -> None:
    """Each message goes as one RPC; all that wait for a peer leave in one piece."""
    async with guarded_node() as one, guarded_node() as other:
        await connect(one.host, other.addr)
        await until(lambda: other.host.get_id() in one.pubsub.peer_topics.get(TOPIC, ()), 60)
        queue = PeerQueue()
        one.pubsub.peer_queues[other.host.get_id()] = queue
        for number in range(3):
            message = rpc_pb2.Message(data=b"%d" % number, topicIDs=[TOPIC])
            rpc = rpc_pb2.RPC(publish=[message], senderRecord=b"addresses")
            one.pubsub.router.send_rpc(other.host.get_id(), rpc)
        written = await queue.pop_frames()
        assert written is not None
        found = [rpc_pb2.RPC.FromString(data) for data in await Frames(Once(written), 1000).read()]
        assert [rpc.senderRecord for rpc in found] == [b"addresses", b"", b""]
        assert [rpc.publish[0].data for rpc in found] == [b"0", b"1", b"2"]


class Once:
    """A stream that gives some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, n: int) -> bytes:
        await trio.lowlevel.checkpoint()
        return self._data

"""
GossipSub as this network needs it: settings that were measured, and no memory that grows.

Law: the wire is GossipSub 1.1. What is changed here is what a node remembers, and how
often it encodes the same message.

Source: https://github.com/libp2p/py-libp2p at 0.8.1
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import trio
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.mcache import CacheEntry, MessageCache
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub

from gossip.fast import PeerQueue, framed

TELL_S = 60.0


class RecordCache(MessageCache):
    """
    The messages of the last seconds, by the ids that this network gives them.

    A stock one names them by publisher and number whatever their ids are: what it says it
    has nobody knows by that name, so that everyone who hears it asks for all of it again.
    """

    def __init__(self, name_of: Callable[[rpc_pb2.Message], bytes], like: MessageCache) -> None:
        super().__init__(like.window_size, like.history_size)
        self._name_of = name_of

    def put(self, msg: rpc_pb2.Message) -> None:
        """Keep a message."""
        name = self._name_of(msg)
        if name not in self.msgs:
            self.msgs[name] = msg
            self.history[0].append(CacheEntry(name, msg.topicIDs))


class BoundedGossipSub(GossipSub):
    """
    A router that forgets.

    A stock one keeps a timestamp of every message for ever, and the last thousand
    messages whole, to see whether one number was used for two; each may be as large as
    `MAX_MESSAGE_BYTES`. Here a message is its payload, and its number means nothing.
    """

    _framed: tuple[rpc_pb2.RPC, bytes, bytes] | None = None
    """What is being sent to several peers: the RPC, the message's id, and its frame."""

    _tell_at = -math.inf

    def attach(self, pubsub: Pubsub) -> None:
        super().attach(pubsub)
        self.mcache = RecordCache(pubsub.get_message_id, self.mcache)

    async def publish(self, msg_forwarder: ID, pubsub_msg: rpc_pb2.Message) -> None:
        await super().publish(msg_forwarder, pubsub_msg)
        self._framed = None
        self.recent_message_deliveries.clear()
        self.equivocation_detection.clear()

    async def _do_px(self, px_peers: list[rpc_pb2.PeerInfo]) -> None:
        """
        Dial nobody because a PRUNE names him.

        A stock router dials any address, of anybody, whoever signed for it; peer exchange
        tells where peers are, and `gossip.redial` decides.
        """
        await trio.lowlevel.checkpoint()

    def send_rpc(self, peer_id: ID, rpc: rpc_pb2.RPC, priority: bool = False) -> None:
        """
        Queue an RPC; one that is only a message is encoded once for all its receivers.

        Our signed addresses go with a message once a minute, where a stock router sends
        them with each: they were told in the first RPC to each peer.
        """
        pubsub = cast(Pubsub, self.pubsub)
        queue = pubsub.peer_queues.get(peer_id)
        is_message = len(rpc.publish) == 1 and not rpc.subscriptions and not rpc.HasField("control")
        if not is_message or peer_id in self._pending_control or not isinstance(queue, PeerQueue):
            super().send_rpc(peer_id, rpc, priority)
            return
        if self._framed is None or self._framed[0] is not rpc:
            message = rpc.publish[0]
            told = trio.current_time() < self._tell_at
            data = framed(rpc_pb2.RPC(publish=[message]) if told else rpc)
            if not told:
                self._tell_at = trio.current_time() + TELL_S
            self._framed = (rpc, pubsub.get_message_id(message), data)
        queue.push_message(*self._framed[1:])


def new_router(protocols: Sequence[str], heartbeat_s: float) -> GossipSub:
    """
    GossipSub with the settings that were measured to work.

    Stock settings hurt: a heartbeat of 120 s, a rate limit that silently
    throttles our own messages, and (with 1.2) an IDONTWANT per message.
    """
    return BoundedGossipSub(
        protocols=[TProtocol(protocol) for protocol in protocols],
        degree=6,
        degree_low=4,
        degree_high=12,
        heartbeat_interval=cast(int, heartbeat_s),
        do_px=True,
        adaptive_gossip_enabled=False,
        spam_protection_enabled=False,
    )

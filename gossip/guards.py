"""
What keeps py-libp2p 0.8.1 alive among peers that are broken, stale or hostile.

A stock host dies of one malformed RPC and takes no inbound connection after its
250th. Each guard here contains one such failure, named in its docstring, and
has a test that first shows the failure on a stock host. The version is pinned:
a guard is only as good as its knowledge of what it guards.

Law: nothing that a peer sends may raise past this module. A peer that causes an
error loses its stream, never its neighbours theirs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary

import trio
from libp2p.abc import IHost, INetStream
from libp2p.io.exceptions import IOException
from libp2p.network.connection.exceptions import RawConnError
from libp2p.network.exceptions import SwarmException
from libp2p.network.stream.exceptions import StreamError
from libp2p.network.swarm import Swarm
from libp2p.peer.id import ID
from libp2p.pubsub.gossipsub import GossipSub
from libp2p.pubsub.pb import rpc_pb2
from libp2p.pubsub.pubsub import Pubsub, ValidationCache, ValidationResult
from libp2p.pubsub.rpc_queue import RpcQueue

from gossip import fast
from gossip.expulsions import Expulsions
from gossip.fast import Frames, PeerQueue
from gossip.limits import Limits
from gossip.meters import Meters
from gossip.pace import Pace
from gossip.transport import MAX_MESSAGE_BYTES, Verdict
from swarm.reach import site_of

_log = logging.getLogger(__name__)

MAX_RPC_BYTES = 1024 * 1024
MAX_TOPICS_PER_PEER = 16


class GuardedPubsub(Pubsub):
    """
    A Pubsub for one topic that survives its peers.

    Args:
        host: A libp2p host.
        router: Its GossipSub router.
        topic: The one topic; messages for others are dropped.
        verdict: Whether a message's data is worth forwarding.
        deliver: Takes the data and the publisher's id of each message accepted.
        message_id: The GossipSub id of a message's data.
        limits: What each peer may send.
        expelled: Who is expelled, as `guard_host` keeps it.
    """

    def __init__(
        self,
        host: IHost,
        router: GossipSub,
        *,
        topic: str,
        verdict: Verdict,
        deliver: Callable[[bytes, str], None],
        message_id: Callable[[bytes], bytes],
        limits: Limits,
        expelled: Expulsions,
    ) -> None:
        super().__init__(
            host,
            router,
            strict_signing=True,
            msg_id_constructor=lambda message: message_id(message.data),
            max_subscriptions_per_peer=MAX_TOPICS_PER_PEER,
            max_inbound_rpc_size=MAX_RPC_BYTES,
        )
        self._topic = topic
        self._deliver = deliver
        self._verdict = verdict
        self._writing: WeakKeyDictionary[INetStream, trio.Lock] = WeakKeyDictionary()
        self._pace = Pace(limits)
        self._expelled = expelled
        self.validation_cache = _NoCache()
        self.peer_queues = _Queues()
        self.set_topic_validator(topic, self._judge, is_async_validator=False)

    async def run(self) -> None:
        """Serve, and end the thread that a stock one leaves behind with each of its lives."""
        try:
            await super().run()
        finally:
            self.seen_messages.stop()

    async def push_msg(self, msg_forwarder: ID, msg: rpc_pb2.Message) -> None:
        """
        Contain what a message can raise: an undecodable key or id kills a stock host.

        One that is known costs a hash and no more. Messages that are oversized or
        list other topics beside ours go no further; a list of a million junk topics
        would otherwise be remembered.
        """
        if msg_forwarder == self.my_id:
            await super().push_msg(msg_forwarder, msg)
            return
        message_id = self.get_message_id(msg)
        queue = self.peer_queues.get(msg_forwarder)
        if isinstance(queue, PeerQueue):
            queue.forget(message_id)
        if self.seen_messages.has(message_id):
            return
        try:
            if list(msg.topicIDs) == [self._topic] and len(msg.data) <= MAX_MESSAGE_BYTES:
                await super().push_msg(msg_forwarder, msg)
        except Exception as error:  # noqa: BLE001 - the containment point for messages
            _log.debug("dropped a message from %s: %r", msg_forwarder, error)
        if not self.seen_messages.has(message_id):
            self._expelled.note_fault(msg_forwarder)
        await trio.lowlevel.checkpoint()

    async def continuously_read_stream(self, stream: INetStream) -> None:
        """
        Contain what an RPC can raise: bytes that are no protobuf kill a stock host.

        A peer is read no faster than what it sent is dealt with, nor than its share.
        """
        peer = stream.muxed_conn.peer_id
        try:
            await self._read_rpcs(stream, peer)
        except (StreamError, IOException, RawConnError) as error:
            _log.debug("the gossip stream of %s ended: %r", peer, error)
        except Exception as error:  # noqa: BLE001 - the containment point for RPCs
            _log.info("closed the gossip stream of %s: %r", peer, error)
            await _reset(stream)
            self._handle_dead_peer(peer)
            self._expelled.note_fault(peer)

    async def _read_rpcs(self, stream: INetStream, peer: ID) -> None:
        frames = Frames(stream, MAX_RPC_BYTES)
        while self.manager.is_running:
            for data in await frames.read():
                await self._pace.settle(peer)
                if peer not in self._expelled:
                    await self._take_rpc(peer, data)
                if peer in self._expelled:
                    return

    async def _take_rpc(self, peer: ID, data: bytes) -> None:
        rpc = rpc_pb2.RPC()
        rpc.ParseFromString(data)
        self._pace.received(peer, len(data), len(rpc.publish))
        if not fast.consume_record(rpc, self.host, peer):
            self._expelled.note_fault(peer)
            return
        for message in rpc.publish:
            if self._topic in message.topicIDs:
                await self.push_msg(peer, message)
        if len(rpc.subscriptions) <= self.max_subscriptions_per_rpc:
            for subscription in rpc.subscriptions:
                self.handle_subscription(peer, subscription)
        if rpc.HasField("control"):
            await self.router.handle_rpc(rpc, peer)

    async def handle_sending_messages(
        self, peer_id: ID, stream: INetStream, queue: RpcQueue
    ) -> None:
        """Write what waits for a peer, as much at a time as waits."""
        try:
            while (data := await cast(PeerQueue, queue).pop_frames()) is not None:
                async with self._writing.setdefault(stream, trio.Lock()):
                    await stream.write(data)
        except Exception as error:  # noqa: BLE001 - a dying stream may fail in any way
            _log.debug("sending to %s ended: %r", peer_id, error)
            self._handle_dead_peer(peer_id)

    async def write_msg(self, stream: INetStream, rpc_msg: rpc_pb2.RPC) -> bool:
        """
        Write one RPC after another.

        An RPC over 64 KiB goes out in several frames, and stock lets a second writer
        put its own in between: the peer reads garbage and closes the stream.
        """
        async with self._writing.setdefault(stream, trio.Lock()):
            return await super().write_msg(stream, rpc_msg)

    def notify_subscriptions(self, publish_message: rpc_pb2.Message) -> None:
        """
        Hand a message straight to our own queue.

        One RPC may carry hundreds of messages, all delivered before any reader
        runs; the stock channel of 32 silently loses the rest.
        """
        publisher = ID(publish_message.from_id)
        if publisher != self.my_id:
            self._deliver(publish_message.data, str(publisher))

    def _judge(self, forwarder: ID, message: rpc_pb2.Message) -> bool:
        """The verdict as libp2p wants it: quick, boolean, and it never raises."""
        if forwarder == self.my_id:
            return True
        try:
            verdict = self._verdict(message.data)
        except Exception:  # noqa: BLE001 - the containment point for verdicts
            _log.exception("the verdict on a message from %s failed", forwarder)
            return False
        if verdict is None:
            self._mark_msg_seen(message)
            self._pace.wasted(forwarder)
        return verdict is True


class _Queues(dict[ID, RpcQueue]):
    """
    What waits to be sent, by peer; a queue that takes the place of another ends it.

    Where two nodes dial each other at once a stock one registers the peer twice, and the
    task that sends from the first queue waits for ever, with its stream.
    """

    def __setitem__(self, peer: ID, queue: RpcQueue) -> None:
        before = self.get(peer)
        super().__setitem__(peer, queue)
        if before is not None and before is not queue:
            before.close()


class _NoCache(ValidationCache):
    """
    Verdicts are not remembered by message id.

    The id is that of the payload, so a forged signature around a true payload
    would have the true message refused for 300 seconds.
    """

    def get(self, msg_id: bytes) -> ValidationResult | None:
        return None

    def put(self, msg_id: bytes, result: ValidationResult) -> None:
        return


def guard_host(host: IHost, limits: Limits) -> Expulsions:
    """
    Wrap a host's doors before it listens.

    - A stream handler that raises costs its stream, not the host.
    - A peer has only so many streams open, and opens only so many.
    - A peer that is expelled is hung up on, on each connection that it makes or has.
    - An inbound slot is released when its connection ends; a stock host keeps
      it for life and takes no connection after the 250th.
    - One IP address has only so many inbound connections at a time, handshakes
      included, and makes only so many: idle sockets cannot lock honest peers out.
      Who is expelled and comes back under new names uses that up soon.
    - The host dials nobody by itself: a stock one tries every address that any
      peer ever told it. Whom to dial is `gossip.redial`'s decision.

    Returns:
        Who is expelled; tell it of faults.
    """
    network = cast(Swarm, host.get_network())
    cast(Any, network.auto_connector).maybe_connect = _do_nothing
    arrived: Meters[str] = Meters(limits.arrivals_per_ip)
    expelled = Expulsions(host, limits, arrived)
    _contain_stream_handlers(network, limits, expelled)
    _release_inbound_slots(network, expelled)
    _cap_connections_per_ip(network, limits, arrived)
    return expelled


def _contain_stream_handlers(network: Swarm, limits: Limits, expelled: Expulsions) -> None:
    handle = network.common_stream_handler
    opened: Meters[ID] = Meters(limits.streams)
    held: Counter[ID] = Counter()

    async def contained(stream: INetStream) -> None:
        peer = stream.muxed_conn.peer_id
        if peer in expelled:
            await expelled.hang_up(stream.muxed_conn, peer)
            return
        if held[peer] >= limits.streams_per_peer or not opened.take(peer):
            _log.debug("refused a stream: %s has %d already", peer, held[peer])
            await _reset(stream)
            return
        held[peer] += 1
        try:
            await handle(stream)
        except Exception as error:  # noqa: BLE001 - the containment point for handlers
            _log.info("a stream handler failed: %r", error)
            await _reset(stream)
        finally:
            held[peer] -= 1
            if not held[peer]:
                del held[peer]
        if peer in expelled:
            await expelled.hang_up(stream.muxed_conn, peer)

    network.common_stream_handler = contained


def _release_inbound_slots(network: Swarm, expelled: Expulsions) -> None:
    upgrade = network.upgrade_inbound_raw_conn

    async def until_closed(raw_conn: Any, maddr: Any) -> Any:
        muxed = await upgrade(raw_conn, maddr)
        if muxed.peer_id in expelled:
            await expelled.hang_up(muxed, muxed.peer_id)
            raise SwarmException("it is expelled")
        for connection in network.get_connections():
            if connection.muxed_conn is muxed:
                await cast(Any, connection).event_closed.wait()
                break
        raise SwarmException("inbound connection ended")

    cast(Any, network).upgrade_inbound_raw_conn = until_closed


def _cap_connections_per_ip(network: Swarm, limits: Limits, arrived: Meters[str]) -> None:
    accept = cast(Any, network)._handle_inbound_connection
    held: Counter[str] = Counter()

    async def capped(raw: Any, maddr: Any) -> None:
        remote = raw.get_remote_address()
        ip = site_of(str(remote[0])) if remote else ""
        if held[ip] >= limits.connections_per_ip or not arrived.take(ip):
            _log.debug("refused a connection: %s has %d already", ip, held[ip])
            await raw.close()
            return
        held[ip] += 1
        try:
            await accept(raw, maddr)
        finally:
            held[ip] -= 1
            if not held[ip]:
                del held[ip]

    cast(Any, network)._handle_inbound_connection = capped


async def _do_nothing() -> None:
    return


async def _reset(stream: INetStream) -> None:
    try:
        await stream.reset()
    except Exception as error:  # noqa: BLE001 - a dead stream may fail in any way
        _log.debug("could not reset a stream: %r", error)

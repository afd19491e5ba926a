"""
The network side of one node: door, journal, board and peers, wired together.

    gossip, sync, own records ─► intake ─► journal ─► board

Law: wiring only, and the one way in. Own records and those of peers pass the same
door; nothing here knows of experiments or of what people look at.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import trio

from gossip import peer_book
from gossip.circuits import CircuitLimits
from gossip.desks import TASK
from gossip.discovery import Discovery
from gossip.home import Home
from gossip.identity import Identity
from gossip.intake import Intake
from gossip.journal import Journal
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.limits import limits_of
from gossip.live_board import LiveBoard
from gossip.members import STATE, Members
from gossip.message_id import claimed_id
from gossip.network_health import MAX_SHOWN, NetworkHealth
from gossip.notices import Notices
from gossip.outbox import Outbox
from gossip.ports import ports_of_last_time
from gossip.redial import keep_connected
from gossip.relay import Relay
from gossip.sealed_transport import SealedTransport, open_sealed_transport, sealed_verdict
from gossip.signals import Signals
from gossip.sync import Sync
from gossip.task_desk import TaskDesk
from gossip.topics import Topic, alone
from gossip.transport import Transport
from gossip.upkeep import KeptStore
from gossip.ways import directories_of, split, ways_of
from swarm import events
from swarm.envelope import seal
from swarm.records import SCHEMA_VERSION, PeerId, Record, RecordId, encode
from swarm.settings import NetworkSettings
from swarm.signals import Presence, is_signal
from swarm.task import Task
from swarm.validation import Invalid, Valid, validate

KINDS = ("win", "replication", "trials")
ADDRS_SECONDS = 1.0
BOARD_SECONDS = 30.0
RETENTION_SECONDS = 60.0
NOTICES_SECONDS = 60.0
MEMBERS_SECONDS = 5.0
ALONE_SECONDS = 20.0


Wire = Libp2pTransport | SealedTransport


class Network:
    """
    What one node holds of the swarm, and how it hears and tells.

    Args:
        topic: What it takes part in; the records it takes in are those of its scope.
        package: The task, packed for members who lack it; asked for when one does.
        journal: Written by the intake only, in a thread.
        reading: The same journal, for reads in the event loop.
        report: Told what happens; must not block or raise.
        presence: What to tell peers of this node now.
        now_ms: The wall clock, Unix epoch milliseconds.

    Attributes:
        live: The board, as it is now.
        signals: What peers say of this moment.
        health: Whether peers reach this node, and what else is known of its place; set
            by `opened`.
    """

    health: NetworkHealth

    def __init__(
        self,
        settings: NetworkSettings,
        home: Home,
        topic: Topic,
        task: Task,
        package: Callable[[], bytes],
        identity: Identity,
        journal: Journal,
        reading: Journal,
        report: Callable[[events.Event], None],
        presence: Callable[[], Presence],
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._home = home
        self._topic = topic
        self._package = package
        self._identity = identity
        self._journal = journal
        self._reading = reading
        self._report = report
        self._now_ms = now_ms
        self._disk = trio.CapacityLimiter(1)
        self._members = Members(reading.state(STATE), now_ms)
        self._told_addrs: set[str] = set()
        self._relay = Relay(reading.authors())
        self.live = LiveBoard(task, journal, reading, self._disk)
        self.notices = Notices(report, identity.peer_id)
        self._intake = Intake(
            journal,
            self._disk,
            topic.scope,
            own=identity.peer_id,
            known=self.live.knows,
            accepted=self._accepted,
            refused=self.notices.refused,
            room=self._has_room,
            now_ms=now_ms,
        )
        self.signals = Signals(
            identity,
            topic.scope,
            publish=self._publish,
            presence=presence,
            peers=lambda: self.peers,
            refused=self.notices.refused,
            now_ms=now_ms,
        )

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """
        Listen when the block begins; keep the board clean until it ends.

        Raises:
            ListenError: An address cannot be listened on.
        """
        seal, verdict = self._topic.seal, self._verdict
        async with (
            open_libp2p_transport(
                self._identity,
                self._topic.wire,
                self._listen_addrs(),
                verdict=verdict if seal is None else sealed_verdict(seal, verdict),
                limits=limits_of(self._settings),
                outbox=Outbox(per_second=self._settings.publish_per_second),
                on_trouble=self.notices.trouble,
                pre_shared_key=self._settings.pre_shared_key or self._topic.pre_shared_key,
                circuits=CircuitLimits() if self._settings.relay else None,
                wanted=directories_of(self._settings, self._topic),
                now_ms=self._now_ms,
            ) as plain,
            self._among_members(plain) as transport,
        ):
            self._transport, self._plain = transport, plain
            self.health = NetworkHealth(
                transport.peers, plain.dial_back, self._now_ms, self._wanted
            )
            self._book = peer_book.load(self._home.peer_book(self._topic.label))
            self._discovery = Discovery(
                transport.peer_id,
                self._book,
                ways_of(
                    self._settings,
                    self._topic,
                    transport,
                    plain,
                    self._book,
                    now_ms=self._now_ms,
                    on_trouble=self.notices.trouble,
                ),
                on_trouble=self.notices.trouble,
                uniform=random.random,
            )
            self._sync = self._synced_by(transport)
            plain.place = self.health.place
            await self._drop_unkept()
            await self._tell_of_addrs()
            yield

    @asynccontextmanager
    async def _among_members(self, plain: Libp2pTransport) -> AsyncGenerator[Wire]:
        """On a private topic, the members' transport on top of everybody's."""
        if self._topic.seal is None:
            yield plain
            return
        async with open_sealed_transport(
            plain, self._topic.seal, proved=self._members.note
        ) as transport:
            transport.serve(TaskDesk(self._package).answer, TASK)
            yield transport

    def services(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs for as long as the network is open."""
        return [
            self._intake.run,
            self._sync.run,
            self.health.run,
            self.signals.run,
            self._listen_to_gossip,
            self._tell_of_peers,
            self._keep_connected,
            self._discovery.run,
            self._tell_if_alone,
            self.live.check_for_ever,
            partial(every, ADDRS_SECONDS, self._tell_of_addrs),
            partial(every, BOARD_SECONDS, self.live.save),
            partial(every, RETENTION_SECONDS, self._drop_unkept),
            partial(every, NOTICES_SECONDS, self.notices.end_period),
            partial(every, MEMBERS_SECONDS, partial(self._members.save, self.remember)),
        ]

    @property
    def peers(self) -> int:
        """How many peers are connected."""
        return len(self._transport.peers())

    @property
    def connected(self) -> tuple[PeerId, ...]:
        """The peers that are connected."""
        return self._transport.peers()

    @property
    def listen_addrs(self) -> tuple[str, ...]:
        """Where peers can dial this node, full multiaddrs."""
        return self._transport.listen_addrs

    def document(self) -> dict[str, object]:
        """How this node stands in the network, as ``status.json`` holds it."""
        found_by = dict(self._discovery.found_by(self.connected[:MAX_SHOWN]))
        return {**self.health.document(), "found_by": found_by}

    async def publish(self, record: Record) -> RecordId:
        """Sign a record, take it through the door like anyone's, and tell peers."""
        return await self.publish_sealed(
            seal(encode(record), self._identity.sign, self._identity.public_key)
        )

    async def publish_sealed(self, envelope: bytes) -> RecordId:
        """Take a record that somebody signed through the door, and tell peers; no quota counts."""
        record_id = await self._intake.commit(envelope)
        await self._publish(envelope)
        return record_id

    async def hear_once_more(self, seconds: float) -> None:
        """Sync with the peers there are, before leaving."""
        await self._sync.once(seconds)

    def remembered(self, name: str) -> bytes | None:
        """What was last remembered under a name."""
        return self._reading.state(name)

    async def remember(self, name: str, data: bytes) -> None:
        """Keep something small in the journal; durable when this returns."""
        await trio.to_thread.run_sync(self._journal.set_state, name, data, limiter=self._disk)

    def _listen_addrs(self) -> tuple[str, ...]:
        said = self._home.read_status().get("listen_addrs")
        last = cast("list[object]", said) if isinstance(said, list) else []
        addrs = [addr for addr in last if isinstance(addr, str)]
        return ports_of_last_time(self._settings.listen_addrs, addrs)

    def _synced_by(self, transport: Transport) -> Sync:
        return Sync(
            transport,
            KeptStore(self._journal, self._disk, lambda: self.live.board, self._now_ms),
            self._intake.offer_many,
            scope=f"{self._topic.scope.topic}#{SCHEMA_VERSION}",
            kinds=KINDS,
            interval_s=self._settings.sync_interval_seconds,
        )

    async def _publish(self, data: bytes) -> None:
        await self._transport.publish(data)

    async def _listen_to_gossip(self) -> None:
        async for message in self._transport.received():
            if is_signal(message.data):
                self.signals.offer(message.data, message.sender)
            else:
                await self._intake.offer(message.data, message.sender)

    async def _tell_of_peers(self) -> None:
        async for event in self._transport.events():
            said = events.PeerConnected if event.connected else events.PeerDisconnected
            self._report(said(event.peer, self.peers))

    async def _tell_of_addrs(self) -> None:
        for multiaddr in self.listen_addrs:
            if multiaddr not in self._told_addrs:
                self._told_addrs.add(multiaddr)
                self._report(events.Listening(multiaddr))

    async def _keep_connected(self) -> None:
        await keep_connected(
            self._transport,
            self._book,
            split(self._wanted)[0],
            now_ms=self._now_ms,
            on_trouble=self.notices.trouble,
            linked=self._plain.peers,
        )

    @property
    def _wanted(self) -> tuple[str, ...]:
        return (*self._settings.join, *self._settings.bootstrap_peers)

    async def _tell_if_alone(self) -> None:
        """Say once, when nobody is there for a while, how others come."""
        await trio.sleep(ALONE_SECONDS)
        if not self.peers:
            self._report(events.NetworkTrouble(alone(self._topic)))

    async def _drop_unkept(self) -> None:
        await self.live.drop_unkept(self._now_ms())

    def _verdict(self, data: bytes) -> bool | None:
        """Whether gossip may pass a message on; quick, as it runs inside the network."""
        if is_signal(data):
            return self.signals.would_pass(data)
        if self._relay.is_full or self.live.knows(claimed_id(data) or ""):
            return None
        try:
            valid = validate(data, self._topic.scope)
        except Invalid:
            return False
        return self._relay.takes(valid.record.author) or None

    def _has_room(self, author: PeerId) -> bool:
        """Whether the journal takes an author's records; keys are free and disks are not."""
        most_bytes = self._settings.max_journal_mebibytes * 2**20
        return self._relay.knows(author) or self._reading.size_bytes() < most_bytes

    def _accepted(self, batch: Sequence[Valid]) -> None:
        self.live.add(batch)
        self._relay.note(valid.record.author for valid in batch)
        if any(valid.record.author != self._identity.peer_id for valid in batch):
            self.health.record_came()
        self.notices.accepted(batch)


async def every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do some work again and again, with a pause before each time."""
    while True:
        await trio.sleep(seconds)
        await work()

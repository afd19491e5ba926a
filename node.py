"""
One node: research, records and network, composed.

    strategy ─► proposer ─► runner ─► decision ─► record ─┐
                                                          ▼
    gossip, sync ───────────────────────────────────────► intake ─► journal ─► board

Law: wiring only. What is true is decided in `swarm`, what is stored lies in
`gossip.journal`; this file connects them and keeps the order of start and stop.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import cast

import trio

from experiments.findings import Author, trials_record
from experiments.history import History
from experiments.probe import probe
from experiments.proposers.fold import FoldProposer
from experiments.proposers.knobs import KnobProposer
from experiments.research import Research
from experiments.run_cache import RunCache
from experiments.runner import open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import LoadedTask, load_task
from gossip import peer_book, trust_file
from gossip.home import Home
from gossip.identity import Identity, load_or_create
from gossip.intake import Intake, RecordExpiredError
from gossip.journal import Journal
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.live_board import LiveBoard
from gossip.notices import Notices
from gossip.outbox import Outbox
from gossip.ports import ports_of_last_time
from gossip.redial import keep_connected
from gossip.sync import Sync
from gossip.upkeep import KeptStore
from swarm import events
from swarm.board import Board
from swarm.envelope import seal
from swarm.hardware import hardware_class
from swarm.records import SCHEMA_VERSION, PeerId, Record, RecordId, encode
from swarm.settings import Settings
from swarm.tree import Tree
from swarm.validation import Invalid, Scope, Valid, validate
from watch.status import status_document, task_document

KINDS = ("win", "replication", "trials")
STATUS_SECONDS = 1.0
TRIALS_SECONDS = 5.0
TRIALS_PER_RECORD = 64
BOARD_SECONDS = 30.0
RETENTION_SECONDS = 60.0
NOTICES_SECONDS = 60.0
FAREWELL_SECONDS = 8.0

Report = Callable[[events.Event], None]


def now_ms() -> int:
    """The wall clock, Unix epoch milliseconds."""
    return time.time_ns() // 1_000_000


async def serve(settings: Settings, home: Home, report: Report) -> None:
    """
    Run a node until it is stopped by a signal or has done its experiments.

    Args:
        settings: What the person set.
        home: Its folder; held for as long as this runs.
        report: Told what happens; must not block or raise.

    Raises:
        HomeError, IdentityError, JournalError, TaskError, ListenError, RunnerError,
        RunCacheError: Something a person must see to; the text says what.
    """
    with home.held():
        loaded = load_task(settings.task)
        identity = load_or_create(home.identity)
        path = home.journal(loaded.task.id)
        with Journal.open(path) as journal, Journal.open(path, read_only=True) as reading:
            await Node(settings, home, loaded, identity, journal, reading, report).live()


class Node:
    """
    Everything one running node holds.

    Args:
        journal: Written by the intake only, in a thread.
        reading: The same journal, for reads in the event loop.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        loaded: LoadedTask,
        identity: Identity,
        journal: Journal,
        reading: Journal,
        report: Report,
    ) -> None:
        self._settings = settings
        self._home = home
        self._loaded = loaded
        self._task = loaded.task
        self._identity = identity
        self._journal = journal
        self._reading = reading
        self._report = report
        self._disk = trio.CapacityLimiter(1)
        self._live = LiveBoard(self._task, journal, reading, self._disk)
        self._started = time.monotonic()
        self._probe = probe()
        self._author = Author(
            peer_id=identity.peer_id,
            nickname=settings.node.nickname,
            topic=self._task.topic,
            task=self._task.id,
            hardware_class=hardware_class(self._probe),
            device="cpu",
        )
        self._history = History(home.history, self._task.id)
        self._research: Research | None = None
        self._trusted = trust_file.load(home.trust)
        self._told_addrs: set[str] = set()
        self._scope = Scope(self._task.topic, self._task.id)
        self._notices = Notices(report, identity.peer_id)
        self._intake = Intake(
            journal,
            self._disk,
            self._scope,
            own=identity.peer_id,
            known=self._live.knows,
            accepted=self._accepted,
            refused=self._notices.refused,
            now_ms=now_ms,
        )

    async def live(self) -> None:
        """Run until a signal, or until the experiments asked for are done."""
        self._report(self._beginning())
        network = self._settings.network
        async with (
            open_libp2p_transport(
                self._identity,
                self._task.topic,
                self._listen_addrs(),
                verdict=self._verdict,
                outbox=Outbox(per_second=network.publish_per_second),
                on_trouble=self._notices.trouble,
            ) as transport,
            trio.open_nursery() as nursery,
        ):
            self._transport = transport
            await self._live.drop_unkept(now_ms())
            sync = self._sync(transport)
            for service in self._services(sync):
                nursery.start_soon(service)
            await self._write_status()
            await self._until_stopped()
            await self._farewell(sync)
            nursery.cancel_scope.cancel()

    def _beginning(self) -> events.Started:
        task, node = self._task, self._settings.node
        return events.Started(
            task=task.name,
            metric=task.metric.name,
            unit=task.metric.unit,
            direction=task.metric.direction,
            goal=task.metric.goal,
            min_effect=task.min_effect,
            workers=0 if node.observe else self._workers(),
            home=str(self._home.root),
            nickname=node.nickname,
        )

    def _workers(self) -> int:
        return self._settings.node.workers or max(1, self._probe.cores - 1)

    def _listen_addrs(self) -> tuple[str, ...]:
        said = self._home.read_status().get("listen_addrs")
        last = cast("list[object]", said) if isinstance(said, list) else []
        addrs = [addr for addr in last if isinstance(addr, str)]
        return ports_of_last_time(self._settings.network.listen_addrs, addrs)

    def _sync(self, transport: Libp2pTransport) -> Sync:
        return Sync(
            transport,
            KeptStore(self._journal, self._disk, lambda: self._live.board, now_ms),
            self._intake.offer,
            scope=f"{self._task.topic}#{SCHEMA_VERSION}",
            kinds=KINDS,
            interval_s=self._settings.network.sync_interval_seconds,
        )

    def _services(self, sync: Sync) -> list[Callable[[], Awaitable[None]]]:
        return [
            self._intake.run,
            sync.run,
            self._listen_to_gossip,
            self._tell_of_peers,
            self._keep_connected,
            self._live.check_for_ever,
            partial(_every, STATUS_SECONDS, self._write_status),
            partial(_every, TRIALS_SECONDS, self._publish_trials),
            partial(_every, BOARD_SECONDS, self._live.save),
            partial(_every, RETENTION_SECONDS, lambda: self._live.drop_unkept(now_ms())),
            partial(_every, NOTICES_SECONDS, self._notices.end_period),
        ]

    async def _until_stopped(self) -> None:
        """Research until a signal comes, or the experiments asked for are done."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._stop_on, signals, nursery.cancel_scope)
                node = self._settings.node
                if not node.observe:
                    await self._do_research()
                if node.observe or node.stay:
                    await trio.sleep_forever()
                self._report(events.Stopping("The experiments asked for are done."))
                nursery.cancel_scope.cancel()

    async def _stop_on(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        async for _ in signals:
            self._report(events.Stopping("Stopping cleanly; the next start goes on from here."))
            scope.cancel()
            return

    async def _do_research(self) -> None:
        node = self._settings.node
        workers = self._workers()
        runs = RunCache(self._home.runs)
        async with open_runner(
            self._loaded,
            cache=self._home.cache,
            scratch=self._home.scratch,
            runs=runs,
            workers=workers,
            sandbox=best_sandbox(self._task.harness),
            accept=self._settings.search.accept,
            niceness=node.nice,
        ) as runner:
            self._research = Research(
                self._task,
                runner,
                self._history,
                (KnobProposer(), FoldProposer()),
                self,
                self._author,
                self._settings.search,
                workers=workers,
                limit=node.experiments,
                report=self._report,
                uniform=random.random,
            )
            await self._research.run(lambda: self._live.news)

    async def _farewell(self, sync: Sync) -> None:
        """Tell peers what is left to tell and hear them once more."""
        with trio.move_on_after(FAREWELL_SECONDS):
            await self._publish_trials()
            await sync.once(FAREWELL_SECONDS)
        await self._live.save()
        await self._write_status()

    # What the network brings

    async def _listen_to_gossip(self) -> None:
        async for message in self._transport.received():
            await self._intake.offer(message.data, message.sender)

    async def _tell_of_peers(self) -> None:
        async for event in self._transport.events():
            said = events.PeerConnected if event.connected else events.PeerDisconnected
            self._report(said(event.peer, len(self._transport.peers())))

    async def _keep_connected(self) -> None:
        network = self._settings.network
        await keep_connected(
            self._transport,
            peer_book.load(self._home.peers),
            (*network.join, *network.bootstrap_peers),
            now_ms=now_ms,
            on_trouble=self._notices.trouble,
        )

    def _verdict(self, data: bytes) -> bool:
        """Whether gossip may pass a message on; quick, as it runs inside the network."""
        try:
            validate(data, self._scope)
        except Invalid:
            return False
        return True

    def _accepted(self, batch: Sequence[Valid]) -> None:
        self._live.add(batch)
        self._notices.accepted(batch)

    # What must last

    async def _publish_trials(self) -> None:
        """
        Tell peers of experiments they have not heard of; the same batch has the same id.

        What is too old for any peer to keep counts as told.
        """
        while trials := self._history.unpublished(TRIALS_PER_RECORD):
            with suppress(RecordExpiredError):
                await self.publish(trials_record(self._author, trials))
            self._history.mark_published(trials)

    async def _write_status(self) -> None:
        addrs = self._transport.listen_addrs
        for multiaddr in addrs:
            if multiaddr not in self._told_addrs:
                self._report(events.Listening(multiaddr))
        self._told_addrs |= set(addrs)
        try:
            self._home.write_status(self._status())
        except OSError as error:
            self._notices.trouble(
                f"cannot write {self._home.status} ({error.strerror}): free some disk space"
            )

    def _status(self) -> dict[str, object]:
        own = self._author.peer_id
        research = self._research
        return status_document(
            task=task_document(self._task, self._settings.task),
            peer_id=own,
            nickname=self._author.nickname,
            hardware_class=self._author.hardware_class,
            experiments=self._history.count(),
            wins=self._live.wins_of(own),
            peers=len(self._transport.peers()),
            uptime_seconds=time.monotonic() - self._started,
            listen_addrs=self._transport.listen_addrs,
            running_titles=research.running_titles if research else (),
        )

    # What research asks of the rest (`experiments.outside.Swarm`)

    @property
    def board(self) -> Board:
        return self._live.board

    def now_ms(self) -> int:
        return now_ms()

    def tree_of(self, record: RecordId | None) -> Tree:
        return self._live.tree_of(record)

    def peers(self) -> int:
        return len(self._transport.peers()) + 1

    def anchors(self) -> frozenset[PeerId]:
        """This node, and the peers in the list that `swarm trust` keeps, as it is now."""
        try:
            self._trusted = trust_file.load(self._home.trust)
        except trust_file.TrustError as error:
            self._notices.trouble(str(error))
        return self._trusted | {self._identity.peer_id}

    def sign(self, message: bytes) -> bytes:
        return self._identity.sign(message)

    async def publish(self, record: Record) -> RecordId:
        """Sign a record, take it through the door like anyone's, and tell peers."""
        envelope = seal(encode(record), self._identity.sign, self._identity.public_key)
        record_id = await self._intake.commit(envelope)
        await self._transport.publish(envelope)
        return record_id

    def remembered(self, name: str) -> bytes | None:
        return self._reading.state(name)

    async def remember(self, name: str, data: bytes) -> None:
        await trio.to_thread.run_sync(self._journal.set_state, name, data, limiter=self._disk)


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        await trio.sleep(seconds)
        await work()

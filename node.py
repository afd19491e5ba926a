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
from dataclasses import replace
from functools import partial

import trio

from experiments.findings import Author, presence_of, trials_record
from experiments.furnishing import PROCESSOR, expected_workers, furnish
from experiments.hardware import remembered
from experiments.history import History
from experiments.probe import probe
from experiments.proposers.llm_budget import spent_today
from experiments.proposers.llm_service import LlmService, Paths
from experiments.proposers.mixed import every_proposer
from experiments.research import Research
from experiments.run_cache import RunCache
from experiments.runner import open_runner
from experiments.task_folder import LoadedTask, load_task, package_task
from gossip import topics, trust_file
from gossip.home import Home
from gossip.identity import Identity, load_or_create
from gossip.intake import RecordExpiredError
from gossip.journal import Journal
from gossip.network import Network, every
from gossip.topics import Topic, TopicError
from gossip.wins import whole_records
from swarm import events
from swarm.board import Board
from swarm.hardware import hardware_class, in_words
from swarm.records import PeerId, Record, RecordId
from swarm.seen import SeenTrial
from swarm.settings import Settings
from swarm.signals import Claim, Idea, Lead, Presence
from swarm.topic import PUBLIC
from swarm.tree import Tree
from watch.service import Watch
from watch.source import Odds, Source
from watch.status import status_document, task_document, topic_document

STATUS_SECONDS = 1.0
TRIALS_SECONDS = 5.0
TRIALS_PER_RECORD = 64
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
        RunCacheError, TopicError, BoundsError: Something a person must see to; the text says what.
    """
    with home.held():
        topic, loaded = chosen(settings, home)
        settings.search.bounds.for_knobs([knob.name for knob in loaded.task.knobs])
        identity = load_or_create(home.identity)
        path = home.journal(loaded.task.id, topic.label)
        with (
            Journal.open(path) as journal,
            Journal.open(path, read_only=True) as reading,
            Journal.open(path, read_only=True) as watched,
        ):
            node = Node(settings, home, topic, loaded, identity, journal, reading, watched, report)
            await node.live()


def chosen(settings: Settings, home: Home) -> tuple[Topic, LoadedTask]:
    """
    The topic that the settings name, and the task that it works on.

    Raises:
        TopicError: There is no such topic here, or its task is not what it was.
        TaskError: The task cannot be used.
    """
    if settings.topic == PUBLIC:
        loaded = load_task(settings.task)
        return Topic.public(loaded.task.id), loaded
    member = topics.load(home, settings.topic)
    loaded = load_task(member.source)
    if loaded.task.id != member.task:
        raise TopicError(
            f"topic {member.name} works on task {member.task}, and {member.source} is another "
            "one now: put its files back as they were, or leave the topic and join it again"
        )
    return Topic.private(member), loaded


class Node:
    """
    Everything one running node holds.

    Args:
        journal: Written by the intake only, in a thread.
        reading: The same journal, for reads in the event loop.
        watched: The same again, for the reads of those who look, in a thread.
    """

    def __init__(
        self,
        settings: Settings,
        home: Home,
        topic: Topic,
        loaded: LoadedTask,
        identity: Identity,
        journal: Journal,
        reading: Journal,
        watched: Journal,
        report: Report,
    ) -> None:
        self._settings = settings
        self._home = home
        self._topic = topic
        self._loaded = loaded
        self._task = loaded.task
        self._identity = identity
        self._watched = watched
        self._watch = Watch(settings.watch.api, home.watch_token, report, now_ms)
        self._report = report = self._watch.note
        self._network = Network(
            settings.network,
            home,
            topic,
            loaded.task,
            partial(package_task, loaded.source, loaded.task.id),
            identity,
            journal,
            reading,
            report,
            self._presence,
            now_ms,
        )
        self._started = time.monotonic()
        self._probe = remembered(probe(), home.cache)
        self._author = Author(
            peer_id=identity.peer_id,
            nickname=settings.node.nickname,
            topic=topic.scope.topic,
            task=self._task.id,
            hardware_class=hardware_class(self._probe),
            device=PROCESSOR,
        )
        self._history = History(home.history, topic.work)
        self._research: Research | None = None
        self._trusted = trust_file.load(home.trust)
        self._one_status = trio.CapacityLimiter(1)

    async def live(self) -> None:
        """Run until a signal, or until the experiments asked for are done."""
        self._report(self._beginning())
        async with self._network.opened(), trio.open_nursery() as nursery:
            for service in (*self._network.services(), *self._services()):
                nursery.start_soon(service)
            await self._write_status()
            await self._until_stopped()
            self._watch.stop()
            await self._farewell()
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
            workers=expected_workers(self._loaded, node, self._probe, self._home.cache),
            home=str(self._home.root),
            nickname=node.nickname,
            topic=self._topic.name,
        )

    def _services(self) -> list[Callable[[], Awaitable[None]]]:
        return [
            partial(every, STATUS_SECONDS, self._write_status),
            partial(every, TRIALS_SECONDS, self._publish_trials),
            partial(self._watch.serve, self._source()),
        ]

    def _source(self) -> Source:
        """What those who look may know of this node."""
        return Source(
            task=self._task,
            peer_id=self._author.peer_id,
            nickname=self._author.nickname,
            board=lambda: self.board,
            status=self._status,
            trials=self._history.all,
            records=partial(whole_records, self._watched),
            connected=lambda: self._network.connected,
            presences=self.presences,
            anchors=self.anchors,
            odds=self._odds,
        )

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
        node, cache, scratch = self._settings.node, self._home.cache, self._home.scratch
        found = await furnish(self._loaded, node, self._probe, cache, scratch, self._report)
        self._probe, kind = found.probe, hardware_class(found.probe)
        self._author = replace(self._author, hardware_class=kind, device=found.device)
        runs, paths = RunCache(self._home.runs), Paths(self._home.llm, self._home.program)
        words = in_words(self._probe)
        llm = LlmService(self._settings, self._loaded, paths, self, words, self._report)
        async with open_runner(
            self._loaded,
            cache=cache,
            scratch=scratch,
            runs=runs,
            workers=found.workers,
            sandbox=found.sandbox,
            accept=self._settings.search.accept,
            niceness=node.nice,
            seats=found.seats,
        ) as runner:
            self._research = Research(
                self._task,
                runner,
                self._history,
                every_proposer(llm.proposer),
                self,
                self._author,
                self._settings.search,
                workers=found.workers,
                limit=node.experiments,
                report=self._report,
                uniform=random.random,
                finished=llm.finished,
            )
            async with llm.serving(self._research.situation):
                await self._research.run(lambda: self._network.live.news)

    async def _farewell(self) -> None:
        """Tell peers what is left to tell and hear them once more."""
        with trio.move_on_after(FAREWELL_SECONDS):
            await self._publish_trials()
            await self._network.hear_once_more(FAREWELL_SECONDS)
        await self._network.live.save()
        await self._write_status()

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
        """In a thread: a busy disk takes long to rename a file, and the network must not wait."""
        write, status = self._home.write_status, self._status()
        try:
            await trio.to_thread.run_sync(write, status, limiter=self._one_status)
        except OSError as error:
            self._network.notices.trouble(
                f"cannot write {self._home.status} ({error.strerror}): free some disk space"
            )

    def _status(self) -> dict[str, object]:
        own, research = self._author.peer_id, self._research
        return status_document(
            topic=topic_document(self._topic.name, self._topic.label, self._topic.epoch),
            task=task_document(self._task, self._loaded.source),
            peer_id=own,
            nickname=self._author.nickname,
            hardware_class=self._author.hardware_class,
            experiments=self._history.count(),
            wins=self._network.live.wins_of(own),
            peers=self._network.peers,
            uptime_seconds=time.monotonic() - self._started,
            listen_addrs=self._network.listen_addrs,
            running_titles=research.running_titles if research else (),
            watch=self._watch.url,
            network=self._network.document(),
            llm=spent_today(self._settings.llm, self._home.llm, now_ms()),
        )

    def _presence(self) -> Presence:
        """What peers are told of this node."""
        titles = self._research.running_titles if self._research else ()
        wins, tried = self._network.live.wins_of(self._author.peer_id), self._history.count()
        return presence_of(self._author, in_words(self._probe), tried, wins, titles, now_ms())

    def presences(self) -> Sequence[Presence]:
        """Which peers are there now, and what they say of themselves."""
        return self._network.signals.presences()

    def _odds(self) -> Sequence[Odds] | None:
        if self._research is None:
            return None
        return [
            Odds(each.family, each.probability, each.trials, each.wins, each.why)
            for each in self._research.outlook()
        ]

    # What research asks of the rest (`experiments.outside.Swarm`)

    @property
    def board(self) -> Board:
        return self._network.live.board

    def now_ms(self) -> int:
        return now_ms()

    def tree_of(self, record: RecordId | None) -> Tree:
        return self._network.live.tree_of(record)

    def peers(self) -> int:
        return self._network.peers + 1

    def anchors(self) -> frozenset[PeerId]:
        """This node, and the peers in the list that `swarm trust` keeps, as it is now."""
        try:
            self._trusted = trust_file.load(self._home.trust)
        except trust_file.TrustError as error:
            self._network.notices.trouble(str(error))
        return self._trusted | {self._identity.peer_id}

    def sign(self, message: bytes) -> bytes:
        return self._identity.sign(message)

    def peer_trials(self) -> Sequence[SeenTrial]:
        trials = self._network.live.trials.all()
        return [seen for seen in trials if seen.author != self._author.peer_id]

    def claims(self) -> Sequence[Claim]:
        return self._network.signals.claims()

    def claim(self, ideas: Sequence[Idea]) -> None:
        self._network.signals.claim(ideas)

    def leads(self) -> Sequence[Lead]:
        return self._network.signals.leads()

    def lead(self, value_nano: int, curve: Sequence[tuple[int, int]]) -> None:
        self._network.signals.lead(value_nano, tuple(curve))

    async def publish(self, record: Record) -> RecordId:
        return await self._network.publish(record)

    def remembered(self, name: str) -> bytes | None:
        return self._network.remembered(name)

    async def remember(self, name: str, data: bytes) -> None:
        await self._network.remember(name, data)

"""
Sync: the guarantee behind gossip.

A node pulls what it lacks from whoever connects and, every interval, from a
random peer: compare ranges of keys (`gossip.ranges`), list those that differ, fetch
what is missing in bounded batches. What gossip lost and what late joiners missed
arrives this way, and a turn that was cut off goes on where it was: what arrived
differs no more.

Law: pulling is idempotent and one partner at a time; a partner that lies,
stalls, talks garbage or sends much that is of no use costs at most its turn, and
then rests. What arrives is bytes for ``accept`` to judge: nothing is believed here.

Protocol: ``/research-swarm/sync/1.0.0``, messages in `gossip.sync_messages`.
"""

from __future__ import annotations

import logging
import math
import random
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import trio

from gossip.asked import Asked
from gossip.backoff import Backoff
from gossip.message_id import claimed_id
from gossip.ranges import WHOLE, Index, Part, Range, compare, key_of, rest
from gossip.sync_answers import INDEX_AGE_S, Answers, Store
from gossip.sync_messages import (
    MAX_KEYS,
    MAX_PARTS,
    MAX_RANGES,
    MAX_RECORDS,
    AskKeys,
    AskParts,
    AskRecords,
    AskVisit,
    Question,
    SyncError,
    read_keys,
    read_parts,
    read_records,
    write_question,
)
from gossip.transport import CallError, PeerId, Transport
from swarm.records import RecordId

_log = logging.getLogger(__name__)

Accept = Callable[[Sequence[bytes], PeerId], Awaitable[int]]
"""Judges envelopes from a peer and says how many were of use. Must not raise for what
the envelopes hold."""

CALL_S = 10.0
PIECES = (1, 64, 8, 8, 8, 8, 8, 8)
"""In how many parts a range is cut, question after question; mostly all is equal."""
MAX_CUT = 4096
"""Of more ranges than this that differ, all keys are listed."""
MAX_RECORDS_PER_TURN = 20_000
REST_MOST_S = 300.0
USELESS_AT_MOST = 64
VISIT_AGAIN_S = 5.0
PASSED_ON_TO = 8


@dataclass(slots=True)
class Turn:
    """
    What one partner gave.

    Attributes:
        asked: Records asked for.
        fetched: Envelopes received.
        judged: Records asked for that are judged by now, or never came.
        useful: Those of them that were new and good.
        more: The turn ended before the partner's records did, and it was of use.
    """

    asked: int = 0
    fetched: int = 0
    judged: int = 0
    useful: int = 0
    more: bool = False

    @property
    def wasted(self) -> bool:
        """Whether much was asked for and most of it never came or was of no use."""
        useless = self.judged - self.useful
        return useless > max(USELESS_AT_MOST, self.useful)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Keys that a partner considered, and the envelopes it gave for them."""

    keys: tuple[bytes, ...]
    envelopes: tuple[bytes, ...]


class Sync:
    """
    One node's reconciliation with its peers.

    Args:
        transport: The network.
        store: What we hold.
        accept: Takes the envelopes that we lacked, batch by batch.
        scope: The topic and schema version, as text; others are not talked to.
        kinds: The kinds of records, in the order to pull them.
        interval_s: Seconds between pulls from a random peer.
        turn_s: Seconds that one partner's turn may take.
        identify: The id of the record that an envelope says it holds, if it does.
        uniform: Draws a float in [0, 1).
    """

    def __init__(
        self,
        transport: Transport,
        store: Store,
        accept: Accept,
        *,
        scope: str,
        kinds: Sequence[str],
        interval_s: float = 20.0,
        turn_s: float = 60.0,
        identify: Callable[[bytes], RecordId | None] = claimed_id,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._transport = transport
        self._store = store
        self._accept = accept
        self._scope = scope
        self._kinds = tuple(kinds)
        self._interval_s = interval_s
        self._turn_s = turn_s
        self._identify = identify
        self._uniform = uniform
        self._asked = Asked()
        self._due: OrderedDict[PeerId, None] = OrderedDict()
        self._wake = trio.Event()
        self._rest: dict[PeerId, tuple[float, Backoff]] = {}
        self._turn_taken = trio.Event()
        self._one_turn = trio.Lock()
        self._turn = trio.CancelScope()
        self._visited: dict[PeerId, float] = {}
        self._got_from: PeerId | None = None
        self._got = trio.Event()
        self._answers = Answers(store, scope, kinds, self._visit)

    async def run(self) -> None:
        """Answer partners and pull from them, until cancelled."""
        self._transport.serve(self._answers.answer)
        events = self._transport.events()
        for peer in self._transport.peers():
            self._call_on(peer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pull_for_ever)
            nursery.start_soon(self._pass_on_for_ever)
            async for event in events:
                if event.connected:
                    self._call_on(event.peer)
                else:
                    self._due.pop(event.peer, None)
            nursery.cancel_scope.cancel()

    async def once(self, within_s: float) -> None:
        """
        Ask every peer that is connected now to pull from us, and pull from each.

        The peers share the time, so that one that stalls costs its share: a turn
        under way ends now, and none takes longer from here on. The shares leave
        as much again for turns that peers ask for.
        """
        self._turn.cancel()
        ends_at = trio.current_time() + within_s
        peers = self._transport.peers()
        with trio.move_on_at(ends_at):
            async with trio.open_nursery() as nursery:
                for peer in peers:
                    nursery.start_soon(self._invite, peer)
                for at, peer in enumerate(peers):
                    left_s = max(0.0, ends_at - trio.current_time())
                    self._turn_s = left_s / (2 * (len(peers) - at))
                    if not self._resting(peer):
                        await self.pull(peer)

    async def pull(self, peer: PeerId) -> Turn:
        """
        Fetch what one peer has and we lack; never raises for what it does.

        Returns:
            What came of it; ``more`` if there is more than fits one turn.
        """
        turn = Turn()
        async with self._one_turn:
            trouble = await self._try_pull(peer, turn)
            turn.more = turn.more and turn.useful > 0
            if trouble and not turn.more:
                self._lay_to_rest(peer, trouble)
            else:
                self._rest.pop(peer, None)
        return turn

    async def _try_pull(self, peer: PeerId, turn: Turn) -> str:
        """Take the turn; returns what went wrong, if anything."""
        trouble = ""
        try:
            with trio.fail_after(self._turn_s) as self._turn:
                for kind in self._kinds:
                    await self._pull_kind(peer, kind, turn)
        except* trio.TooSlowError:
            turn.more = turn.fetched > 0
            trouble = f"it took more than {self._turn_s:.3g} s"
        except* (CallError, SyncError) as errors:
            trouble = " and ".join(map(str, errors.exceptions))
        return trouble or (f"{turn.fetched} records and no end" if turn.more else "")

    async def _pull_kind(self, peer: PeerId, kind: str, turn: Turn) -> None:
        mine = await self._store.index(kind)
        ranges = await self._differing(peer, kind, mine)
        while ranges and not turn.more:
            asked, ranges = ranges[:MAX_RANGES], ranges[MAX_RANGES:]
            keys = read_keys(await self._ask(peer, AskKeys(kind, tuple(asked))), asked)
            ranges = rest(asked, keys, MAX_KEYS) + ranges
            lacked = [key for key in keys if key not in mine.ids]
            wanted = [key for key in lacked if not self._asked.lately(peer, key)]
            await self._fetch(peer, kind, wanted, turn)

    async def _differing(self, peer: PeerId, kind: str, mine: Index) -> list[Range]:
        """The ranges, ascending, in which the peer may hold what we lack."""
        cut, listed = [WHOLE], list[Range]()
        for pieces in PIECES:
            if not cut or len(cut) > MAX_CUT:
                break
            parts: list[Part] = []
            step = min(MAX_RANGES, MAX_PARTS // pieces)
            for at in range(0, len(cut), step):
                asked = tuple(cut[at : at + step])
                parts += read_parts(await self._ask(peer, AskParts(kind, asked, pieces)), asked)
            found = compare(mine, parts)
            cut, listed = found.cut, listed + found.listed
        return sorted(cut + listed, key=lambda span: span.low)

    async def _fetch(self, peer: PeerId, kind: str, wanted: list[bytes], turn: Turn) -> None:
        """Fetch records in batches; one is judged while the next is on its way."""
        batch = _Batch((), ())
        while wanted or batch.keys:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._judge, batch, peer, turn)
                batch = await self._batch(peer, kind, wanted, turn)
            if turn.wasted:
                raise SyncError(f"of {turn.judged} records listed {turn.useful} were of use")

    async def _batch(self, peer: PeerId, kind: str, wanted: list[bytes], turn: Turn) -> _Batch:
        """Take the first of the records ``wanted`` off the list, and fetch them."""
        if wanted and turn.asked >= MAX_RECORDS_PER_TURN:
            turn.more = True
            wanted.clear()
        keys = tuple(wanted[:MAX_RECORDS])
        if not keys:
            return _Batch((), ())
        records = read_records(await self._ask(peer, AskRecords(kind, keys)), len(keys))
        self._check_asked_for(records.envelopes, keys)
        turn.asked += records.considered
        turn.fetched += len(records.envelopes)
        del wanted[: records.considered]
        return _Batch(keys[: records.considered], records.envelopes)

    async def _judge(self, batch: _Batch, peer: PeerId, turn: Turn) -> None:
        of_use = await self._accept(batch.envelopes, peer) if batch.envelopes else 0
        turn.useful += of_use
        turn.judged += len(batch.keys)
        self._asked.add(peer, batch.keys)

    def _check_asked_for(self, envelopes: tuple[bytes, ...], asked: tuple[bytes, ...]) -> None:
        open_questions = set(asked)
        for envelope in envelopes:
            record = self._identify(envelope)
            if record is None or key_of(record) not in open_questions:
                raise SyncError("it sent a record that was not asked for")
            open_questions.remove(key_of(record))

    async def _ask(self, peer: PeerId, question: Question) -> bytes:
        return await self._transport.call(peer, write_question(self._scope, question), CALL_S)

    async def _invite(self, peer: PeerId) -> None:
        try:
            await self._ask(peer, AskVisit())
        except CallError as error:
            _log.debug("%s did not visit: %s", peer, error)

    async def _visit(self, peer: PeerId) -> None:
        """
        Pull from a peer that asked us to, soon; returns when that turn is over.

        Of a peer that asks again within `VISIT_AGAIN_S`, nothing comes.
        """
        now = trio.current_time()
        self._visited = {p: at for p, at in self._visited.items() if now < at + VISIT_AGAIN_S}
        if peer in self._visited:
            return
        self._visited[peer] = now
        self._call_on(peer)
        while peer in self._due:
            await self._turn_taken.wait()

    def _call_on(self, peer: PeerId) -> None:
        self._due[peer] = None
        self._wake.set()

    async def _pull_for_ever(self) -> None:
        round_at = trio.current_time() + self._round_s()
        while True:
            with trio.move_on_at(min(round_at, self._rested_at())):
                await self._wake.wait()
            self._wake = trio.Event()
            ready = [peer for peer in self._due if not self._resting(peer)]
            if trio.current_time() >= round_at:
                round_at = trio.current_time() + self._round_s()
                ready += self._random_peer()
            for peer in ready:
                turn = await self._take_turn(peer)
                if turn.more:
                    self._call_on(peer)
                elif turn.useful:
                    self._got_from = peer
                    self._got.set()

    async def _pass_on_for_ever(self) -> None:
        """
        Whenever a turn brought something, ask other peers to pull from us.

        What sync brings, gossip has missed: one by one, by chance, the nodes of a swarm
        would have it after minutes; this way it goes from neighbour to neighbour.
        """
        while True:
            await self._got.wait()
            self._got = trio.Event()
            await trio.sleep(INDEX_AGE_S)
            others = [peer for peer in self._transport.peers() if peer != self._got_from]
            others.sort(key=lambda _: self._uniform())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep, VISIT_AGAIN_S)
                for peer in others[:PASSED_ON_TO]:
                    nursery.start_soon(self._invite, peer)

    def _round_s(self) -> float:
        return self._interval_s * (0.75 + 0.5 * self._uniform())

    def _rested_at(self) -> float:
        """When the first peer that waits for a turn has rested enough."""
        return min((self._rest.get(peer, (0.0,))[0] for peer in self._due), default=math.inf)

    async def _take_turn(self, peer: PeerId) -> Turn:
        try:
            return await self.pull(peer) if peer in self._transport.peers() else Turn()
        finally:
            self._due.pop(peer, None)
            self._turn_taken.set()
            self._turn_taken = trio.Event()

    def _random_peer(self) -> list[PeerId]:
        peers = [peer for peer in self._transport.peers() if not self._resting(peer)]
        return [peers[int(self._uniform() * len(peers))]] if peers else []

    def _resting(self, peer: PeerId) -> bool:
        until, _ = self._rest.get(peer, (0.0, None))
        return trio.current_time() < until

    def _lay_to_rest(self, peer: PeerId, why: str) -> None:
        """A partner that failed waits longer each time before it is asked again."""
        now = trio.current_time()
        self._rest = {p: rest for p, rest in self._rest.items() if rest[0] > now - REST_MOST_S}
        _, backoff = self._rest.get(peer) or (0.0, self._new_backoff())
        self._rest[peer] = (now + backoff.failed(), backoff)
        _log.info("sync with %s ended: %s", peer, why)

    def _new_backoff(self) -> Backoff:
        return Backoff(min(self._interval_s, 5.0), REST_MOST_S, self._uniform)

"""
Sync: the guarantee behind gossip.

A node pulls what it lacks from whoever connects and, every interval, from a
random peer: compare digests, ask for the ids of buckets that differ, fetch what
is missing in bounded batches. What gossip lost and what late joiners missed
arrives this way.

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

from gossip.backoff import Backoff
from gossip.digest import Index, differing, index_of, missing
from gossip.message_id import claimed_id
from gossip.sync_answers import Answers, Store
from gossip.sync_messages import (
    MAX_IDS_PER_FETCH,
    MAX_IDS_PER_PAGE,
    AskDigest,
    AskIds,
    AskRecords,
    AskVisit,
    Question,
    SyncError,
    read_digest,
    read_ids,
    read_records,
    write_question,
)
from gossip.transport import CallError, PeerId, Transport
from swarm.records import RecordId

_log = logging.getLogger(__name__)

Accept = Callable[[bytes, PeerId], Awaitable[bool]]
"""Judges one envelope from a peer and says whether it was of use. Must not raise for
what the envelope holds."""

CALL_S = 10.0
MAX_IDS_PER_TURN = 100_000
MAX_RECORDS_PER_TURN = 20_000
ASKED_LIMIT = 20_000
ASK_AGAIN_S = 600.0
REST_MOST_S = 300.0
USELESS_RECORDS = 64
VISIT_AGAIN_S = 5.0


@dataclass(slots=True)
class Turn:
    """
    What one partner gave.

    Attributes:
        fetched: Envelopes received.
        useful: Those of them that were new and good.
        more: The turn ended before the partner's records did, and it was of use.
    """

    fetched: int = 0
    useful: int = 0
    more: bool = False

    @property
    def wasted(self) -> bool:
        """Whether much came and most of it was of no use."""
        useless = self.fetched - self.useful
        return useless > max(USELESS_RECORDS, self.useful)


class Sync:
    """
    One node's reconciliation with its peers.

    Args:
        transport: The network.
        store: What we hold.
        accept: Takes each envelope that we lacked.
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
        self._asked = _Asked()
        self._due: OrderedDict[PeerId, None] = OrderedDict()
        self._wake = trio.Event()
        self._rest: dict[PeerId, tuple[float, Backoff]] = {}
        self._turn_taken = trio.Event()
        self._one_turn = trio.Lock()
        self._turn = trio.CancelScope()
        self._visited: dict[PeerId, float] = {}
        self._answers = Answers(store, scope, kinds, self._visit)

    async def run(self) -> None:
        """Answer partners and pull from them, until cancelled."""
        self._transport.serve(self._answers.answer)
        events = self._transport.events()
        for peer in self._transport.peers():
            self._call_on(peer)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pull_for_ever)
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
        try:
            with trio.fail_after(self._turn_s) as self._turn:
                for kind in self._kinds:
                    await self._pull_kind(peer, kind, turn)
        except trio.TooSlowError:
            turn.more = turn.fetched > 0
            return f"it took more than {self._turn_s:.3g} s"
        except (CallError, SyncError) as error:
            return str(error)
        return f"{turn.fetched} records and no end" if turn.more else ""

    async def _pull_kind(self, peer: PeerId, kind: str, turn: Turn) -> None:
        mine = index_of(await self._store.ids(kind))
        theirs = read_digest(await self._ask(peer, AskDigest(kind)))
        buckets = differing(mine.digest, theirs)
        wanted = await self._missing(peer, kind, mine, buckets) if buckets else []
        while wanted:
            if turn.fetched >= MAX_RECORDS_PER_TURN:
                turn.more = True
                return
            batch = tuple(wanted[:MAX_IDS_PER_FETCH])
            records = read_records(await self._ask(peer, AskRecords(kind, batch)), len(batch))
            self._asked.add(peer, batch[: records.considered])
            turn.fetched += len(records.envelopes)
            self._check_asked_for(records.envelopes, batch)
            await self._hand_over(records.envelopes, peer, turn)
            if turn.wasted:
                raise SyncError(f"of {turn.fetched} records {turn.useful} were of use")
            del wanted[: records.considered]

    async def _missing(
        self, peer: PeerId, kind: str, mine: Index, buckets: tuple[int, ...]
    ) -> list[str]:
        """Ids in differing buckets that we lack and did not just ask this peer for."""
        wanted: list[str] = []
        after = ""
        for _ in range(MAX_IDS_PER_TURN // MAX_IDS_PER_PAGE):
            ids = read_ids(await self._ask(peer, AskIds(kind, buckets, after)), after)
            lacked = missing(mine, buckets, ids)
            wanted += [record for record in lacked if not self._asked.lately(peer, record)]
            if len(ids) < MAX_IDS_PER_PAGE:
                break
            after = ids[-1]
        return wanted

    def _check_asked_for(self, envelopes: tuple[bytes, ...], asked: tuple[RecordId, ...]) -> None:
        open_questions = set(asked)
        for envelope in envelopes:
            record = self._identify(envelope)
            if record not in open_questions:
                raise SyncError("it sent a record that was not asked for")
            open_questions.remove(record)

    async def _hand_over(self, envelopes: tuple[bytes, ...], peer: PeerId, turn: Turn) -> None:
        """Let ``accept`` judge a batch side by side, so that it can write it as one."""

        async def judge(envelope: bytes) -> None:
            turn.useful += await self._accept(envelope, peer)

        async with trio.open_nursery() as nursery:
            for envelope in envelopes:
                nursery.start_soon(judge, envelope)

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


class _Asked:
    """
    What we asked whom for, lately.

    A record that we do not keep (refused, deferred, expired) stays missing; it
    is not fetched again from the same peer every turn. Per peer, so that one
    that serves garbage for an id does not hide the record of another.
    """

    def __init__(self) -> None:
        self._at: OrderedDict[tuple[PeerId, str], float] = OrderedDict()

    def add(self, peer: PeerId, ids: Sequence[str]) -> None:
        now = trio.current_time()
        for record in ids:
            self._at[peer, record] = now
            self._at.move_to_end((peer, record))
        while len(self._at) > ASKED_LIMIT:
            self._at.popitem(last=False)

    def lately(self, peer: PeerId, record: str) -> bool:
        at = self._at.get((peer, record))
        return at is not None and trio.current_time() < at + ASK_AGAIN_S

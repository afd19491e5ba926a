"""
Sync: the guarantee behind gossip.

A node pulls what it lacks from whoever connects and, every interval, from a
random peer: compare ranges of keys (`gossip.ranges`), list those that differ, fetch
what is missing in bounded batches. What gossip lost and what late joiners missed
arrives this way, and a turn that was cut off goes on where it was: what arrived
differs no more.

Law: pulling is idempotent and one partner at a time; a partner that lies,
stalls, talks garbage or sends much that is of no use costs at most its turn, and
then rests. While others wait a turn is short, so that many that stall do not keep
one that has news waiting for long. What arrives is bytes for ``accept`` to judge:
nothing is believed here.

Protocol: ``/research-swarm/sync/1.0.0``, messages in `gossip.sync_messages`.
"""

from __future__ import annotations

import logging
import math
import random
from collections import OrderedDict
from collections.abc import Callable, Sequence

import trio

from gossip.asked import Asked
from gossip.backoff import Backoff
from gossip.message_id import claimed_id
from gossip.sync_answers import INDEX_AGE_S, Answers, Store
from gossip.sync_messages import AskVisit, Question, SyncError, write_question
from gossip.sync_pull import Accept, Identify, Pull, Turn
from gossip.transport import CallError, PeerId, Transport

_log = logging.getLogger(__name__)

CALL_S = 10.0
OTHERS_WAIT_S = 15.0
"""What is left of a turn once another partner waits for its own."""
REST_MOST_S = 300.0
VISIT_AGAIN_S = 5.0
PASSED_ON_TO = 8


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
        turn_s: Seconds that one partner's turn may take while nobody else waits.
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
        identify: Identify = claimed_id,
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
        self._partner: PeerId | None = None
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
        pull = Pull(peer, self._store, self._ask, self._accept, self._identify, self._asked, turn)
        trouble = ""
        began = trio.current_time()
        self._partner = peer
        try:
            with trio.fail_after(self._turn_s) as self._turn:
                self._let_others_in()
                await pull.run(self._kinds)
        except* trio.TooSlowError:
            turn.more = turn.fetched > 0
            trouble = f"it took more than {trio.current_time() - began:.3g} s"
        except* (CallError, SyncError) as errors:
            trouble = " and ".join(map(str, errors.exceptions))
        return trouble or (f"{turn.fetched} records and no end" if turn.more else "")

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
        self._let_others_in()

    def _let_others_in(self) -> None:
        """Shorten the turn under way if any other partner waits for its own."""
        if any(peer != self._partner and not self._resting(peer) for peer in self._due):
            soon = trio.current_time() + OTHERS_WAIT_S
            self._turn.deadline = min(self._turn.deadline, soon)

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

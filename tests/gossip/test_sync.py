"""
Sync in virtual time: everything arrives, whatever gossip and partners do.

Records here are bytes whose id is a hash of them; what they mean is not sync's
business.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise

import trio
import trio.testing

from gossip.memory_transport import MemoryNetwork, MemoryTransport
from gossip.ranges import WHOLE, Index
from gossip.sync import VISIT_AGAIN_S, Sync
from gossip.sync_messages import (
    AskRecords,
    AskVisit,
    write_parts,
    write_question,
)
from gossip.transport import CallError, PeerId
from tests.gossip.bad_partners import (
    TOPIC,
    Shelf,
    Useless,
    asked,
    identify,
    stall,
    unasked,
    wins,
)
from tests.gossip.waiting import until

KINDS = ("win", "trials")
Clock = trio.testing.MockClock


def sync_of(transport: MemoryTransport, shelf: Shelf, interval_s: float = 20.0) -> Sync:
    uniform = random.Random(transport.peer_id).random
    return Sync(
        transport,
        shelf,
        shelf.accept_many,
        scope=TOPIC + "#1",
        kinds=KINDS,
        interval_s=interval_s,
        identify=identify,
        uniform=uniform,
    )


@asynccontextmanager
async def node(
    network: MemoryNetwork, name: str, shelf: Shelf, interval_s: float = 20.0
) -> AsyncGenerator[MemoryTransport]:
    """A node that syncs."""
    async with network.open(name, TOPIC) as transport, trio.open_nursery() as nursery:
        nursery.start_soon(sync_of(transport, shelf, interval_s).run)
        await trio.testing.wait_all_tasks_blocked()
        yield transport
        nursery.cancel_scope.cancel()


async def test_both_have_everything_after_they_connect(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    one, other = Shelf([*wins(1, 2, 3), b"trial"]), Shelf(wins(3, 4))
    async with node(network, "one", one) as transport, node(network, "other", other):
        await transport.dial("/memory/p2p/other")
        await until(lambda: len(one.kept) == len(other.kept) == 5)
        assert one.kept == other.kept


async def test_ten_thousand_records_reach_a_late_joiner(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    old, late = Shelf(b"w" + n.to_bytes(400, "big") for n in range(10_000)), Shelf()
    async with node(network, "old", old), node(network, "late", late) as transport:
        started = trio.current_time()
        await transport.dial("/memory/p2p/old")
        await until(lambda: len(late.kept) == 10_000, timeout_s=60)
        assert late.kept == old.kept
        assert late.offered == 10_000
        assert trio.current_time() - started < 10


class Meter:
    """A transport's calls counted, and broken off after some."""

    def __init__(self, transport: MemoryTransport, breaks_after: float = float("inf")) -> None:
        self.answer_bytes: list[int] = []
        self.record_answers = 0
        self.calls_left = breaks_after
        call = transport.call

        async def counted(peer: PeerId, request: bytes, timeout_s: float = 10.0) -> bytes:
            self.calls_left -= 1
            if self.calls_left < 0:
                raise CallError("cut off")
            answer = await call(peer, request, timeout_s)
            if isinstance(asked(request), AskRecords):
                self.record_answers += 1
            else:
                self.answer_bytes.append(len(request) + len(answer))
            return answer

        transport.call = counted


async def test_ten_differences_in_thirty_thousand_cost_little(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    common = [b"w%d" % number for number in range(30_000)]
    one, other = Shelf(common), Shelf(common[3:])
    async with node(network, "other", other), network.open("one", TOPIC) as transport:
        await transport.dial("/memory/p2p/other")
        meter = Meter(transport)
        other.kept |= Shelf(b"w new %d" % number for number in range(7)).kept
        started = trio.current_time()
        turn = await sync_of(transport, one).pull("other")
        assert (turn.fetched, turn.useful) == (7, 7)
        assert sum(meter.answer_bytes) < 10_000
        assert trio.current_time() - started < 0.3


async def test_a_turn_that_was_cut_off_goes_on_where_it_was(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    old, late = Shelf(b"w%d" % number for number in range(5000)), Shelf()
    async with node(network, "old", old), network.open("late", TOPIC) as transport:
        await transport.dial("/memory/p2p/old")
        meter, sync = Meter(transport, breaks_after=12), sync_of(transport, late)
        cut_off = await sync.pull("old")
        assert 2000 < cut_off.useful == len(late.kept) < 5000
        meter.calls_left, meter.record_answers = 100, 0
        turn = await sync.pull("old")
        assert late.kept == old.kept
        assert late.offered <= 5000 + 256
        assert meter.record_answers < (5000 - cut_off.useful) / 256 + 2
        assert not turn.more


async def test_large_records_come_in_bounded_answers(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    old, late = Shelf(b"w%d" % n + bytes(200_000) for n in range(60)), Shelf()
    async with node(network, "old", old), node(network, "late", late) as transport:
        await transport.dial("/memory/p2p/old")
        await until(lambda: len(late.kept) == 60, timeout_s=60)


async def test_records_lost_by_gossip_arrive_within_a_few_intervals(autojump_clock: Clock) -> None:
    network, names = MemoryNetwork(), ["a", "b", "c", "d"]
    shelves = {name: Shelf() for name in names}
    async with trio.open_nursery() as nursery:
        opened: list[MemoryTransport] = []

        async def run(name: str) -> None:
            async with node(network, name, shelves[name]) as transport:
                opened.append(transport)
                await trio.sleep_forever()

        for name in names:
            nursery.start_soon(run, name)
        await until(lambda: len(opened) == 4)
        for number, transport in enumerate(opened):
            await transport.dial(opened[(number + 1) % 4].listen_addrs[0])
        await trio.sleep(30)
        for number, shelf in enumerate(shelves.values()):
            await shelf.accept(b"w never gossiped %d" % number, "self")
        await until(lambda: all(len(shelf.kept) == 4 for shelf in shelves.values()), 200)
        nursery.cancel_scope.cancel()


async def test_a_healed_partition_converges(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    left, right = Shelf(wins(1)), Shelf(wins(1))
    async with node(network, "left", left) as transport, node(network, "right", right):
        await transport.dial("/memory/p2p/right")
        network.cut("left", "right")
        for number in range(50):
            await left.accept(b"wl%d" % number, "self")
            await right.accept(b"wr%d" % number, "self")
        await trio.sleep(100)
        assert len(left.kept) == len(right.kept) == 51
        network.heal("left", "right")
        await transport.dial("/memory/p2p/right")
        await until(lambda: left.kept == right.kept and len(left.kept) == 101)


async def test_what_is_never_kept_is_not_fetched_every_turn(autojump_clock: Clock) -> None:
    class Picky(Shelf):
        async def accept(self, envelope: bytes, sender: PeerId) -> bool:
            self.offered += 1
            return False

    network = MemoryNetwork()
    picky, other = Picky(), Shelf(wins(1, 2))
    async with node(network, "picky", picky) as transport, node(network, "other", other):
        await transport.dial("/memory/p2p/other")
        await trio.sleep(400)
        assert picky.offered == 2
        await trio.sleep(400)
        assert picky.offered == 4


async def test_asking_for_a_visit_makes_the_partner_pull(autojump_clock: Clock) -> None:
    """A node that leaves lets its partners fetch its last records first."""
    network = MemoryNetwork()
    leaving, staying = Shelf(), Shelf()
    async with (
        node(network, "staying", staying, interval_s=1e6),
        network.open("leaving", TOPIC) as transport,
        trio.open_nursery() as nursery,
    ):
        sync = sync_of(transport, leaving, interval_s=1e6)
        nursery.start_soon(sync.run)
        await transport.dial("/memory/p2p/staying")
        await trio.sleep(10)
        await leaving.accept(b"w last", "self")
        await trio.sleep(2)
        assert staying.kept == {}
        with trio.fail_after(5):
            await sync.once(5)
        assert staying.kept == leaving.kept
        nursery.cancel_scope.cancel()


async def test_records_that_were_not_asked_for_are_not_taken(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    shelf = Shelf()
    async with network.open("mine", TOPIC) as transport, network.open("bad", TOPIC) as partner:
        partner.serve(unasked)
        await transport.dial("/memory/p2p/bad")
        sync = sync_of(transport, shelf)
        assert (await sync.pull("bad")).useful == 0
        assert shelf.offered == 0


async def test_a_partner_that_sends_much_of_no_use_rests(autojump_clock: Clock) -> None:
    """It asks for visit after visit; each would fetch thousands of records."""
    network = MemoryNetwork()
    shelf, useless = Shelf(), Useless()
    async with node(network, "mine", shelf) as transport, network.open("bad", TOPIC) as partner:
        partner.serve(useless.answer)
        await transport.dial("/memory/p2p/bad")
        for _ in range(1000):
            with suppress(CallError):
                await partner.call("mine", write_question(TOPIC + "#1", AskVisit()))
            await trio.sleep(1)
        turns = shelf.offered / 256
        assert 1 <= turns <= trio.current_time() / 100
        assert not shelf.kept


async def test_a_partner_is_visited_at_most_once_in_a_while(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    questions = 0

    async def count(caller: PeerId, request: bytes) -> bytes:
        nonlocal questions
        questions += 1
        return write_parts([Index().part(WHOLE)])

    async with (
        node(network, "mine", Shelf(), interval_s=1e6),
        network.open("eager", TOPIC) as partner,
    ):
        partner.serve(count)
        await partner.dial("/memory/p2p/mine")
        await trio.sleep(10)
        before = questions
        for _ in range(1000):
            await partner.call("mine", write_question(TOPIC + "#1", AskVisit()))
        turns = (questions - before) / len(KINDS)
        assert trio.current_time() > 20
        assert 1 <= turns <= (trio.current_time() - 10) / VISIT_AGAIN_S + 1


async def test_a_leaving_node_gives_every_peer_its_share_of_the_time(
    autojump_clock: Clock,
) -> None:
    """Two that stall, one of them in the middle of its turn, do not use up the farewell."""
    network = MemoryNetwork()
    mine, good = Shelf(wins(1)), Shelf()
    async with (
        node(network, "z good", good, interval_s=1e6) as staying,
        network.open("leaving", TOPIC) as transport,
        network.open("a stalls", TOPIC) as one,
        network.open("b stalls", TOPIC) as two,
        trio.open_nursery() as nursery,
    ):
        one.serve(stall)
        two.serve(stall)
        sync = sync_of(transport, mine, interval_s=1e6)
        nursery.start_soon(sync.run)
        await transport.dial(staying.listen_addrs[0])
        await trio.sleep(10)
        for late in (one, two):
            await transport.dial(late.listen_addrs[0])
        await trio.sleep(0.1)
        await mine.accept(b"w my last", "self")
        await good.accept(b"w its last", "self")
        with trio.fail_after(8.1):
            await sync.once(8)
        assert mine.kept == good.kept and len(mine.kept) == 3
        nursery.cancel_scope.cancel()


async def test_another_scope_is_not_answered(autojump_clock: Clock) -> None:
    network = MemoryNetwork()
    here, there = Shelf(wins(1)), Shelf()
    async with node(network, "here", here), network.open("there", TOPIC) as transport:
        sync = Sync(transport, there, there.accept_many, scope="another#1", kinds=KINDS)
        await transport.dial("/memory/p2p/here")
        assert (await sync.pull("here")).fetched == 0
        assert there.kept == {}


async def test_what_sync_brings_goes_on_to_neighbours_at_once(autojump_clock: Clock) -> None:
    """Along a line of five that would else ask each other once in a thousand seconds."""
    network, names = MemoryNetwork(), "abcde"
    shelves = {name: Shelf(wins(1)) for name in names}
    async with AsyncExitStack() as stack:
        for name in names:
            await stack.enter_async_context(node(network, name, shelves[name], 1000.0))
        for one, other in pairwise(names):
            network.link(one, other)
        await trio.sleep(60)
        await stack.enter_async_context(node(network, "late", Shelf(wins(2)), 1000.0))
        network.link("late", "a")
        await until(lambda: all(len(shelf.kept) == 2 for shelf in shelves.values()))

"""How long a partner may keep sync to itself, in virtual time."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio

from gossip.memory_transport import MemoryNetwork
from gossip.transport import PeerId
from tests.gossip.bad_partners import (
    TOPIC,
    Shelf,
    drip,
    endless_keys,
    endless_parts,
    feed_garbage,
    garbage,
    lie,
    stall,
    wins,
)
from tests.gossip.test_sync import Clock, node
from tests.gossip.waiting import until


@pytest.mark.parametrize(
    "bad", [garbage, stall, endless_keys, endless_parts, drip, lie, feed_garbage]
)
async def test_a_bad_partner_costs_at_most_its_turn(autojump_clock: Clock, bad: object) -> None:
    network = MemoryNetwork()
    mine, good = Shelf(wins(1)), Shelf(wins(1, 2, 3))
    async with (
        node(network, "mine", mine) as transport,
        node(network, "good", good),
        network.open("bad", TOPIC) as partner,
    ):
        partner.serve(bad)  # pyright: ignore[reportArgumentType] - one of the functions above
        await transport.dial("/memory/p2p/bad")
        await trio.sleep(0.1)
        await transport.dial("/memory/p2p/good")
        await until(lambda: len(mine.kept) == 3, timeout_s=65)
        for number in range(4, 10):
            await good.accept(b"w%d" % number, "self")
            await until(lambda number=number: len(mine.kept) == number, timeout_s=200)


async def test_many_that_stall_keep_a_newcomer_out_for_a_short_turn_each(
    autojump_clock: Clock,
) -> None:
    """The first has its turn already when the newcomer comes; the others came before it."""
    network = MemoryNetwork()
    mine, good = Shelf(), Shelf(wins(1, 2, 3))
    async with (
        node(network, "mine", mine) as transport,
        node(network, "good", good),
        AsyncExitStack() as stack,
    ):
        for name in (f"bad {number}" for number in range(8)):
            partner = await stack.enter_async_context(network.open(name, TOPIC))
            partner.serve(drip)
            await transport.dial(f"/memory/p2p/{name}")
        await trio.sleep(5)
        await transport.dial("/memory/p2p/good")
        await until(lambda: len(mine.kept) == 3, timeout_s=130)


async def test_a_long_turn_that_is_cut_for_others_goes_on_after_them(
    autojump_clock: Clock,
) -> None:
    network = MemoryNetwork()
    mine, old, new = Shelf(), Shelf(b"w%d" % n for n in range(5_000)), Shelf(wins(-1))
    async with node(network, "mine", mine) as transport, node(network, "old", old) as slow:
        call = transport.call

        async def slowly(peer: PeerId, request: bytes, timeout_s: float = 10.0) -> bytes:
            if peer == slow.peer_id:
                await trio.sleep(2)
            return await call(peer, request, timeout_s)

        transport.call = slowly
        await transport.dial("/memory/p2p/old")
        await trio.sleep(0.1)
        async with node(network, "new", new):
            await transport.dial("/memory/p2p/new")
            await until(lambda: b"w-1" in mine.kept.values(), timeout_s=20)
            await until(lambda: len(mine.kept) == 5_001, timeout_s=100)
            assert not set(old.kept) - set(mine.kept)

"""Who is read more slowly, and who is not."""

from __future__ import annotations

import trio
import trio.testing
from libp2p.peer.id import ID

from gossip.limits import OF_A_NODE, WASTE
from gossip.pace import Pace

Clock = trio.testing.MockClock
ANN, EVE = ID(b"ann"), ID(b"eve")


async def waited_s(pace: Pace, peer: ID) -> float:
    start = trio.current_time()
    await pace.settle(peer)
    return trio.current_time() - start


async def test_an_honest_burst_is_not_slowed_down_even_where_much_of_it_is_of_no_use(
    autojump_clock: Clock,
) -> None:
    pace = Pace(OF_A_NODE)
    for number in range(100):
        pace.received(ANN, 1500, 1)
        if number % 2:
            pace.wasted(ANN)
    assert await waited_s(pace, ANN) == 0


async def test_who_goes_on_to_send_what_is_of_no_use_is_read_slowly(autojump_clock: Clock) -> None:
    """Some 64 at once, and then four a second and little more; nobody else waits for it."""
    pace, start = Pace(OF_A_NODE), trio.current_time()
    for _ in range(1000):
        await pace.settle(EVE)
        pace.received(EVE, 1500, 1)
        pace.wasted(EVE)
    took_s = trio.current_time() - start
    assert (1000 - WASTE.burst) / took_s <= 1.6 * WASTE.per_second
    assert await waited_s(pace, ANN) == 0


async def test_an_rpc_that_carries_nothing_counts_as_a_message(autojump_clock: Clock) -> None:
    pace = Pace(OF_A_NODE)
    for _ in range(1000):
        pace.received(EVE, 2, 0)
    assert await waited_s(pace, EVE) > 10

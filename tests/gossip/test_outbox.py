"""The outbox in virtual time: paced, bounded, and nothing lost but by count."""

from __future__ import annotations

from contextlib import suppress

import trio
import trio.testing

from gossip.outbox import Outbox


async def test_a_burst_leaves_at_the_pace(autojump_clock: trio.testing.MockClock) -> None:
    outbox, sent_at = Outbox(per_second=10, burst=3), list[float]()

    async def send(data: bytes) -> None:
        sent_at.append(trio.current_time())

    started = trio.current_time()
    for number in range(13):
        outbox.put(b"%d" % number)
    with trio.move_on_after(5):
        await outbox.drain(send)
    assert len(sent_at) == 13
    assert sent_at[2] == started
    assert 0.9 < sent_at[12] - started < 1.1


async def test_the_oldest_gives_way(autojump_clock: trio.testing.MockClock) -> None:
    outbox, sent = Outbox(limit=3), list[bytes]()

    async def send(data: bytes) -> None:
        sent.append(data)

    for number in range(5):
        outbox.put(b"%d" % number)
    assert outbox.dropped == 2
    with trio.move_on_after(5):
        await outbox.drain(send)
    assert sent == [b"2", b"3", b"4"]


async def test_what_a_failing_network_cut_off_is_sent_again(
    autojump_clock: trio.testing.MockClock,
) -> None:
    outbox, sent = Outbox(), list[bytes]()

    async def fail(data: bytes) -> None:
        raise OSError("the network is gone")

    async def send(data: bytes) -> None:
        sent.append(data)

    outbox.put(b"news")
    with suppress(OSError):
        await outbox.drain(fail)
    with trio.move_on_after(5):
        await outbox.drain(send)
    assert sent == [b"news"]
    assert len(outbox) == 0

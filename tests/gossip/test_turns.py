"""Who says much waits behind himself; and a local network full of lies is dealt with in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import trio
import trio.testing

from gossip.identity import new_identity
from gossip.mdns import (
    ANEW_S,
    MAX_NAMES,
    TOLD_AT_ONCE,
    TOLD_PER_SECOND,
    Mdns,
    Station,
    near,
)
from gossip.multiaddress import Address
from gossip.turns import MAX_HOSTS, MAX_PER_HOST, Turns

Clock = trio.testing.MockClock


def test_hosts_take_turns_and_each_has_a_short_queue() -> None:
    turns = Turns[str]()
    assert [turns.add("loud", f"lie {n}") for n in range(6)] == [True] * MAX_PER_HOST + [False] * 2
    assert turns.add("calm", "true")
    assert not turns.add("calm", "true"), "it waits already"
    assert [turns.take() for _ in range(7)] == [
        "lie 0",
        "true",
        "lie 1",
        "lie 2",
        "lie 3",
        None,
        None,
    ]


def test_a_table_of_hosts_is_bounded() -> None:
    turns = Turns[int]()
    assert sum(turns.add(f"host {n}", n) for n in range(2 * MAX_HOSTS)) == MAX_HOSTS
    assert len(turns) == MAX_HOSTS


def at(host: str, number: int) -> list[Address]:
    peer = new_identity(number.to_bytes(32, "big")).peer_id
    return near([f"/ip4/{host}/tcp/4001/p2p/{peer}"])


async def test_a_peer_among_fifty_lies_a_second_is_told_within_minutes(
    autojump_clock: Clock,
) -> None:
    """The lies name 200 addresses of the network, again and again."""
    way, told, true = Mdns(b"key", list[str]), list[str](), at("10.0.0.250", 1_000_000)
    lies = [at(f"10.0.0.{number % 200 + 1}", number) for number in range(1000)]

    def heard(peer: str, addrs: Sequence[str], teller: str = "") -> None:
        told.append(peer)

    second = 0
    for second in range(300):
        for number in range(50):
            way.said(lies[(50 * second + number) % len(lies)])
        if second % 40 == 30:
            way.said(true)
        way.tell(heard)
        await trio.sleep(1)
        if true[0].peer in told:
            break
    assert true[0].peer in told
    assert len(told) <= TOLD_AT_ONCE + (second + 1) * TOLD_PER_SECOND


async def test_so_many_names_make_us_begin_anew(autojump_clock: Clock) -> None:
    """zeroconf keeps what it hears, and tells every name once."""
    way, calm, flooded = Mdns(b"key", list[str]), Silent("a"), Silent("b")
    flooded.heard = MAX_NAMES

    def heard(peer: str, addrs: Sequence[str], teller: str = "") -> None:
        raise AssertionError("there is nothing to hear")

    began = trio.current_time()
    await cast(Any, way)._listen(flooded, [], heard)
    assert trio.current_time() - began < ANEW_S / 2
    await cast(Any, way)._listen(calm, [], heard)
    assert trio.current_time() - began > ANEW_S


class Silent(Station):
    """A station that hears no names by itself."""

    def announced(self, most: int) -> list[str]:
        """None."""
        return []

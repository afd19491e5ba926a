"""Whose records gossip passes on while somebody floods, in virtual time."""

from __future__ import annotations

from dataclasses import replace

import trio
import trio.testing

from gossip.limits import AUTHOR, EAGER, NEWCOMERS, OF_A_NODE, RELAYED, limits_of
from gossip.meters import KEYS, Allowance, Meters
from gossip.relay import Relay
from swarm.settings import NetworkSettings

Clock = trio.testing.MockClock


async def test_a_bucket_fills_again_and_owes_what_was_charged(autojump_clock: Clock) -> None:
    meters = Meters[str](Allowance(10, 2))
    assert meters.take("a", 10)
    assert not meters.take("a")
    assert meters.take("b"), "another has a bucket of its own"
    await trio.sleep(1)
    assert meters.take("a", 2)
    meters.charge("a", 6)
    assert meters.owed_s("a") == 3
    await trio.sleep(100)
    assert meters.left("a") == 10, "no more than the burst"


async def test_so_many_buckets_are_remembered(autojump_clock: Clock) -> None:
    meters = Meters[int](Allowance(1, 1))
    for key in range(2 * KEYS):
        assert meters.take(key)
    assert len(meters) == KEYS


async def test_a_name_for_every_record_leaves_room_for_known_authors(
    autojump_clock: Clock,
) -> None:
    """A minute of a thousand newcomers a second, and an author who speaks once a second."""
    relay = Relay(["ann"])
    strangers = 0
    for second in range(60):
        strangers += sum(relay.takes(f"sybil {second} {at}") for at in range(1000))
        assert relay.takes("ann")
        assert not relay.is_full
        await trio.sleep(1)
    assert strangers <= NEWCOMERS.burst + 60 * NEWCOMERS.per_second


async def test_one_voice_has_its_share_and_no_more(autojump_clock: Clock) -> None:
    relay = Relay([])
    relay.note(["ann", "eve"])
    loud = 0
    for _ in range(60):
        loud += sum(relay.takes("eve") for _ in range(1000))
        assert relay.takes("ann")
        await trio.sleep(1)
    assert loud <= AUTHOR.burst + 60 * AUTHOR.per_second


async def test_all_together_have_a_share(autojump_clock: Clock) -> None:
    """However many known names one will has; what is left out comes by sync."""
    names = [f"name {number}" for number in range(1000)]
    relay = Relay(names)
    assert sum(relay.takes(name) for name in names) == RELAYED.burst
    assert relay.is_full


async def test_many_loud_voices_leave_room_for_the_calm(autojump_clock: Clock) -> None:
    """Ten known names that flood together have a small share; who speaks now and then is heard."""
    loud = [f"eve {number}" for number in range(10)]
    relay, passed = Relay([*loud, "ann", "bob"]), 0
    for _ in range(60):
        passed += sum(relay.takes(name) for name in loud for _ in range(100))
        assert relay.takes("ann")
        assert relay.takes("bob")
        await trio.sleep(1)
    at_first = len(loud) * AUTHOR.burst / 2
    assert passed <= at_first + EAGER.burst + 60 * EAGER.per_second


async def test_a_new_name_does_not_begin_with_a_whole_share(autojump_clock: Clock) -> None:
    relay, passed = Relay([]), 0
    for second in range(60):
        name = f"sybil {second}"
        passed += relay.takes(name)
        relay.note([name])
        passed += sum(relay.takes(name) for _ in range(100))
        await trio.sleep(1)
    assert passed <= 60 + EAGER.burst + 60 * EAGER.per_second


def test_a_person_sets_the_limits_of_connections_alone() -> None:
    assert limits_of(NetworkSettings()) == OF_A_NODE
    limits = limits_of(NetworkSettings(max_connections=9, max_connections_per_ip=2))
    assert limits == replace(OF_A_NODE, connections=9, connections_per_ip=2)

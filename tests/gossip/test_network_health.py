"""Whom a node asks to dial back, how often, and what it tells of it."""

from __future__ import annotations

from collections import Counter

import pytest
import trio
import trio.testing

from gossip.dial_back import Seen
from gossip.network_health import KEPT, NetworkHealth
from gossip.skew import Offset
from gossip.transport import CallError


class Town:
    """Peers that come and go, some of whom do not answer."""

    def __init__(self) -> None:
        self.peers = list[str]()
        self.mute = set[str]()
        self.asked: Counter[str] = Counter()
        self.health = NetworkHealth(
            lambda: self.peers, self._ask, lambda: 5, ["/ip4/192.0.2.1/tcp/1"], lambda: 0.5
        )

    async def _ask(self, peer: str) -> Seen:
        self.asked[peer] += 1
        await trio.sleep(0.1)
        if peer in self.mute:
            raise CallError("speaks no such protocol")
        return Seen("192.0.2.7", 40, {4001: "reached"}, Offset(-9000, 10))


Clock = trio.testing.MockClock


@pytest.fixture
async def town(nursery: trio.Nursery) -> Town:
    town = Town()
    nursery.start_soon(town.health.run)
    return town


async def test_a_node_alone_says_that_nothing_is_known(autojump_clock: Clock, town: Town) -> None:
    await trio.sleep(40)
    said = town.health.document()
    assert said["up_seconds"] == 40 and said["entrances"] == ["/ip4/192.0.2.1/tcp/1"]
    assert said["first_peer_seconds"] is said["first_record_seconds"] is None
    assert said["clock_skew_ms"] is None and said["checks"] == []


async def test_the_first_peer_is_asked_at_once_and_the_times_are_told(
    autojump_clock: Clock, town: Town
) -> None:
    await trio.sleep(3.5)
    town.peers = ["ann"]
    await trio.sleep(3)
    town.health.record_came()
    await trio.sleep(10)
    town.health.record_came()
    said = town.health.document()
    assert said["first_peer_seconds"] == 4 and said["first_record_seconds"] == 6.5
    assert said["clock_skew_ms"] == 9000
    assert said["checks"] == [
        {
            "peer": "ann", "at_ms": 5, "seen_ip": "192.0.2.7", "seen_port": 40,
            "ports": {"4001": "reached"}, "clock_ahead_ms": -9000, "clock_error_ms": 10,
        }
    ]  # fmt: skip


async def test_who_does_not_answer_is_passed_over_for_others(
    autojump_clock: Clock, town: Town
) -> None:
    """Peers of older versions cost a question now and then, and are counted."""
    town.mute = {"old", "older"}
    town.peers = ["old", "older", "ann"]
    await trio.sleep(10)
    assert town.health.document()["mute_peers"] == 2
    town.peers += ["bob", "eve"]
    await trio.sleep(10)
    assert town.asked["bob"] == town.asked["eve"] == 1


async def test_asking_is_seldom_and_what_is_kept_is_bounded(
    autojump_clock: Clock, town: Town
) -> None:
    town.peers = [f"peer{n}" for n in range(40)]
    await trio.sleep(2 * 3600)
    checks = town.health.document()["checks"]
    assert isinstance(checks, list) and len(checks) == KEPT  # pyright: ignore[reportUnknownArgumentType]
    assert town.asked.total() <= 2 * 12 * 3 + 3

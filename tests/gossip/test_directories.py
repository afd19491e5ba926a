"""When directories are asked, and how much of what they say is heard; in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import trio
from trio.testing import MockClock

from gossip.directories import ADDRS_TOLD, ASK_AFTER_S, ASK_SELDOM_S, TOLD, LookUps, Told
from gossip.transport import CallError, PeerId
from tests.gossip.waiting import noted


class Office:
    """A transport whose connected peers keep a directory; it counts what it is asked."""

    def __init__(self, told: Told) -> None:
        self.here: tuple[PeerId, ...] = ("ann",)
        self.asked: list[tuple[str, PeerId, float]] = []
        self._told = told

    def keepers(self, directory: str) -> tuple[PeerId, ...]:
        return self.here

    def ip_of(self, peer: PeerId) -> str:
        return "192.0.2.1"

    async def look_up(self, directory: str, peer: PeerId, timeout_s: float = 20.0) -> Told:
        self.asked.append((directory, peer, round(trio.current_time())))
        await trio.lowlevel.checkpoint()
        if peer == "mute":
            raise CallError("it says nothing")
        return self._told


async def run_for(seconds: float, office: Office) -> dict[PeerId, Sequence[str]]:
    """What is heard in some time."""
    heard = dict[PeerId, Sequence[str]]()
    with trio.move_on_after(seconds):
        await LookUps("dht", office).run(noted(heard))
    return heard


async def test_a_keeper_is_asked_soon_and_then_seldom(autojump_clock: MockClock) -> None:
    """Whoever comes, comes back or does not answer; nobody who is not connected."""
    office = Office({})
    office.here = ("ann", "mute")
    begin_s = trio.current_time()
    await run_for(1500, office)
    at_s = [at - round(begin_s) for _, peer, at in office.asked if peer == "ann"]
    assert at_s[0] >= ASK_AFTER_S[0]
    assert len(at_s) == len(ASK_AFTER_S) + 2
    assert at_s[-1] - at_s[-2] >= ASK_SELDOM_S
    assert len([peer for _, peer, _ in office.asked if peer == "mute"]) == len(at_s)
    assert {directory for directory, _, _ in office.asked} == {"dht"}


async def test_only_a_little_of_an_answer_is_heard(autojump_clock: MockClock) -> None:
    """A keeper that names a thousand peers, at a thousand addresses each."""
    addrs = tuple(str(number) for number in range(1000))
    heard = await run_for(3, Office({f"peer {number}": addrs for number in range(1000)}))
    assert len(heard) == TOLD
    assert {len(each) for each in heard.values()} == {ADDRS_TOLD}

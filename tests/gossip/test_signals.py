"""Signals between nodes in virtual time: told when they change, and again, and never stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import trio

from gossip.identity import new_identity
from gossip.signals import AGAIN_SECONDS, AGAIN_SECONDS_AT_LEAST, LOOK_SECONDS, Signals
from swarm.heard import LIFETIME_MS
from swarm.signals import MAX_IDEAS, Idea, Presence
from tests.swarm.record_samples import BOB, NOW_MS, SCOPE
from tests.swarm.test_signals import CLAIM, IDEA, PRESENCE, sealed

BOBS = replace(CLAIM, author=BOB.peer_id)


@dataclass
class Street:
    """Where everyone hears everyone at once, by trio's clock."""

    nodes: list[Signals] = field(default_factory=list[Signals])
    sent: list[bytes] = field(default_factory=list[bytes])
    refused: list[str] = field(default_factory=list[str])
    crowd: int = 0

    async def publish(self, data: bytes) -> None:
        self.sent.append(data)
        for node in self.nodes:
            if node.would_pass(data):
                node.offer(data, "somebody")

    def settle(self, number: int) -> Signals:
        """A new node."""
        identity = new_identity(bytes([number]) * 32)

        def presence() -> Presence:
            return replace(PRESENCE, author=identity.peer_id, created_at_ms=now_ms())

        node = Signals(
            identity,
            SCOPE,
            publish=self.publish,
            presence=presence,
            peers=lambda: len(self.nodes) + self.crowd,
            refused=lambda reason, sender: self.refused.append(reason),
            now_ms=now_ms,
        )
        self.nodes.append(node)
        return node


def now_ms() -> int:
    return NOW_MS + round(trio.current_time() * 1000)


@asynccontextmanager
async def street(count: int, crowd: int = 0) -> AsyncGenerator[Street]:
    here = Street(crowd=crowd)
    for number in range(1, count + 1):
        here.settle(number)
    async with trio.open_nursery() as nursery:
        for node in here.nodes:
            nursery.start_soon(node.run)
        yield here
        nursery.cancel_scope.cancel()


def ideas(count: int) -> list[Idea]:
    return [replace(IDEA, tree=f"{number:064x}") for number in range(count)]


async def test_peers_know_of_each_other(autojump_clock: trio.testing.MockClock) -> None:
    async with street(3) as here:
        await trio.sleep(1)
        for node in here.nodes:
            assert len(node.presences()) == 2, "all but itself"
            assert node.presences()[0].running == PRESENCE.running


async def test_what_is_claimed_is_known_within_a_second_and_taken_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with street(2) as here:
        speaker, listener = here.nodes
        for count in (1, 2, 0):
            await trio.sleep(2)
            speaker.claim(ideas(count))
            await trio.sleep(1)
            (claim,) = listener.claims()
            assert claim.ideas == tuple(ideas(count))
        assert speaker.claims() == []


async def test_changes_in_quick_succession_are_told_as_one(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with street(2) as here:
        await trio.sleep(2)
        before = len(here.sent)
        for count in range(1, 41):
            here.nodes[0].claim(ideas(count))
            await trio.sleep(0.01)
        await trio.sleep(2)
        assert len(here.sent) - before <= 3
        (claim,) = here.nodes[1].claims()
        assert claim.ideas == tuple(ideas(MAX_IDEAS))


async def test_the_best_run_is_told_once_there_is_one_and_newcomers_hear_of_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with street(2) as here:
        speaker, listener = here.nodes
        await trio.sleep(2)
        assert listener.leads() == []
        for loss_nano in (3, 2):
            curve = ((512, 4), (1024, loss_nano))
            speaker.lead(7, curve)
            await trio.sleep(1)
            (lead,) = listener.leads()
            assert (lead.value_nano, lead.curve) == (7, curve)
        late = here.settle(3)
        await trio.sleep(AGAIN_SECONDS + 1)
        assert [each.curve for each in late.leads()] == [curve]
        assert speaker.leads() == [] and here.refused == []
        speaker.lead(7, ())
        await trio.sleep(LIFETIME_MS / 1000 + 1)
        assert listener.leads() == [], "another's is better by now"
        speaker.lead(8, curve)
        speaker.lead(8, ())
        await trio.sleep(1)
        assert listener.leads() == [], "it was taken back before it was told"


async def test_a_newcomer_hears_what_was_claimed_before(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with street(2) as here:
        here.nodes[0].claim(ideas(1))
        await trio.sleep(5)
        late = here.settle(3)
        await trio.sleep(AGAIN_SECONDS + 1)
        assert [claim.ideas for claim in late.claims()] == [tuple(ideas(1))]
        assert len(late.presences()) == 2


async def test_who_connects_is_told_soon(autojump_clock: trio.testing.MockClock) -> None:
    """What was said before anybody was connected went nowhere."""
    async with street(2) as here:
        here.nodes[0].claim(ideas(1))
        await trio.sleep(2 * LOOK_SECONDS)
        late = here.settle(3)
        await trio.sleep(LOOK_SECONDS + 1)
        assert len(late.presences()) == 2
        assert [claim.ideas for claim in late.claims()] == [tuple(ideas(1))]


async def test_a_large_swarm_speaks_more_seldom(autojump_clock: trio.testing.MockClock) -> None:
    """And still often enough that nobody is forgotten."""
    async with street(1, crowd=500) as here:
        await trio.sleep(10 * AGAIN_SECONDS_AT_LEAST + 1)
        assert len(here.sent) == 11
        assert AGAIN_SECONDS_AT_LEAST * 1000 * 2 < LIFETIME_MS


async def test_who_falls_silent_is_forgotten(autojump_clock: trio.testing.MockClock) -> None:
    async with street(1) as here:
        here.nodes[0].offer(sealed(replace(BOBS, created_at_ms=now_ms()), BOB), "bob")
        assert len(here.nodes[0].claims()) == 1
        await trio.sleep(LIFETIME_MS / 1000)
        assert here.nodes[0].claims() == []


async def test_what_is_malformed_is_refused_and_not_passed_on(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with street(1) as here:
        assert not here.nodes[0].would_pass(b"noise")
        here.nodes[0].offer(b"noise", "somebody")
        assert len(here.refused) == 1 and here.nodes[0].claims() == []
        here.nodes[0].offer(sealed(BOBS, BOB), "bob")
        assert not here.nodes[0].would_pass(sealed(BOBS, BOB)), "it is known already"

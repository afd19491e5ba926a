"""Relays: three real hosts on loopback, and what a relay allows."""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError

from gossip import libp2p_circuits
from gossip.circuits import Bookings, CircuitLimits, Place
from gossip.identity import new_identity
from gossip.libp2p_relay import HOP, STOP
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.transport import DialError
from tests.gossip.stock import attacker, connect, open_stream
from tests.gossip.waiting import until

TOPIC = "/circuits"
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
KEY = "ab" * 32


def circuit_of(transport: Libp2pTransport) -> str:
    """The address that leads to a node through a relay, if it has one by now."""
    found = [addr for addr in transport.listen_addrs if "/p2p-circuit/" in addr]
    return found[0] if found else ""


@pytest.mark.parametrize("key", [None, KEY], ids=["open", "closed"])
async def test_a_peer_that_nobody_dials_is_reached_through_a_relay(
    key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls go through both ways; once a peer has reached it, no relay leads to it any more."""
    monkeypatch.setattr(libp2p_circuits, "LOOK_S", 0.1)

    async def answer(peer: str, request: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        return request[::-1]

    async with (
        open_libp2p_transport(
            new_identity(), TOPIC, LOOPBACK, pre_shared_key=key, circuits=CircuitLimits()
        ) as relay,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK, pre_shared_key=key) as hidden,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK, pre_shared_key=key) as caller,
    ):
        relay.place = caller.place = lambda: Place(is_reached=True)
        hidden.serve(answer)
        caller.serve(answer)
        await hidden.dial(relay.listen_addrs[0])
        await until(lambda: bool(circuit_of(hidden)), 60)
        assert circuit_of(hidden).startswith(relay.listen_addrs[0])
        await until(lambda: circuit_of(hidden) in relay.addrs_of(hidden.peer_id), 60)
        assert await caller.dial(circuit_of(hidden), 30) == hidden.peer_id
        await until(lambda: caller.peer_id in hidden.peers(), 60)
        big = bytes(range(256)) * 200
        assert await caller.call(hidden.peer_id, big, 30) == big[::-1]
        assert await hidden.call(caller.peer_id, big, 30) == big[::-1]
        assert not circuit_of(caller)
        hidden.place = lambda: Place(is_reached=True)
        await until(lambda: not circuit_of(hidden), 60)


async def test_a_relay_leads_to_nobody_without_a_reservation() -> None:
    """Who holds none is not led to, and says so; nor is a node that is no relay asked in vain."""
    async with (
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK, circuits=CircuitLimits()) as relay,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as other,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as caller,
    ):
        other.place = lambda: Place(is_reached=True)
        await other.dial(relay.listen_addrs[0])
        through = f"{relay.listen_addrs[0]}/p2p-circuit/p2p/{other.peer_id}"
        with pytest.raises(DialError, match="that peer holds no reservation there"):
            await caller.dial(through, 30)
        nobody = f"{other.listen_addrs[0]}/p2p-circuit/p2p/{new_identity().peer_id}"
        await caller.dial(other.listen_addrs[0])
        with pytest.raises(DialError, match="cannot reach"):
            await caller.dial(nobody, 30)


def test_reservations_end_and_have_an_end() -> None:
    booked = Bookings(CircuitLimits(reservations=3, reservations_per_ip=2, reservation_s=10))
    assert booked.reserve("a", "1.1.1.1", 0)
    assert booked.reserve("b", "1.1.1.1", 1)
    assert not booked.reserve("c", "1.1.1.1", 2)
    assert booked.reserve("a", "1.1.1.1", 5)
    assert booked.reserve("d", "2.2.2.2", 5)
    assert not booked.reserve("e", "3.3.3.3", 5)
    assert booked.holds("a", 14)
    assert not booked.holds("b", 11)
    assert booked.reserve("e", "3.3.3.3", 11)


def test_circuits_are_counted_at_both_ends() -> None:
    booked = Bookings(CircuitLimits(circuits=3, circuits_per_peer=2))
    with booked.circuit("a", "b") as one, booked.circuit("a", "c") as two:
        assert one
        assert two
        with booked.circuit("d", "a") as third, booked.circuit("d", "e") as fourth:
            assert not third
            assert fourth
            with booked.circuit("f", "g") as fifth:
                assert not fifth
    with booked.circuit("a", "b") as again:
        assert again


async def test_junk_on_every_protocol_of_relays_costs_its_stream_alone() -> None:
    """A relay, hop, stop and hole punching, hears nonsense and still reserves and leads."""
    junk = [b"", b"\xff" * 40, b"\x05\x08\x63", b"\x04\x08\x01\x12\x00", b"\x02\x08\x07"]
    async with (
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK, circuits=CircuitLimits()) as relay,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as hidden,
        attacker() as liar,
    ):
        peer = await connect(liar, relay.listen_addrs[0])
        for protocol in (HOP, STOP, "/libp2p/dcutr", "/research-swarm/peers/1.0.0"):
            for data in junk:
                with suppress(BaseLibp2pError):
                    stream = await open_stream(liar, peer, protocol)
                    await stream.write(data)
                    await stream.close()
        await hidden.dial(relay.listen_addrs[0])
        await until(lambda: bool(circuit_of(hidden)), 60)
        assert relay.restarts == 0

"""
Hole punching: real hosts at an address of this machine, and what may be named.

Two NATs made with nftables are in `benchmarks/bench_nat.py`; here nothing is in the way,
so what is shown is that the ends of a circuit come to speak without the relay.
"""

from __future__ import annotations

from typing import Any, cast

import pytest
import trio
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from gossip import libp2p_circuits
from gossip.circuits import CircuitLimits, Place
from gossip.elsewhere import reach
from gossip.identity import new_identity
from gossip.libp2p_punch import NAMED, Punch
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.multiaddress import parse
from tests.gossip.stock import attacker
from tests.gossip.waiting import until

TOPIC = "/punch"
WIDE = ("/ip4/0.0.0.0/tcp/0",)


def circuit_of(transport: Libp2pTransport) -> str:
    """The address that leads to a node through a relay, if it has one by now."""
    return next((addr for addr in transport.listen_addrs if "/p2p-circuit/" in addr), "")


def speaks_directly(one: Libp2pTransport, other: Libp2pTransport) -> bool:
    """Whether a connection between two comes from an address, which no circuit does."""
    network = cast(Any, one)._network._host.get_network()
    connections = network.get_connections(ID.from_string(other.peer_id))
    return any(each.muxed_conn.get_remote_address() for each in connections)


async def test_the_ends_of_a_circuit_come_to_speak_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libp2p_circuits, "LOOK_S", 0.1)
    async with (
        open_libp2p_transport(new_identity(), TOPIC, WIDE, circuits=CircuitLimits()) as relay,
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as hidden,
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as caller,
    ):
        relay.place = lambda: Place(is_reached=True)
        at = next((a for a in relay.listen_addrs if reach(parse(a).host) == "anywhere"), None)
        if at is None:
            pytest.skip("this machine has no address but loopback, which is never named")
        await hidden.dial(at)
        await until(lambda: bool(circuit_of(hidden)))
        await caller.dial(circuit_of(hidden), 30)
        await until(lambda: caller.peer_id in hidden.peers())
        assert not speaks_directly(caller, hidden)
        await trio.sleep(3)
        assert not speaks_directly(caller, hidden), "nobody has said where they are seen"
        seen = Place(seen_at=(parse(at).host,))
        hidden.place = caller.place = lambda: seen
        await until(lambda: speaks_directly(caller, hidden) and speaks_directly(hidden, caller))


async def test_of_what_the_other_end_names_little_is_dialled() -> None:
    """Neither this machine, nor everybody, nor through others, and only a few."""
    never = [
        "/ip4/127.0.0.1/tcp/4001",
        "/ip6/::1/tcp/4001",
        "/ip4/169.254.1.1/tcp/4001",
        "/ip4/224.0.0.1/tcp/4001",
        "/ip4/0.0.0.0/tcp/4001",
        "/ip4/192.0.2.1/tcp/0",
        "/dns4/example.org/tcp/4001",
        f"/ip4/192.0.2.1/tcp/4001/p2p/{new_identity().peer_id}",
    ]
    good = [f"/ip4/192.0.2.{number}/tcp/4001" for number in range(1, 9)]
    async with attacker() as host:
        punch = cast(Any, Punch(host, Place))
        for addr in never:
            assert punch._decode_observed_addrs([Multiaddr(addr).to_bytes()]) == []
        assert punch._decode_observed_addrs([b"", b"\xff" * 9]) == []
        found = punch._decode_observed_addrs([Multiaddr(addr).to_bytes() for addr in good])
        assert [str(addr) for addr in found] == good[:NAMED]

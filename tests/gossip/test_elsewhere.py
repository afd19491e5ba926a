"""Loopback leads every machine to itself, a name wherever its owner wants: neither is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from gossip.elsewhere import from_here, reach
from gossip.exchange import Exchange
from gossip.identity import new_identity
from gossip.libp2p_transport import open_libp2p_transport
from gossip.peer_book import PeerBook
from swarm.canonical import pack
from tests.gossip.waiting import noted, until

PEER = new_identity(b"\x07" * 32).peer_id
RELAY = new_identity(b"\x08" * 32).peer_id
TOPIC = "/elsewhere"
WIDE = ("/ip4/0.0.0.0/tcp/0",)
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)


def at(host: str, relay: str = "") -> str:
    family = "ip6" if ":" in host else "ip4" if host[0].isdigit() else "dns4"
    through = f"/p2p/{relay}/p2p-circuit" if relay else ""
    return f"/{family}/{host}/tcp/4001{through}/p2p/{PEER}"


ELSEWHERE = [
    at("192.0.2.1"),
    at("192.168.1.2"),
    at("2001:db8::1"),
    at("192.0.2.9", RELAY),
]
THIS_MACHINE = [
    at("127.0.0.1"),
    at("127.8.0.1"),
    at("::1"),
    at("::ffff:127.0.0.1"),
    at("0.0.0.0"),
    at("127.0.0.1", RELAY),
]
THIS_LINK = [at("169.254.3.4"), at("fe80::1")]
NAMES = [at("node.example.org"), at("localhost"), at("a.localhost"), at("node.example", RELAY)]
EVERYTHING = [*ELSEWHERE, *THIS_MACHINE, *THIS_LINK]


@pytest.mark.parametrize("own", [[at("192.168.1.9"), at("127.0.0.1")], []], ids=["wide", "down"])
def test_what_leads_every_machine_to_itself_is_left_out(own: Sequence[str]) -> None:
    assert from_here(EVERYTHING, own) == tuple(ELSEWHERE)


def test_a_node_that_listens_for_its_machine_alone_takes_all() -> None:
    assert from_here(EVERYTHING, [at("127.0.0.1"), at("::1")]) == tuple(EVERYTHING)


def test_a_peer_that_was_met_over_loopback_is_dialled_there() -> None:
    own = [at("192.168.1.9")]
    assert from_here(EVERYTHING, own, {"machine"}) == (*ELSEWHERE, *THIS_MACHINE)
    assert from_here(EVERYTHING, own, {"link"}) == (*ELSEWHERE, *THIS_LINK)


@pytest.mark.parametrize("own", [[at("192.168.1.9")], [at("127.0.0.1")]], ids=["wide", "alone"])
def test_a_name_is_taken_from_nobody(own: Sequence[str]) -> None:
    assert from_here([*NAMES, *ELSEWHERE], own, {"machine", "link"}) == tuple(ELSEWHERE)


def test_whatever_is_no_address_is_judged_elsewhere() -> None:
    assert reach("::1%lo") == "machine"
    assert from_here(["/memory/p2p/b", "junk"], []) == ("/memory/p2p/b", "junk")


async def test_what_a_peer_tells_of_itself_is_taken_from_a_neighbour_on_this_machine() -> None:
    """A wide listener met over loopback keeps its loopback address; one met elsewhere does not."""
    async with (
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as one,
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as other,
    ):
        wide = [addr for addr in other.listen_addrs if "/127.0.0.1/" not in addr]
        if not wide:
            pytest.skip("this machine has no address but loopback")
        await one.dial(wide[0])
        await until(lambda: wide[0] in one.addrs_of(other.peer_id))
        assert not [addr for addr in one.addrs_of(other.peer_id) if "/127.0.0.1/" in addr]
    async with (
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as one,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as other,
    ):
        await one.dial(other.listen_addrs[0])
        await until(lambda: other.listen_addrs[0] in one.addrs_of(other.peer_id))


async def test_strangers_cannot_have_this_machine_dialled(tmp_path: Path) -> None:
    """By peer exchange a node hears of others; one that listens wide hears of no loopback."""

    async def answer(peer: str, request: bytes) -> bytes:
        await trio.lowlevel.checkpoint()
        return pack([[PEER, [at("127.0.0.1"), at("192.0.2.1")]]])

    heard = dict[str, Sequence[str]]()
    async with (
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as liar,
        open_libp2p_transport(new_identity(), TOPIC, WIDE) as node,
        trio.open_nursery() as nursery,
    ):
        if all("/127.0.0.1/" in addr for addr in node.listen_addrs):
            pytest.skip("this machine has no address but loopback")
        exchange = Exchange(node, PeerBook(tmp_path / "peers.json"), lambda: 0)
        liar.serve(answer, b"\x03")
        nursery.start_soon(exchange.run, noted(heard))
        await node.dial(liar.listen_addrs[0])
        await until(lambda: PEER in heard)
        nursery.cancel_scope.cancel()
    assert heard[PEER] == (at("192.0.2.1"),)

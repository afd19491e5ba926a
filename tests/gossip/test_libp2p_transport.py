"""The real transport beyond the contract: ports, crashes, restarts, and sync over it."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from gossip import libp2p_host
from gossip.identity import Identity, new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.multiaddress import parse
from gossip.peer_book import PeerBook
from gossip.redial import keep_connected
from gossip.sync import Sync
from gossip.transport import ListenError
from tests.gossip.test_sync import Shelf, identify, wins
from tests.gossip.waiting import until

TOPIC = "/research-swarm/1/transport"
LOOPBACK = "/ip4/127.0.0.1/tcp/0"


@asynccontextmanager
async def node(
    identity: Identity | None = None, listen: str = LOOPBACK, told: list[str] | None = None
) -> AsyncGenerator[Libp2pTransport]:
    async with open_libp2p_transport(
        identity or new_identity(),
        TOPIC,
        [listen],
        on_trouble=(told if told is not None else list[str]()).append,
        uniform=lambda: 0.0,
    ) as transport:
        yield transport


@pytest.mark.parametrize("reuse", [False, True])
async def test_a_taken_port_is_one_clear_error(reuse: bool) -> None:
    """Also when whoever holds it allows sharing, as another libp2p would."""
    with socket.socket() as holder:
        if reuse:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port} is taken"):
            async with node(listen=f"/ip4/127.0.0.1/tcp/{port}"):
                pytest.fail("it listened")


async def test_two_nodes_do_not_share_a_port() -> None:
    async with node() as first:
        address = parse(first.listen_addrs[0]).base
        with pytest.raises(ListenError, match="is taken"):
            async with node(listen=address):
                pytest.fail("it listened")


@pytest.mark.parametrize(
    ("listen", "reason"),
    [
        ("/ip4/192.0.2.77/tcp/0", "no address 192.0.2.77"),
        ("/ip4/127.0.0.1/udp/1/quic-v1", "not a TCP multiaddr"),
        ("/dns4/localhost/tcp/0", "name an IP address"),
    ],
)
async def test_addresses_that_cannot_be_listened_on(listen: str, reason: str) -> None:
    with pytest.raises(ListenError, match=reason):
        async with node(listen=listen):
            pytest.fail("it listened")


async def test_a_wildcard_is_printed_as_addresses_to_dial() -> None:
    async with node(listen="/ip4/0.0.0.0/tcp/0") as transport, node() as other:
        assert transport.listen_addrs
        assert not any("0.0.0.0" in address for address in transport.listen_addrs)
        assert await other.dial(transport.listen_addrs[-1]) == transport.peer_id


async def crash(transport: Libp2pTransport) -> None:
    """Break the running network from inside, as an unknown bug would."""

    async def explode() -> None:
        raise RuntimeError("an unknown bug")

    network = transport._network  # pyright: ignore[reportPrivateUsage]
    assert network is not None
    network._pubsub.manager.run_task(explode)  # pyright: ignore[reportPrivateUsage]
    await trio.lowlevel.checkpoint()


async def test_a_crashed_network_comes_back_on_its_port_and_keeps_its_queues() -> None:
    told = list[str]()
    async with node(told=told) as victim, node() as other:
        addresses, received, events = victim.listen_addrs, victim.received(), victim.events()
        for crashes in (1, 2):
            await crash(victim)
            await until(lambda crashes=crashes: victim.restarts == crashes)
            await until(lambda: victim.listen_addrs == addresses)
            assert len(told) == crashes
            assert "an unknown bug" in told[-1]
        await other.dial(addresses[0])
        with trio.fail_after(60):
            assert (await events.receive()).peer == other.peer_id
            while received.statistics().current_buffer_used == 0:
                await other.publish(b"welcome back %d" % int(1000 * trio.current_time()))
                await trio.sleep(0.2)


async def test_a_network_that_cannot_start_does_not_stop_the_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opens = libp2p_host.open_network
    attempts = list[int]()

    def fail_twice(*args: object) -> object:
        attempts.append(1)
        if len(attempts) <= 2:
            raise OSError("no network today")
        return opens(*args)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(libp2p_host, "open_network", fail_twice)
    async with node() as transport:
        assert transport.listen_addrs
        assert transport.restarts == 2


async def run_sync(transport: Libp2pTransport, shelf: Shelf) -> None:
    sync = Sync(
        transport, shelf, shelf.accept_many, scope=TOPIC, kinds=("win", "trials"), identify=identify
    )
    await sync.run()


async def test_ten_thousand_records_over_libp2p() -> None:
    old, late = Shelf(b"w" + n.to_bytes(600, "big") for n in range(10_000)), Shelf()
    async with node() as one, node() as other, trio.open_nursery() as nursery:
        nursery.start_soon(run_sync, one, old)
        nursery.start_soon(run_sync, other, late)
        await other.dial(one.listen_addrs[0])
        await until(lambda: len(late.kept) == 10_000, timeout_s=30)
        assert late.kept == old.kept
        nursery.cancel_scope.cancel()


async def test_a_node_that_restarts_is_found_again_and_brought_up_to_date(tmp_path: Path) -> None:
    """Nobody but the book and the backoff reconnects them: py-libp2p itself never would."""
    identity, here, there = new_identity(), Shelf(wins(1)), Shelf(wins(2))
    book = PeerBook(tmp_path / "peers.json")

    async def keep(transport: Libp2pTransport, joins: list[str]) -> None:
        await keep_connected(transport, book, joins, now_ms=lambda: 1, on_trouble=logging.info)

    async with node() as one, trio.open_nursery() as nursery:
        nursery.start_soon(run_sync, one, here)
        async with node(identity) as other:
            address = other.listen_addrs[0]
            nursery.start_soon(keep, one, [address])
            await until(lambda: one.peers() == (other.peer_id,))
        await until(lambda: one.peers() == ())
        await here.accept(b"w3", "self")
        async with node(identity, parse(address).base) as other, trio.open_nursery() as second:
            second.start_soon(run_sync, other, there)
            await until(lambda: len(here.kept) == len(there.kept) == 3, timeout_s=60)
            second.cancel_scope.cancel()
        nursery.cancel_scope.cancel()


def test_libp2p_is_imported_only_when_a_network_starts() -> None:
    """It costs more than the whole command line may take."""
    modules = "libp2p_transport, sync, redial, peer_book, identity, memory_transport, ports"
    code = f"import sys; from gossip import {modules}; assert 'libp2p' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


async def test_the_library_s_log_reaches_everybody_s_handlers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with node():
        logging.getLogger("libp2p.somewhere").error("heard")
    assert "heard" in caplog.text

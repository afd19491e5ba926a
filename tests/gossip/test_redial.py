"""Staying connected, in virtual time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import trio
import trio.testing

from gossip.discovery import Discovery, Heard
from gossip.identity import new_identity
from gossip.memory_transport import MemoryNetwork
from gossip.peer_book import PeerBook
from gossip.redial import FORGET_AFTER, MISSED_FOR_S, MISSED_WAIT_S, keep_connected
from gossip.transport import DialError, PeerId
from tests.gossip.waiting import until

TOPIC = "/t"


async def test_an_unreachable_join_is_told_once_and_tried_until_it_is_there(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    network, told = MemoryNetwork(), list[str]()
    book = PeerBook(tmp_path / "peers.json")
    async with network.open("a", TOPIC) as a, trio.open_nursery() as nursery:

        async def keep() -> None:
            join = ["/memory/p2p/b"]
            await keep_connected(a, book, join, now_ms=lambda: 1, on_trouble=told.append)

        nursery.start_soon(keep)
        await trio.sleep(60)
        assert len(told) == 1
        assert told[0].startswith("cannot reach /memory/p2p/b: is that node running? Trying again")
        async with network.open("b", TOPIC) as b:
            await until(lambda: b.peers() == ("a",), timeout_s=400)
            network.cut("a", "b")
            network.heal("a", "b")
            await until(lambda: b.peers() == ("a",), timeout_s=10)
        nursery.cancel_scope.cancel()


class Unreachable:
    """A transport on which every dial fails; it counts them."""

    def __init__(self) -> None:
        self.dialled: list[tuple[float, str]] = []
        self.peer_id = "me"

    def peers(self) -> tuple[PeerId, ...]:
        return ()

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        return ()

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        self.dialled.append((trio.current_time(), multiaddr))
        raise DialError("cannot reach it")


async def test_the_book_is_dialled_at_growing_intervals_at_every_address(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    peer = new_identity(b"\x02" * 32).peer_id
    addrs = tuple(f"/ip4/192.0.2.{n}/tcp/4001/p2p/{peer}" for n in (1, 2))
    book, transport = PeerBook(tmp_path / "peers.json"), Unreachable()
    book.note(peer, addrs, now_ms=1)
    with trio.move_on_after(3600):
        await keep_connected(
            transport,  # pyright: ignore[reportArgumentType] - only what redialling uses
            book,
            [],
            now_ms=lambda: 1,
            on_trouble=lambda sentence: None,
        )
    times = [at for at, _ in transport.dialled]
    assert {addr for _, addr in transport.dialled} == set(addrs)
    assert 12 < len(times) < 40
    assert times[-1] - times[-2] > 140
    assert (tmp_path / "peers.json").exists()


async def test_what_cannot_be_reached_is_told_in_whole_sentences(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    told = list[str]()
    with trio.move_on_after(60):
        await keep_connected(
            Unreachable(),  # pyright: ignore[reportArgumentType] - only what redialling uses
            PeerBook(tmp_path / "peers.json"),
            ["/ip4/192.0.2.1/tcp/4001/p2p/x"],
            now_ms=lambda: 1,
            on_trouble=told.append,
        )
    assert told == ["cannot reach it. Trying again in the background."]


class Outsiders(Unreachable):
    """A private topic: every dial succeeds, and nobody proves to be a member."""

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        self.dialled.append((trio.current_time(), multiaddr))
        await trio.lowlevel.checkpoint()
        return multiaddr


async def test_hearsay_that_answers_and_proves_nothing_is_forgotten(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """Whom a person named stays, and is tried as soon as ever."""
    peers = [new_identity(bytes([seed]) * 32).peer_id for seed in (1, 2, 3)]
    addrs = [f"/ip4/192.0.2.1/tcp/4001/p2p/{peer}" for peer in peers]
    book, transport = PeerBook(tmp_path / "peers.json"), Outsiders()
    for peer, addr, way in zip(peers, addrs, ("dht", "invite", "join"), strict=True):
        book.hint(peer, (addr,), way)
    with trio.move_on_after(600):
        await keep_connected(
            transport,  # pyright: ignore[reportArgumentType] - only what redialling uses
            book,
            [addrs[2]],
            now_ms=lambda: 1,
            on_trouble=lambda sentence: None,
        )
    dialled = [[at for at, addr in transport.dialled if addr == each] for each in addrs]
    assert set(book.entries) == set(peers[1:])
    assert len(dialled[0]) == FORGET_AFTER
    assert len(dialled[2]) > 200


async def test_who_is_connected_and_proves_nothing_yet_is_not_tried(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """A member that is slow to prove itself is not forgotten for that."""
    peer = new_identity(bytes(32)).peer_id
    book, transport = PeerBook(tmp_path / "peers.json"), Outsiders()
    book.hint(peer, (f"/ip4/192.0.2.1/tcp/4001/p2p/{peer}",), "dht")
    with trio.move_on_after(600):
        await keep_connected(
            transport,  # pyright: ignore[reportArgumentType] - only what redialling uses
            book,
            [],
            now_ms=lambda: 1,
            on_trouble=lambda sentence: None,
            linked=lambda: [peer] if transport.dialled else [],
        )
    assert len(transport.dialled) == 1
    assert peer in book.entries


class Slow(Unreachable):
    """One peer is there, another answers at once, and whoever else is dialled does not in time."""

    def __init__(self, honest: PeerId) -> None:
        super().__init__()
        self.met: list[tuple[float, PeerId]] = []
        self._honest = honest

    def peers(self) -> tuple[PeerId, ...]:
        return ("server", *(peer for _, peer in self.met[:1]))

    async def dial(self, multiaddr: str, timeout_s: float = 10.0) -> PeerId:
        if multiaddr.endswith(self._honest):
            self.met.append((trio.current_time(), self._honest))
            return self._honest
        await trio.sleep(timeout_s)
        return await super().dial(multiaddr, timeout_s)


class Mute:
    """A way that says nothing by itself."""

    name = "dht"

    async def run(self, heard: Heard) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("liars", [1, 8])
async def test_inventions_do_not_starve_the_real_one(
    autojump_clock: trio.testing.MockClock, tmp_path: Path, liars: int
) -> None:
    """16 in ten seconds, by one liar or by several; the real one is named once."""
    book, honest = PeerBook(tmp_path / "peers.json"), new_identity().peer_id
    transport = Slow(honest)
    finding = Discovery("me", book, [Mute()], on_trouble=print, uniform=lambda: 0.5)

    def tell(peer: PeerId, host: str, teller: str) -> None:
        finding.heard("dht", peer, [f"/ip4/{host}/tcp/4001/p2p/{peer}"], teller)

    async def lie() -> None:
        for number in range(1000):
            if number == 5:
                tell(honest, "192.0.2.1", "10.0.0.1")
                began.append(trio.current_time())
            for each in range(16):
                tell(new_identity().peer_id, f"198.51.{number % 250}.7", f"6.6.6.{each % liars}")
            await trio.sleep(10)

    began: list[float] = []
    with trio.move_on_after(300):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lie)
            await keep_connected(
                transport,  # pyright: ignore[reportArgumentType] - only what redialling uses
                book,
                [],
                now_ms=lambda: 1,
                on_trouble=lambda sentence: None,
            )
    assert transport.met[0][0] - began[0] < 120


class Met(Unreachable):
    """A transport with ten peers and one more; of that one no dial succeeds."""

    def __init__(self) -> None:
        super().__init__()
        self.there = [new_identity(bytes([seed]) * 32).peer_id for seed in range(1, 12)]

    def peers(self) -> tuple[PeerId, ...]:
        return tuple(self.there)

    def addrs_of(self, peer: PeerId) -> tuple[str, ...]:
        return (f"/ip4/192.0.2.1/tcp/4001/p2p/{peer}",)


async def test_a_peer_that_was_there_is_missed_by_who_has_enough_others(
    autojump_clock: trio.testing.MockClock, tmp_path: Path
) -> None:
    """Or a swarm that was split in two would never be whole again."""
    transport, book = Met(), PeerBook(tmp_path / "peers.json")

    async def lose_one() -> None:
        await trio.sleep(30)
        assert transport.dialled == []
        transport.there.pop()

    with trio.move_on_after(7200):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lose_one)
            await keep_connected(
                transport,  # pyright: ignore[reportArgumentType] - only what redialling uses
                book,
                [],
                now_ms=lambda: 1,
                on_trouble=lambda sentence: None,
            )
    times = [at for at, _ in transport.dialled]
    assert max(after - before for before, after in pairwise([30, *times])) < 3 * MISSED_WAIT_S
    assert MISSED_FOR_S - 60 < times[-1] < MISSED_FOR_S + 60, "and then given up"

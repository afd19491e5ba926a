"""What ways of finding peers may write into the peer book, and what not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio
from trio.testing import MockClock

from gossip.discovery import (
    AT_ONCE,
    CAME,
    MAX_UNMET_PER_TELLER,
    MAX_UNMET_PER_WAY,
    Discovery,
    Heard,
    Named,
    Way,
    WayError,
)
from gossip.identity import new_identity
from gossip.peer_book import MAX_ADDRS, MAX_PEERS, PeerBook
from tests.gossip.waiting import until

OWN = new_identity(b"\x01" * 32).peer_id


def peer(number: int) -> str:
    return new_identity(number.to_bytes(32, "big")).peer_id


def at(of: str, port: int = 4001) -> str:
    return f"/ip4/192.0.2.1/tcp/{port}/p2p/{of}"


class Gossipy:
    """A way that hears more and more peers, as fast as it can."""

    name = "gossipy"

    async def run(self, heard: Heard) -> None:
        for number in range(2, 1000):
            heard(peer(number), [at(peer(number))])
            await trio.sleep(0.02)


class Broken:
    """A way that fails; it counts how often it was tried."""

    name = "broken"
    tries = 0

    async def run(self, heard: Heard) -> None:
        self.tries += 1
        await trio.lowlevel.checkpoint()
        raise WayError("it rains")


def discovery(tmp_path: Path, ways: Sequence[Way], told: list[str]) -> tuple[PeerBook, Discovery]:
    book = PeerBook(tmp_path / "peers.json")
    return book, Discovery(OWN, book, ways, on_trouble=told.append, uniform=lambda: 0.5)


async def test_a_way_that_hears_too_much_pushes_nobody_out(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    book, finding = discovery(tmp_path, [Gossipy(), Named("join", [at(peer(2000))])], [])
    for number in range(3000, 3000 + MAX_PEERS - MAX_UNMET_PER_WAY - 1):
        book.note(peer(number), (at(peer(number)),), now_ms=number)
    met = set(book.entries)
    await finding.run()
    assert met <= set(book.entries)
    assert len(book.unmet("gossipy")) == MAX_UNMET_PER_WAY
    assert book.unmet("join") == [peer(2000)]


async def test_a_way_is_heard_at_its_pace(autojump_clock: MockClock, tmp_path: Path) -> None:
    book, finding = discovery(tmp_path, [Gossipy()], [])
    for number in range(2, 500):
        finding.heard("gossipy", peer(number), [at(peer(number))])
    assert peer(1 + AT_ONCE) in book.entries
    assert peer(2 + AT_ONCE) not in book.entries
    assert len(book.entries) == MAX_UNMET_PER_WAY


async def test_a_teller_pushes_out_whom_he_told_of(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """His own oldest, and nobody of another, also when the other told of the same peer."""
    book, finding = discovery(tmp_path, [Gossipy()], [])
    finding.heard("gossipy", peer(2), [at(peer(2))], "liar")
    for number in (2, 3):
        finding.heard("gossipy", peer(number), [at(peer(number), 1)], "honest")
    for number in range(10, 10 + 2 * MAX_UNMET_PER_TELLER):
        finding.heard("gossipy", peer(2), [at(peer(2), number)], "liar")
        finding.heard("gossipy", peer(number), [at(peer(number))], "liar")
        await trio.sleep(1)
    assert len(book.unmet("gossipy")) == MAX_UNMET_PER_TELLER + 2
    assert {peer(2), peer(3)} <= set(book.entries)
    for teller in range(2, 20):
        for number in range(5):
            told = peer(100 * teller + number)
            finding.heard("gossipy", told, [at(told)], f"liar {teller}")
            await trio.sleep(1)
    assert len(book.unmet("gossipy")) == MAX_UNMET_PER_WAY
    assert {peer(2), peer(3)} <= set(book.entries)


async def test_hints_neither_replace_where_a_peer_was_met_nor_name_others(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    book, finding = discovery(tmp_path, [Gossipy()], [])
    met = tuple(at(peer(5), port) for port in range(1, 5))
    book.note(peer(5), met, now_ms=7)
    finding.heard("gossipy", peer(5), [at(peer(5), port) for port in range(100, 200)])
    finding.heard("gossipy", peer(6), [at(peer(7)), "junk", ""])
    finding.heard("gossipy", OWN, [at(OWN)])
    assert set(book.entries) == {peer(5)}
    assert book.entries[peer(5)].addrs[:4] == met
    assert len(book.entries[peer(5)].addrs) == MAX_ADDRS
    assert book.entries[peer(5)].seen_at_ms == 7


async def test_a_resolver_is_asked_for_a_person_and_for_nobody_else(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A name that a stranger tells of leads wherever he wants, and tells him who asks."""
    names = [f"/{kind}/evil.example/tcp/4001/p2p/{peer(5)}" for kind in ("dns", "dns4", "dns6")]
    invited = f"/dns4/lab.example/tcp/4001/p2p/{peer(6)}"
    book, finding = discovery(tmp_path, [Gossipy(), Named("invite", [invited])], [])
    finding.heard("gossipy", peer(5), names)
    assert book.entries == {}
    finding.heard("gossipy", peer(5), [*names, at(peer(5))])
    assert book.entries[peer(5)].addrs == (at(peer(5)),)
    finding.heard("gossipy", peer(6), [f"/dns4/evil.example/tcp/1/p2p/{peer(6)}", at(peer(6))])
    finding.heard("invite", peer(6), [invited])
    assert book.entries[peer(6)].addrs == (invited, at(peer(6)))


async def test_who_was_found_by_what_is_remembered(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    book, finding = discovery(tmp_path, [Named("invite", [at(peer(3)), "junk"])], [])
    await finding.run()
    for number in (3, 4):
        book.note(peer(number), (at(peer(number)),), now_ms=1)
    assert finding.found_by([peer(3), peer(4)]) == {peer(3): "invite", peer(4): CAME}


async def test_a_way_that_fails_is_told_once_and_tried_again(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    told, broken = list[str](), Broken()
    _, finding = discovery(tmp_path, [broken], told)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(finding.run)
        await until(lambda: broken.tries > 3, 600)
        nursery.cancel_scope.cancel()
    assert told == ["finding peers by broken: it rains"]

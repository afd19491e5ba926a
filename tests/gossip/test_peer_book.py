"""The peer book: bounded, strict, and never a reason not to start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossip.identity import new_identity
from gossip.peer_book import ADDED_ADDRS, MAX_ADDRS, MAX_PEERS, PERSONS_WAYS, PeerBook, load


def peer(number: int) -> str:
    return new_identity(number.to_bytes(32, "big")).peer_id


def address(number: int, port: int = 4001) -> str:
    return f"/ip4/192.0.2.1/tcp/{port}/p2p/{peer(number)}"


def test_it_comes_back_from_disk(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.json")
    book.note(peer(1), (address(1),), now_ms=10)
    book.note(peer(2), (address(2), address(2, 4002)), now_ms=20)
    book.save()
    again = load(tmp_path / "peers.json")
    assert [entry.peer for entry in again.latest_first()] == [peer(2), peer(1)]
    assert again.entries == book.entries


def test_addresses_of_somebody_else_or_of_nothing_are_not_kept(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.json")
    book.note(peer(1), (address(2), "junk", "/ip4/192.0.2.1/tcp/1"), now_ms=1)
    assert book.entries == {}
    book.note(peer(1), (address(1),), now_ms=2)
    book.note(peer(1), (), now_ms=3)
    assert book.entries[peer(1)].addrs == (address(1),)


def test_it_keeps_the_latest_peers_only(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.json")
    for number in range(MAX_PEERS + 5):
        book.note(peer(number), (address(number),), now_ms=number)
    assert len(book.entries) == MAX_PEERS
    assert peer(4) not in book.entries


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 99, "peers": {}}',
        b'{"version": 1, "peers": {"x": 3}}',
        b'{"version": 1, "peers": {"x": {"addrs": 1, "seen_at_ms": 2}}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_book_is_put_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "peers.json"
    path.write_bytes(content)
    assert load(path).entries == {}
    assert (tmp_path / "peers.json.damaged").read_bytes() == content


def test_entries_with_bad_addresses_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "peers.json"
    peers: dict[str, object] = {peer(1): {"addrs": [address(2)], "seen_at_ms": 1}}
    peers["x"] = {"addrs": list[str](), "seen_at_ms": 1}
    path.write_text(json.dumps({"version": 1, "peers": peers}))
    assert load(path).entries == {}
    assert path.exists()


@pytest.mark.parametrize("way", PERSONS_WAYS)
def test_what_a_person_named_keeps_its_addresses(tmp_path: Path, way: str) -> None:
    """Strangers add a few behind them, whoever came first, before and after it was met."""
    book = PeerBook(tmp_path / "peers.json")
    named = (address(1), address(1, 4002))
    book.hint(peer(1), (address(1, 1),), "dht")
    book.hint(peer(1), named, way)
    for port in range(5000, 5050):
        book.hint(peer(1), tuple(address(1, port + more) for more in range(8)), "dht")
    entry = book.entries[peer(1)]
    assert entry.addrs[:2] == named
    assert len(entry.addrs) == 2 + ADDED_ADDRS
    assert entry.way == way
    book.note(peer(1), (address(1, 7000),), now_ms=1)
    for port in range(5000, 5050):
        book.hint(peer(1), tuple(address(1, port + more) for more in range(8)), "dht")
    assert book.entries[peer(1)].addrs[0] == address(1, 7000)
    assert set(named) <= set(book.entries[peer(1)].addrs)


def test_what_a_person_named_keeps_its_addresses_on_disk(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.json")
    book.hint(peer(1), (address(1),), "invite")
    book.save()
    again = load(tmp_path / "peers.json")
    again.hint(peer(1), tuple(address(1, port) for port in range(1, 9)), "dht")
    assert again.entries[peer(1)].addrs[0] == address(1)


def test_two_strangers_who_disagree_are_both_heard(tmp_path: Path) -> None:
    book = PeerBook(tmp_path / "peers.json")
    book.hint(peer(1), (address(1),), "dht")
    book.hint(peer(1), tuple(address(1, port) for port in range(1, 4)), "rendezvous")
    assert book.entries[peer(1)].addrs == (*(address(1, port) for port in range(1, 4)), address(1))
    assert len(book.entries[peer(1)].addrs) <= MAX_ADDRS


def test_hearsay_strikes_out_nobody_that_a_person_named(tmp_path: Path) -> None:
    """Nor do those who were met: a book full of them keeps the invite."""
    book = PeerBook(tmp_path / "peers.json")
    book.hint(peer(1), (address(1),), "invite")
    for number in range(2, 222):
        book.note(peer(number), (address(number),), now_ms=1000 + number)
    for number in range(300, 348):
        book.hint(peer(number), (address(number),), "dht")
    for number in range(400, 400 + MAX_PEERS):
        book.note(peer(number), (address(number),), now_ms=3000 + number)
    assert peer(1) in book.entries
    assert len(book.entries) == MAX_PEERS
    assert book.unmet("dht") == []

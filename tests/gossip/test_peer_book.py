"""The peer book: bounded, strict, and never a reason not to start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gossip.identity import new_identity
from gossip.peer_book import MAX_PEERS, PeerBook, load


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

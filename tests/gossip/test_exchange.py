"""Peers tell each other whom they have met, and no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gossip.exchange import ADDRS_TOLD, LATELY_MS, TOLD, Exchange, read_answer
from gossip.identity import new_identity
from gossip.libp2p_transport import open_libp2p_transport
from gossip.peer_book import PeerBook
from gossip.transport import CallError, QuestionError
from swarm.canonical import pack
from tests.gossip.waiting import noted, until

TOPIC = "/exchange"
LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
NOW_MS = 10 * LATELY_MS


def peer(number: int) -> str:
    return new_identity(number.to_bytes(32, "big")).peer_id


def at(of: str, port: int = 4001) -> str:
    return f"/ip4/192.0.2.1/tcp/{port}/p2p/{of}"


async def test_a_newcomer_hears_of_those_whom_its_first_peer_has_met(tmp_path: Path) -> None:
    """Over real connections; what the first peer only heard of is not passed on."""
    heard = dict[str, Sequence[str]]()
    book, empty = PeerBook(tmp_path / "1"), PeerBook(tmp_path / "2")
    book.note(peer(1), tuple(at(peer(1), port) for port in range(1, 9)), NOW_MS - 5)
    book.note(peer(2), (at(peer(2)),), NOW_MS - LATELY_MS - 5)
    book.hint(peer(3), (at(peer(3)),), "peer exchange")
    async with (
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as first,
        open_libp2p_transport(new_identity(), TOPIC, LOOPBACK) as newcomer,
        trio.open_nursery() as nursery,
    ):
        desk = Exchange(first, book, lambda: NOW_MS)
        nursery.start_soon(Exchange(newcomer, empty, lambda: NOW_MS).run, noted(heard))
        await newcomer.dial(first.listen_addrs[0])
        await until(lambda: bool(heard), 60)
        with pytest.raises(QuestionError, match="again and again"):
            await desk.answer(newcomer.peer_id, b"")
        nursery.cancel_scope.cancel()
    assert len(heard[peer(1)]) == ADDRS_TOLD
    assert set(heard) == {peer(1)}
    assert empty.entries[first.peer_id].way == "", "it is here, and was not found by a way"


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text(), st.lists).map(pack))
def test_any_answer_is_read_or_refused(answer: bytes) -> None:
    try:
        found = read_answer(answer)
    except CallError:
        return
    assert len(found) <= TOLD + 1


def test_a_long_answer_is_read_in_part() -> None:
    rows = [(peer(n), [at(peer(n), port) for port in range(1, 11)]) for n in range(40)]
    found = read_answer(pack(rows))
    assert len(found) == TOLD + 1
    assert {len(addrs) for addrs in found.values()} == {ADDRS_TOLD}


def test_nobody_is_told_at_an_address_of_somebody_else() -> None:
    assert read_answer(pack([(peer(1), [at(peer(2)), "junk", 3])])) == {}

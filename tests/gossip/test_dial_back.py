"""Peers that dial back: over real connections, and against those who would misuse them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gossip.calls import read_frame, write_frame
from gossip.dial_back import (
    MAX_BYTES,
    MAX_PORTS,
    PER_ADDRESS,
    PER_ADDRESS_S,
    DialBackDesk,
    Outcome,
    Seen,
    ask,
)
from gossip.identity import new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport, wall_clock_ms
from gossip.multiaddress import parse
from gossip.transport import CallError
from swarm.canonical import pack, unpack

TOPIC = "/research-swarm/1/dial-back"
AHEAD_MS = 3_600_000
KEY = "ab" * 32


@asynccontextmanager
async def node(
    ip: str = "127.0.0.1", ahead_ms: int = 0, key: str | None = None
) -> AsyncGenerator[Libp2pTransport]:
    async with open_libp2p_transport(
        new_identity(),
        TOPIC,
        [f"/ip4/{ip}/tcp/0"],
        pre_shared_key=key,
        now_ms=lambda: wall_clock_ms() + ahead_ms,
    ) as transport:
        yield transport


def port_of(transport: Libp2pTransport) -> int:
    return parse(transport.listen_addrs[0]).port


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_peer_says_whether_it_gets_through_and_what_time_it_is(key: str | None) -> None:
    """One listens where it is seen; the other at an address that nobody sees it at."""
    async with node(key=key) as open_one, node("127.0.0.2", AHEAD_MS, key) as hidden:
        await hidden.dial(open_one.listen_addrs[0])
        seen = await open_one.dial_back(hidden.peer_id)
        assert seen.ports == {port_of(open_one): "reached"}
        assert abs(seen.clock.ahead_ms - AHEAD_MS) <= seen.clock.error_ms + 50
        seen = await hidden.dial_back(open_one.peer_id)
        assert seen.ip == "127.0.0.1" and seen.ports == {port_of(hidden): "refused"}
        assert abs(seen.clock.ahead_ms + AHEAD_MS) <= seen.clock.error_ms + 50
        await trio.sleep(0.1)
        assert open_one.peers() == (hidden.peer_id,), "a check is no connection and ends none"
        assert hidden.peers() == (open_one.peer_id,)
        with pytest.raises(CallError):
            await hidden.dial_back(open_one.peer_id)


async def greet(stream: trio.SocketStream) -> None:
    """What a program of another kind does with a connection."""
    await stream.send_all(b"SSH-2.0-OpenSSH_9.2\r\n")
    await stream.aclose()


async def test_somebody_else_at_the_port_is_not_the_asker(nursery: trio.Nursery) -> None:
    """Another program listens where the asker is seen, at the port the asker names."""
    async with node() as asked, node("127.0.0.3") as asker:
        serve = partial(trio.serve_tcp, greet, port_of(asker), host="127.0.0.1")
        await nursery.start(serve)
        await asker.dial(asked.listen_addrs[0])
        seen = await asker.dial_back(asked.peer_id)
        assert seen.ports == {port_of(asker): "stranger"}
    nursery.cancel_scope.cancel()


class Pipe:
    """One end of a stream in memory."""

    def __init__(self, end: trio.abc.HalfCloseableStream):
        self._end = end
        self.was_reset = False

    async def read(self, n: int | None = None) -> bytes:
        return bytes(await self._end.receive_some(n))

    async def write(self, data: bytes) -> None:
        await self._end.send_all(data)

    async def close(self) -> None:
        await self._end.send_eof()

    async def reset(self) -> None:
        self.was_reset = True
        await self._end.aclose()


def pipe() -> tuple[Pipe, Pipe]:
    ours, theirs = trio.testing.memory_stream_pair()
    return Pipe(ours), Pipe(theirs)


class Dialler:
    """Stands for the network that is dialled, and remembers what was."""

    def __init__(self, outcome: Outcome = "reached") -> None:
        self.dialled = list[tuple[str, int]]()
        self._outcome: Outcome = outcome

    async def __call__(self, ip: str, port: int) -> Outcome:
        self.dialled.append((ip, port))
        return self._outcome


async def answered(
    desk: DialBackDesk,
    question: bytes,
    peer: str = "ann",
    seen_at: tuple[str, int] | None = ("192.0.2.7", 5),
    reach: Dialler | None = None,
) -> bytes | None:
    """The desk's answer to a question, or None where it hangs up."""
    ours, theirs = pipe()
    await write_frame(ours, question)
    await desk.answer(theirs, peer, seen_at, reach or Dialler())
    return None if theirs.was_reset else await read_frame(ours, MAX_BYTES)


def desk() -> DialBackDesk:
    return DialBackDesk(lambda: 1000)


async def test_only_the_address_that_the_question_comes_from_is_dialled() -> None:
    """Whatever else a question names: nobody can be turned on a third machine."""
    reach = Dialler()
    question = pack({"ports": (4001,), "ip": "203.0.113.9", "addrs": ("/ip4/203.0.113.9/tcp/1",)})
    answer = await answered(desk(), question, reach=reach)
    assert reach.dialled == [("192.0.2.7", 4001)]
    assert answer is not None
    said = unpack(answer, max_bytes=MAX_BYTES)
    assert said == {
        "ip": "192.0.2.7", "port": 5, "ports": ((4001, "reached"),),
        "received_ms": 1000, "answered_ms": 1000,
    }  # fmt: skip


@pytest.mark.parametrize(
    "question",
    [
        b"", b"\xc1", pack(7), pack({}), pack({"ports": 4001}), pack({"ports": (0,)}),
        pack({"ports": (65536,)}), pack({"ports": (True,)}), pack({"ports": ("ssh",)}),
        pack({"ports": (1, 1)}), pack({"ports": tuple(range(1, MAX_PORTS + 2))}),
    ],
)  # fmt: skip
async def test_a_question_that_is_none_dials_nobody(question: bytes) -> None:
    reach = Dialler()
    assert await answered(desk(), question, reach=reach) is None
    assert not reach.dialled


async def test_who_asks_through_a_relay_is_not_answered() -> None:
    """The relay's address is not the asker's."""
    reach = Dialler()
    assert await answered(desk(), pack({"ports": (1,)}), seen_at=None, reach=reach) is None
    assert not reach.dialled


async def test_questions_are_rare_for_each_peer_and_address(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Identities are free, so an address has an allowance of its own."""
    one, question = desk(), pack({"ports": (1,)})
    assert await answered(one, question, "ann") is not None
    assert await answered(one, question, "ann") is None
    told = [await answered(one, question, f"sybil{n}") for n in range(2 * PER_ADDRESS)]
    assert sum(answer is not None for answer in told) == PER_ADDRESS - 1
    assert await answered(one, question, "bob", ("192.0.2.8", 5)) is not None
    await trio.sleep(PER_ADDRESS_S + 1)
    assert await answered(one, question, "ann") is not None


async def heard(answer: bytes) -> Seen:
    """What an asker makes of an answer."""
    ours, theirs = pipe()
    await write_frame(theirs, answer)
    return await ask(ours, [4001], lambda: 1000)


GOOD = {
    "ip": "192.0.2.7", "port": 5, "ports": ((4001, "reached"),),
    "received_ms": 1000, "answered_ms": 1000,
}  # fmt: skip


async def test_an_answer_tells_of_the_ports_that_were_asked_about() -> None:
    """A peer that tells of others is not heard on them."""
    assert (await heard(pack(GOOD))).ports == {4001: "reached"}
    assert not (await heard(pack({**GOOD, "ports": ((4002, "reached"),)}))).ports


@pytest.mark.parametrize(
    "change",
    [
        {"ip": "evil\x1b[2J"}, {"ip": 7}, {"port": 0}, {"ports": ((4001, "fine"),)},
        {"ports": ((),)}, {"ports": 5}, {"received_ms": -1}, {"answered_ms": 1 << 60},
        {"answered_ms": None},
    ],
)  # fmt: skip
async def test_an_answer_that_is_none_is_a_failed_call(change: dict[str, object]) -> None:
    with pytest.raises(CallError):
        await heard(pack({**GOOD, **change}))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_a_failed_call(data: bytes) -> None:
    async def hear() -> None:
        try:
            await heard(data)
        except CallError:
            return

    trio.run(hear)

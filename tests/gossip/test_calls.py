"""Calls: framed, bounded in size, time and number."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from gossip.calls import ANSWER_S, AT_ONCE, PER_PEER, Desk, FrameError, ask, read_frame
from gossip.sync_messages import SyncError
from gossip.transport import MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES, PeerId


class Wire:
    """One end of a byte stream in memory."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.was_reset = False

    async def read(self, n: int | None = None) -> bytes:
        return bytes(await self.stream.receive_some(n))

    async def write(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def close(self) -> None:
        await self.stream.aclose()

    async def reset(self) -> None:
        self.was_reset = True
        await trio.aclose_forcefully(self.stream)


def wires() -> tuple[Wire, Wire]:
    one, other = trio.testing.memory_stream_pair()
    return Wire(one), Wire(other)


async def echo(peer: PeerId, request: bytes) -> bytes:
    return peer.encode() + b":" + request


async def sleep(peer: PeerId, request: bytes) -> bytes:
    await trio.sleep_forever()
    return b""


async def test_an_answer_comes_back() -> None:
    desk, (mine, theirs) = Desk(), wires()
    desk.responder = echo
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.answer, theirs, "caller")
        assert await ask(mine, b"hello") == b"caller:hello"


@pytest.mark.parametrize(
    ("sent", "blamed"),
    [
        (b"", False),
        (b"\x00\x00", False),
        (b"\x00\x00\x00\x05four", False),
        ((MAX_REQUEST_BYTES + 1).to_bytes(4, "big"), True),
        (b"\xff\xff\xff\xff" + bytes(1000), True),
    ],
)
async def test_what_is_no_frame_gets_no_answer(sent: bytes, blamed: bool) -> None:
    """Its sender is to blame if it is too long; whoever is cut off is not."""
    desk, (mine, theirs) = Desk(), wires()
    desk.responder = echo
    await mine.write(sent)
    await mine.close()
    assert await desk.answer(theirs, "caller") is not blamed
    assert theirs.was_reset


@pytest.mark.parametrize(
    ("error", "blamed"), [(SyncError("no question"), True), (OSError("disk full"), False)]
)
async def test_who_asks_is_to_blame_for_the_question_only(error: Exception, blamed: bool) -> None:
    async def fail(peer: PeerId, request: bytes) -> bytes:
        raise error

    desk, (mine, theirs) = Desk(), wires()
    desk.responder = fail
    await mine.write(b"\x00\x00\x00\x01?")
    assert await desk.answer(theirs, "caller") is not blamed
    assert theirs.was_reset


async def test_an_answer_that_is_too_long_is_not_read() -> None:
    mine, theirs = wires()
    await theirs.write((MAX_RESPONSE_BYTES + 1).to_bytes(4, "big"))
    with pytest.raises(FrameError, match="at most"):
        await read_frame(mine, MAX_RESPONSE_BYTES)


async def test_a_caller_that_says_nothing_is_cut_off(
    autojump_clock: trio.testing.MockClock,
) -> None:
    desk, (_, theirs) = Desk(), wires()
    desk.responder = echo
    with trio.fail_after(ANSWER_S + 1):
        await desk.answer(theirs, "silent")
    assert theirs.was_reset


async def test_calls_of_one_peer_beyond_its_limit_are_refused(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """And nobody else's are, however many answers are being worked out."""
    desk = Desk()
    desk.responder = sleep
    streams = list[Wire]()
    async with trio.open_nursery() as nursery:
        for number in range(AT_ONCE + 8):
            mine, theirs = wires()
            streams.append(theirs)
            await mine.write(b"\x00\x00\x00\x01?")
            nursery.start_soon(desk.answer, theirs, f"peer {number // (PER_PEER + 2)}")
        await trio.testing.wait_all_tasks_blocked()
        for first in range(0, AT_ONCE + 8, PER_PEER + 2):
            refused = [stream.was_reset for stream in streams[first : first + PER_PEER + 2]]
            assert refused.count(False) == PER_PEER
    mine, theirs = wires()
    desk.responder = echo
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.answer, theirs, "peer 0")
        assert await ask(mine, b"again") == b"peer 0:again"


async def test_who_never_asks_holds_nobody_up(autojump_clock: trio.testing.MockClock) -> None:
    """Forty peers open streams and say nothing; the next one is answered at once."""
    desk = Desk()
    desk.responder = echo
    async with trio.open_nursery() as nursery:
        silent = [wires() for _ in range(4 * 40)]
        for number, (_, theirs) in enumerate(silent):
            nursery.start_soon(desk.answer, theirs, f"silent {number // PER_PEER}")
        await trio.testing.wait_all_tasks_blocked()
        mine, theirs = wires()
        nursery.start_soon(desk.answer, theirs, "honest")
        with trio.fail_after(1):
            assert await ask(mine, b"now") == b"honest:now"

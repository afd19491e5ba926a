"""
One question and one answer on a stream.

A frame is its length in four bytes, big-endian, and then its bytes. Streams of
py-libp2p have no deadlines and no limits of their own, so both are here: who
announces more than allowed, or takes longer, is cut off.

Law: at most `AT_ONCE` answers are worked out at a time; a peer has at most `PER_PEER`
calls here, and more are refused. Who is slow to ask or to read holds nobody else up.
Who asks what no honest peer does is told on.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import Protocol

import trio

from gossip.transport import (
    MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES,
    CallError,
    PeerId,
    QuestionError,
    Responder,
)

_log = logging.getLogger(__name__)

AT_ONCE = 16
PER_PEER = 4
ASK_S = 10.0
ANSWER_S = 20.0
_LENGTH_BYTES = 4


class FrameError(Exception):
    """The other side sent no frame that we accept."""


class TooLongError(FrameError):
    """The other side announced more than any frame holds."""


class Readable(Protocol):
    """Something that gives bytes; an empty read is its end."""

    async def read(self, n: int | None = None) -> bytes:
        """Up to ``n`` bytes."""
        ...


class Duplex(Readable, Protocol):
    """A byte stream both ways."""

    async def write(self, data: bytes) -> None:
        """Send all of ``data``."""
        ...

    async def close(self) -> None:
        """End our side in good order."""
        ...

    async def reset(self) -> None:
        """Abandon both sides."""
        ...


async def write_frame(stream: Duplex, data: bytes) -> None:
    """Send one frame."""
    await stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)


async def read_frame(stream: Readable, most_bytes: int) -> bytes:
    """
    Read one frame.

    Raises:
        FrameError: It is longer than ``most_bytes``, or the stream ended first.
    """
    size = int.from_bytes(await _exactly(stream, _LENGTH_BYTES), "big")
    if size > most_bytes:
        raise TooLongError(f"a frame of {size} bytes, at most {most_bytes} allowed")
    return await _exactly(stream, size)


async def _exactly(stream: Readable, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = await stream.read(size - len(data))
        if not piece:
            raise FrameError(f"the stream ended after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


async def ask(stream: Duplex, request: bytes) -> bytes:
    """Send a request and read its answer; the deadline is the caller's."""
    await write_frame(stream, request)
    return await read_frame(stream, MAX_RESPONSE_BYTES)


class Desk:
    """Answers the calls of all peers, a bounded number at a time."""

    def __init__(self) -> None:
        self.responder: Responder | None = None
        self._busy: Counter[PeerId] = Counter()
        self._at_work = trio.CapacityLimiter(AT_ONCE)

    async def answer(self, stream: Duplex, peer: PeerId) -> bool:
        """
        Answer one call within `ANSWER_S`, or reset its stream.

        A responder that fails costs this call and is logged.

        Returns:
            Whether an honest peer may have asked that.
        """
        if self._busy[peer] >= PER_PEER:
            await stream.reset()
            return True
        self._busy[peer] += 1
        fair = True
        try:
            with trio.move_on_after(ANSWER_S) as deadline:
                fair = await self._answer(stream, peer)
            if deadline.cancelled_caught:
                await stream.reset()
        finally:
            self._busy[peer] -= 1
            if not self._busy[peer]:
                del self._busy[peer]
        return fair

    async def _answer(self, stream: Duplex, peer: PeerId) -> bool:
        try:
            with trio.fail_after(ASK_S):
                request = await read_frame(stream, MAX_REQUEST_BYTES)
            if self.responder is None:
                raise CallError("nobody answers calls here yet")
            async with self._at_work:
                answer = await self.responder(peer, request)
            await write_frame(stream, answer)
            await stream.close()
        except Exception as error:  # noqa: BLE001 - the containment point for one call
            _log.info("a call from %s failed: %r", peer, error)
            await stream.reset()
            return not isinstance(error, TooLongError | QuestionError)
        return True

"""
Giving a topic's task to members who lack it, and getting it from one.

Law: bounded both ways, in pieces that fit a call; what is got is bytes that prove
nothing until `swarm.task_package` has found the promised task id in them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import trio

from gossip.desks import TASK
from gossip.sealed_transport import SealedTransport
from gossip.transport import CallError, PeerId
from swarm.canonical import CanonicalError, pack, unpack
from swarm.task_package import MAX_PACKAGE_BYTES

PIECE_BYTES = 1024 * 1024
CALL_S = 30.0
_MAX_QUESTION_BYTES = 64


class TaskDesk:
    """
    Answers members who ask for the task; give its `answer` to ``serve``.

    Args:
        package: Reads the task from disk; called once, in a thread, when first asked.
    """

    def __init__(self, package: Callable[[], bytes]) -> None:
        self._read = package
        self._package: bytes | None = None

    async def answer(self, peer: PeerId, request: bytes) -> bytes:
        """
        One piece of the package, and how long the whole is.

        Raises:
            CanonicalError, CallError: The question is not one.
        """
        start = _number(unpack(request, max_bytes=_MAX_QUESTION_BYTES), "from")
        if self._package is None:
            self._package = await trio.to_thread.run_sync(self._read)
        piece = self._package[start : start + PIECE_BYTES]
        return pack({"bytes": len(self._package), "piece": piece})


async def fetch_package(transport: SealedTransport, peer: PeerId) -> bytes:
    """
    The package that a member has of the topic's task.

    Raises:
        CallError: It gave none, or something else.
    """
    data = bytearray()
    while True:
        request = pack({"from": len(data)})
        answer = await transport.call(peer, request, CALL_S, TASK)
        try:
            found = unpack(answer, max_bytes=2 * PIECE_BYTES)
        except CanonicalError as error:
            raise CallError(f"{peer} sent no piece of a task") from error
        size, piece = _number(found, "bytes"), _fields(found).get("piece")
        if size > MAX_PACKAGE_BYTES or not isinstance(piece, bytes):
            raise CallError(f"{peer} sent no task of at most {MAX_PACKAGE_BYTES} bytes")
        data += piece
        if len(data) == size:
            return bytes(data)
        if len(data) > size or not piece:
            raise CallError(f"{peer} sent pieces that make no whole")


def _fields(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _number(value: object, name: str) -> int:
    number = _fields(value).get(name)
    if type(number) is not int or number < 0:
        raise CallError(f"no {name} in what a peer said about a task")
    return number

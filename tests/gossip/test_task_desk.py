"""A task comes in pieces, and a liar's pieces end."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trio

from gossip.desks import TASK
from gossip.memory_transport import MemoryNetwork
from gossip.sealed import Seal
from gossip.sealed_transport import SealedTransport, open_sealed_transport
from gossip.task_desk import PIECE_BYTES, TaskDesk, fetch_package
from gossip.transport import CallError, PeerId
from swarm.canonical import pack
from swarm.task_package import MAX_PACKAGE_BYTES
from swarm.topic import TopicKey

SEAL = Seal(TopicKey(bytes(16), 1, bytes(32)))


@asynccontextmanager
async def two() -> AsyncGenerator[tuple[SealedTransport, SealedTransport]]:
    network = MemoryNetwork(delay_s=0.001)
    async with (
        network.open("a", "t") as one,
        network.open("b", "t") as other,
        open_sealed_transport(one, SEAL) as a,
        open_sealed_transport(other, SEAL) as b,
    ):
        network.link("a", "b")
        yield a, b


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 7])
async def test_a_package_arrives_whole_and_is_read_once(size: int) -> None:
    reads: list[int] = []

    def package() -> bytes:
        reads.append(1)
        return bytes(index % 251 for index in range(size))

    async with two() as (a, b):
        b.serve(TaskDesk(package).answer, TASK)
        with trio.fail_after(60):
            got = [await fetch_package(a, "b") for _ in range(2)]
    assert got == [package()] * 2
    assert len(reads) == 2, "once for the desk, once for this comparison"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xc1",
        pack([]),
        pack({"bytes": MAX_PACKAGE_BYTES + 1, "piece": b"x"}),
        pack({"bytes": -1, "piece": b"x"}),
        pack({"bytes": True, "piece": b"x"}),
        pack({"bytes": 10, "piece": "text"}),
        pack({"bytes": 10, "piece": b""}),
        pack({"bytes": 10, "piece": b"longer than said"}),
    ],
)
async def test_what_is_no_piece_ends_it(answer: bytes) -> None:
    async def lie(peer: PeerId, request: bytes) -> bytes:
        return answer

    async with two() as (a, b):
        b.serve(lie, TASK)
        with trio.fail_after(60), pytest.raises(CallError):
            await fetch_package(a, "b")


@pytest.mark.parametrize("question", [b"", b"\xc1", pack({"from": -1}), pack({"from": "0"})])
async def test_a_question_that_is_none_costs_its_call(question: bytes) -> None:
    async with two() as (a, b):
        b.serve(TaskDesk(lambda: b"package").answer, TASK)
        with trio.fail_after(60):
            with pytest.raises(CallError):
                await a.call("b", question, desk=TASK)
            assert await fetch_package(a, "b") == b"package"


async def test_nobody_at_a_desk_is_said() -> None:
    async with two() as (a, b):
        with trio.fail_after(60), pytest.raises(CallError):
            await fetch_package(a, "b")
        assert b.peer_id == "b"

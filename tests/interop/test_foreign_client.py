"""
A js-libp2p peer, written from docs/protocol.md with standard libraries, is a peer like any.

It hears our record and verifies envelope, author and id; what it says we accept; what it
tampers with we refuse. Our side is a transport with the verdict and the sync of a node.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any, cast

import pytest
import trio

from gossip.identity import new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.outbox import Outbox
from gossip.ranges import Index
from gossip.sync import Sync
from gossip.transport import PeerId
from swarm.records import Win
from swarm.validation import Invalid, validate
from tests.interop.js import INTEROP, ensure_installed, why_not
from tests.swarm.record_samples import ANN, SCOPE, WIN

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
PATIENCE_S = 90.0
BURST = 40


@pytest.fixture(scope="session", autouse=True)
def js() -> None:
    """The packages of the lock file; a machine without node, npm or network skips these."""
    if reason := why_not() or ensure_installed():
        pytest.skip(reason)


class Client:
    """The foreign client: a process that answers commands."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._lines = b""

    async def answer(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        while b"\n" not in self._lines:
            piece = await self._process.stdout.receive_some()
            assert piece, "the client ended"
            self._lines += piece
        line, self._lines = self._lines.split(b"\n", 1)
        return cast("dict[str, Any]", json.loads(line))

    async def __call__(self, name: str, **arguments: object) -> dict[str, Any]:
        assert self._process.stdin is not None
        command = json.dumps({"do": name, **arguments}) + "\n"
        await self._process.stdin.send_all(command.encode())
        return await self.answer()


@asynccontextmanager
async def client() -> AsyncGenerator[tuple[Client, PeerId]]:
    command = [str(shutil.which("node")), "client.js", SCOPE.topic, SCOPE.task]
    async with trio.open_nursery() as nursery:
        start = partial(
            trio.run_process,
            command,
            cwd=INTEROP,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            check=False,
        )
        process = cast(trio.Process, await nursery.start(start))
        foreign = Client(process)
        with trio.fail_after(PATIENCE_S):
            author = str((await foreign.answer())["author"])
        yield foreign, author
        process.kill()
        nursery.cancel_scope.cancel()


def verdict(data: bytes) -> bool:
    """A node's own: whether gossip may pass a message on."""
    try:
        validate(data, SCOPE)
    except Invalid:
        return False
    return True


@asynccontextmanager
async def meshed(foreign: Client, outbox: Outbox | None = None) -> AsyncGenerator[Libp2pTransport]:
    """Our side, in the same mesh."""
    async with open_libp2p_transport(
        new_identity(), SCOPE.topic, (LOOPBACK,), verdict=verdict, outbox=outbox
    ) as transport:
        await foreign("dial", addr=transport.listen_addrs[0])
        with trio.fail_after(PATIENCE_S):
            while not (await foreign("meshed"))["subscribers"]:  # noqa: ASYNC110 - a process
                await trio.sleep(0.1)
        yield transport


def ours(number: int) -> bytes:
    return ANN.seal(replace(WIN, created_at_ms=WIN.created_at_ms + number))


async def test_it_hears_our_record_and_verifies_it() -> None:
    async with client() as (foreign, _), meshed(foreign) as transport:
        sent: list[bytes] = []
        heard: list[dict[str, Any]] = []
        with trio.fail_after(PATIENCE_S):
            while not heard:
                sent.append(ours(len(sent)))
                await transport.publish(sent[-1])
                await trio.sleep(0.3)
                heard = (await foreign("heard"))["heard"]
        known = {validate(data, SCOPE).id for data in sent}
        for record in heard:
            assert record["id"] in known
            assert record["author"] == record["key"] == ANN.peer_id
            assert record["type"] == "/research-swarm/record"
            assert record["canonical"] is True
            assert record["record"]["title"] == WIN.title
            assert record["record"]["pairs"] == [list(pair) for pair in WIN.pairs]


async def test_a_burst_that_shares_frames_arrives_whole_both_ways() -> None:
    """What waits for a peer leaves together, several messages in one write."""
    async with (
        client() as (foreign, _),
        meshed(foreign, Outbox(per_second=1000, burst=BURST)) as transport,
    ):
        heard, got, numbers = set[str](), set[str](), count()
        with trio.fail_after(PATIENCE_S):
            sent = set[str]()
            while not sent or not sent <= heard:
                envelopes = [ours(next(numbers)) for _ in range(BURST)]
                sent = {validate(data, SCOPE).id for data in envelopes}
                for data in envelopes:
                    await transport.publish(data)
                await trio.sleep(1)
                heard = {row.get("id", "") for row in (await foreign("heard"))["heard"]}
            while not sent or not sent <= got:
                sent = {
                    (await foreign("publish", change={"title": str(next(numbers))}))["id"]
                    for _ in range(BURST)
                }
                with trio.move_on_after(2):
                    async for message in transport.received():
                        got.add(validate(message.data, SCOPE).id)
                        if sent <= got:
                            break


async def test_it_opens_every_test_vector() -> None:
    """With standard libraries: the same ids, authors and canonical bytes."""
    rows = json.loads((INTEROP.parent.parent / "docs" / "protocol-vectors.json").read_text())
    async with client() as (foreign, _):
        with trio.fail_after(PATIENCE_S):
            for row in rows["records"]:
                found = await foreign("vector", envelope=row["envelope"])
                assert (found["id"], found["key"]) == (row["id"], row["author"])
                assert found["canonical"] is True


async def test_its_record_is_accepted_and_what_it_tampers_with_is_refused() -> None:
    async with client() as (foreign, author), meshed(foreign) as transport:
        refused: list[str] = []
        got: dict[str, Win] = {}
        with trio.fail_after(PATIENCE_S):
            while len(got) < 2:
                for tamper in ("payload", "signature"):
                    refused.append((await foreign("publish", tamper=tamper))["id"])
                stranger = {"author": ANN.peer_id}
                refused.append((await foreign("publish", change=stranger))["id"])
                refused.append((await foreign("publish", change={"topic": "another"}))["id"])
                sent = (await foreign("publish"))["id"]
                with trio.move_on_after(0.5):
                    async for message in transport.received():
                        valid = validate(message.data, SCOPE)
                        assert message.sender == author
                        assert isinstance(valid.record, Win)
                        got[valid.id] = valid.record
                        if valid.id == sent:
                            break
        assert not got.keys() & set(refused)
        for record in got.values():
            assert (record.author, record.title) == (author, "A record made by js-libp2p")


class Shelf:
    """A store of some envelopes, all of them wins."""

    def __init__(self, envelopes: Sequence[bytes]) -> None:
        self._by_id = {validate(data, SCOPE).id: data for data in envelopes}

    async def index(self, kind: str) -> Index:
        return Index().with_ids(self._by_id if kind == "win" else ())

    async def get_many(self, ids: Sequence[str], most_bytes: int) -> Sequence[bytes | None]:
        return [self._by_id.get(record) for record in ids]

    async def accept(self, envelopes: Sequence[bytes], sender: PeerId) -> int:
        return 0


async def test_it_syncs_what_we_hold() -> None:
    """It checks the fingerprint, the keys and every record."""
    held = [ours(number) for number in range(5)]
    async with client() as (foreign, _), meshed(foreign) as transport:
        shelf = Shelf(held)
        sync = Sync(transport, shelf, shelf.accept, scope=f"{SCOPE.topic}#1", kinds=("win",))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sync.run)
            await trio.sleep(0.1)
            with trio.fail_after(PATIENCE_S):
                found = await foreign("sync", addr=transport.listen_addrs[0], kind="win")
            nursery.cancel_scope.cancel()
        assert found["count"] == found["considered"] == len(held)
        assert found["fingerprint_holds"] and found["keys_hold"]
        assert {record["id"] for record in found["records"]} == {
            validate(data, SCOPE).id for data in held
        }

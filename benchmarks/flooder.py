"""
A peer that sends all it can: for `benchmarks.bench_flood`.

Run as ``python -m benchmarks.flooder ADDR…``: until it is ended it floods each of these
nodes in seven ways at once, comes back under a new key whenever it is thrown out, and
prints now and then how much it has sent.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio
from libp2p.abc import IHost
from libp2p.utils.varint import encode_varint_prefixed

from benchmarks.many_records import Author
from experiments.task_folder import load_task
from gossip.libp2p_host import CALL_PROTOCOL
from gossip.multiaddress import parse
from swarm.records import Trials
from tests.gossip.stock import attacker, connect, gossip_stream, open_stream, rpc, signed
from tests.processes import TOY
from tests.swarm.record_samples import TRIALS

TASK = load_task(TOY).task
SYBILS = 1_000_000
AT_ONCE = 16
"""Messages in one RPC."""

sent: Counter[str] = Counter()
_numbers = itertools.count()


def a_record(author: Author) -> bytes:
    """A valid record that nobody has seen."""
    record: Trials = replace(
        TRIALS,
        author=author.peer_id,
        topic=TASK.topic,
        task=TASK.id,
        created_at_ms=time.time_ns() // 1_000_000,
        trials=(replace(TRIALS.trials[0], milliseconds=next(_numbers)),),
    )
    return author.stored(record).envelope


async def gossip(host: IHost, addr: str, name: str, make: Callable[[], bytes]) -> None:
    """Send messages that are correctly signed as such, whatever is in them."""
    stream = await gossip_stream(host, addr)
    while True:
        batch = [signed(host, make(), next(_numbers), (TASK.topic,)) for _ in range(AT_ONCE)]
        await stream.write(rpc(*batch))
        sent[name] += AT_ONCE


async def junk(host: IHost, addr: str) -> None:
    """Messages that hold no record."""
    await gossip(host, addr, "junk_messages", lambda: os.urandom(600))


async def one_voice(host: IHost, addr: str) -> None:
    """Valid records, far too many, all of one author."""
    eve = Author(SYBILS + int.from_bytes(os.urandom(4), "big"))
    await gossip(host, addr, "records_of_one_author", lambda: a_record(eve))


async def sybils(host: IHost, addr: str) -> None:
    """Valid records, each of another author."""
    await gossip(host, addr, "records_of_sybils", lambda: a_record(Author(SYBILS + next(_numbers))))


async def garbage(host: IHost, addr: str) -> None:
    """RPCs that cannot be read."""
    stream = await gossip_stream(host, addr)
    while True:
        await stream.write(encode_varint_prefixed(os.urandom(2000)))
        sent["garbage_rpcs"] += 1


async def streams(host: IHost, addr: str) -> None:
    """Streams that are opened and left."""
    peer, held = await connect(host, addr), list[object]()
    while True:
        with trio.move_on_after(2):
            held.append(await open_stream(host, peer, CALL_PROTOCOL))
            sent["streams"] += 1


async def calls(host: IHost, addr: str) -> None:
    """Questions to sync, one after another, that are none."""
    peer = await connect(host, addr)
    while True:
        stream = await open_stream(host, peer, CALL_PROTOCOL)
        await stream.write(b"\x00\x00\x10\x00" + os.urandom(4096))
        sent["calls"] += 1


async def connections(host: IHost, addr: str) -> None:
    """Sockets that are opened and left, again and again."""
    address, held = parse(addr), list[trio.SocketStream]()
    while True:
        held.append(await trio.open_tcp_stream(address.host, address.port))
        sent["connections"] += 1
        if len(held) > 200:
            await held.pop(0).aclose()
        await trio.sleep(0.01)


WAYS: tuple[Callable[[IHost, str], Awaitable[None]], ...] = (
    junk,
    one_voice,
    sybils,
    garbage,
    streams,
    calls,
    connections,
)


async def again_and_again(way: Callable[[IHost, str], Awaitable[None]], addr: str) -> None:
    """Flood a node in one way; thrown out, come back as somebody else."""
    while True:
        try:
            async with attacker() as host:
                await way(host, addr)
        except Exception:  # noqa: BLE001 - however it is thrown out
            sent["thrown_out"] += 1
        await trio.sleep(0.05)


async def main(addrs: list[str]) -> None:
    """Flood until ended."""
    wanted = os.environ.get("FLOOD_WAYS", "").split()
    ways = [way for way in WAYS if not wanted or way.__name__ in wanted]
    async with trio.open_nursery() as nursery:
        for addr, way in itertools.product(addrs, ways):
            nursery.start_soon(again_and_again, way, addr)
        while True:
            print(json.dumps(sent), flush=True)
            await trio.sleep(1)


if __name__ == "__main__":
    trio.run(main, sys.argv[1:])

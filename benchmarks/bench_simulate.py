"""
What gossip and sync cost each node as a swarm grows, in virtual time.

`gossip.sync`, the outbox and the queues of real nodes, on `MemoryTransport` under trio's
mock clock: everybody has six neighbours at random, as many as GossipSub's mesh, a
message takes 50 ms over a link, one in a hundred is lost. Records come at one rate,
however many nodes there are, after everybody holds a thousand old ones.

Counted are the messages that reach a node, the same record from several neighbours
included, and the questions and answers of sync. What the signed envelope of a message
and GossipSub's own heartbeats add is not in here, nor are signals, of which gossip
passes on a bounded number a second (`gossip.limits`).
"""

from __future__ import annotations

import gc
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import trio
import trio.testing

from benchmarks.many_records import many_records
from benchmarks.result import Figure, write_result
from experiments.task_folder import load_task
from gossip.journal import Journal
from gossip.memory_transport import MemoryNetwork, MemoryTransport
from gossip.ranges import Index
from gossip.sync import Sync
from gossip.transport import PeerId
from tests.processes import TOY

TOPIC = "/research-swarm/1/simulated"
SIZES = (100, 1_000, 3_000, 10_000)

DIALS = 3
DELAY_S, LOSS = 0.05, 0.01
OLD_RECORDS = 1_000
RECORD_BYTES = 1_500
SETTLE_S, MEASURED_S = 5.0, 120.0
RECORD_EVERY_S = 10.0
REACHED = 0.99
KINDS = ("win", "replication", "trials")
OLD = Index().with_ids("b" + sha256(b"old %d" % at).hexdigest() for at in range(OLD_RECORDS))

_larger: dict[tuple[int, str], Index] = {}
_held = [OLD]


def with_one(index: Index, record: str) -> Index:
    """An index with one more record; nodes that hear the same in the same order share theirs."""
    key = (id(index), record)
    if key not in _larger:
        _larger[key] = larger = index.with_ids([record])
        _held.append(larger)
    return _larger[key]


def identify(envelope: bytes) -> str:
    """The id of a record here: a hash of its bytes."""
    return "b" + sha256(envelope).hexdigest()


class Counts:
    """What was sent, and when each record came to how many."""

    def __init__(self, nodes: int) -> None:
        self.needed = math.ceil(REACHED * nodes)
        self.gossip_messages = self.gossip_bytes = self.calls = self.call_bytes = 0
        self.published_at: dict[str, float] = {}
        self.came: dict[str, int] = {}
        self.reached_s: dict[str, float] = {}

    def came_to_one(self, record: str) -> None:
        """One more node has a record."""
        self.came[record] = count = self.came.get(record, 0) + 1
        if count == self.needed:
            self.reached_s[record] = trio.current_time() - self.published_at[record]


class Member:
    """One node: its records, gossip and sync."""

    def __init__(self, transport: MemoryTransport, counts: Counts, draw: random.Random) -> None:
        self.transport = transport
        self._counts = counts
        self._kept: dict[str, bytes] = {}
        self._wins = OLD
        self._count_traffic()
        self.sync = Sync(
            transport,
            self,
            self.accept,
            scope=TOPIC + "#1",
            kinds=KINDS,
            identify=identify,
            uniform=draw.random,
        )

    async def index(self, kind: str) -> Index:
        """What it holds of a kind: here all are wins."""
        await trio.lowlevel.checkpoint()
        return self._wins if kind == KINDS[0] else Index()

    async def get_many(self, ids: Sequence[str], most_bytes: int) -> Sequence[bytes | None]:
        """Records by id."""
        await trio.lowlevel.checkpoint()
        return [self._kept.get(record) for record in ids]

    async def accept(self, envelopes: Sequence[bytes], sender: PeerId) -> int:
        """Keep what sync brings."""
        await trio.lowlevel.checkpoint()
        return sum(self.keep(envelope) for envelope in envelopes)

    def keep(self, envelope: bytes) -> bool:
        """Keep a record; False if it was here."""
        record = identify(envelope)
        if record in self._kept:
            return False
        self._kept[record] = envelope
        self._wins = with_one(self._wins, record)
        self._counts.came_to_one(record)
        return True

    async def listen(self) -> None:
        """Keep what gossip brings."""
        async for message in self.transport.received():
            self.keep(message.data)

    async def publish(self, envelope: bytes) -> None:
        """Keep an own record and tell the others."""
        self._counts.published_at[identify(envelope)] = trio.current_time()
        self.keep(envelope)
        await self.transport.publish(envelope)

    def _count_traffic(self) -> None:
        take, call, counts = self.transport.take, self.transport.call, self._counts

        async def counted_take(data: bytes, publisher: PeerId) -> None:
            counts.gossip_messages += 1
            counts.gossip_bytes += len(data)
            await take(data, publisher)

        async def counted_call(peer: PeerId, request: bytes, timeout_s: float = 10.0) -> bytes:
            answer = await call(peer, request, timeout_s)
            counts.calls += 1
            counts.call_bytes += len(request) + len(answer)
            return answer

        self.transport.take, self.transport.call = counted_take, counted_call


async def simulate(nodes: int) -> dict[str, Figure]:
    """A swarm of so many, for `MEASURED_S` of virtual time."""
    draw, counts = random.Random(nodes), Counts(nodes)
    network = MemoryNetwork(delay_s=DELAY_S, loss=LOSS, uniform=draw.random)
    names = [f"node{at}" for at in range(nodes)]
    members = list[Member]()

    async def live(name: str) -> None:
        async with network.open(name, TOPIC) as transport, trio.open_nursery() as services:
            member = Member(transport, counts, draw)
            members.append(member)
            services.start_soon(member.sync.run)
            services.start_soon(member.listen)

    async with trio.open_nursery() as nursery:
        for name in names:
            nursery.start_soon(live, name)
        await trio.testing.wait_all_tasks_blocked()
        gc.freeze()
        _connect(network, names, draw)
        await trio.sleep(SETTLE_S)
        counts.calls = counts.call_bytes = 0
        for number in range(round(MEASURED_S / RECORD_EVERY_S)):
            envelope = b"w%d " % number + draw.randbytes(RECORD_BYTES)
            await draw.choice(members).publish(envelope)
            await trio.sleep(RECORD_EVERY_S)
        nursery.cancel_scope.cancel()
    return _figures(nodes, counts)


def _connect(network: MemoryNetwork, names: Sequence[str], draw: random.Random) -> None:
    """Everybody dials a few; quietly, since a first sync of everybody is not measured."""
    links = cast("dict[str, set[str]]", cast(Any, network)._links)
    for name in names:
        for other in draw.sample(names, DIALS + 1):
            if other != name:
                links[name].add(other)
                links[other].add(name)


def _figures(nodes: int, counts: Counts) -> dict[str, Figure]:
    per_hour = 3600 / MEASURED_S / nodes
    times = sorted(counts.reached_s.values())
    return {
        "nodes": nodes,
        "records": len(counts.published_at),
        "reached_99_percent": len(times),
        "seconds_to_99_percent_median": round(times[len(times) // 2], 2) if times else None,
        "seconds_to_99_percent_most": round(times[-1], 2) if times else None,
        "gossip_messages_per_node_hour": round(counts.gossip_messages * per_hour),
        "gossip_bytes_per_node_hour": round(counts.gossip_bytes * per_hour),
        "sync_questions_per_node_hour": round(counts.calls * per_hour),
        "sync_bytes_per_node_hour": round(counts.call_bytes * per_hour),
        "bytes_per_node_hour": round((counts.gossip_bytes + counts.call_bytes) * per_hour),
    }


def _extrapolated(last: dict[str, Figure], nodes: int) -> dict[str, Figure]:
    """A larger swarm on paper: the same cost, and a hop more for every five times as many."""
    hops = math.log(nodes / float(str(last["nodes"])), 2 * DIALS - 1)
    reached_s = float(str(last["seconds_to_99_percent_median"])) + max(0.0, hops) * DELAY_S
    return {
        "nodes": nodes,
        "bytes_per_node_hour": last["bytes_per_node_hour"],
        "seconds_to_99_percent_median": round(reached_s, 2),
    }


def journal_bytes_per_record(count: int = 5_000) -> int:
    """What one record of a usual mix takes on disk."""
    rows = list(many_records(load_task(TOY).task, count, time.time_ns() // 1_000_000))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.sqlite"
        with Journal.open(path) as journal:
            journal.append(rows)
        return round(path.stat().st_size / count)


def main(*sizes: str) -> int:
    """Simulate every size; 1 where the cost of a node grows faster than log N."""
    gc.set_threshold(100_000, 50, 100)
    runs = list[dict[str, Figure]]()
    for size in [int(size) for size in sizes] or SIZES:
        started = time.monotonic()
        run = trio.run(simulate, size, clock=trio.testing.MockClock(autojump_threshold=0))
        gc.unfreeze()
        run["real_seconds"] = round(time.monotonic() - started, 1)
        run["peak_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        runs.append(run)
        print(run, flush=True)
    return report(runs)


def report(runs: Sequence[dict[str, Figure]]) -> int:
    """Write what was measured, and what the largest swarm measured says of larger ones."""
    first, last = runs[0], runs[-1]
    growth = float(str(last["bytes_per_node_hour"])) / float(str(first["bytes_per_node_hour"]))
    allowed = math.log(float(str(last["nodes"]))) / math.log(float(str(first["nodes"])))
    per_record = journal_bytes_per_record()
    write_result(
        "simulate",
        {
            "runs": [dict(run) for run in runs],
            "virtual_seconds": MEASURED_S,
            "records_per_hour": round(3600 / RECORD_EVERY_S),
            "record_bytes": RECORD_BYTES,
            "extrapolated": [_extrapolated(last, size) for size in (100_000, 1_000_000)],
            "growth_of_bytes_per_node": round(growth, 3),
            "promised_growth": round(allowed, 3),
            "journal_bytes_per_record": per_record,
            "journal_bytes_per_hour": per_record * round(3600 / RECORD_EVERY_S),
            "promise_kept": growth <= allowed,
        },
    )
    return 0 if growth <= allowed else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""
How soon everyone has a record, and how many a second a swarm carries, beside js-libp2p.

Swarms of so many processes on this machine, all with the same mesh, GossipSub 1.1 with
degree 6, and the same signed records of 1.5 KB:

- ``ours``: `benchmarks.gossip_peer`; every record is validated before it is passed on.
- ``ours_stock``: the same without the changes in `gossip.fast`.
- ``js``: js-libp2p as a client of the swarm must be (``tests/interop/bench_peer.js``): it
  verifies each record's envelope, its canonical payload, its author and its id.
- ``js_unverified``: js-libp2p that checks GossipSub's own signature and nothing of the
  record. No client may do so: it would pass forged records on.

Latency is from `publish` until the last peer has the record, one record at a time.
The throughput is the highest rate, offered by all peers in turn on a fixed schedule, of
which 99 % reach everyone within two seconds of when they were due: a peer that publishes
late because it is busy does not carry the rate. Swarms take turns, so that a busy
machine spoils all alike; ratios say more than times.

Usage: python -m benchmarks.bench_gossip [SIZE …]; what was measured of other sizes stays.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from statistics import quantiles
from typing import Any, NamedTuple, cast

from benchmarks.many_records import many_records
from benchmarks.result import RESULTS, Figure, commit, write_result
from experiments.task_folder import load_task
from swarm.task import Task
from tests.interop.js import INTEROP, ensure_installed
from tests.processes import TOY

SIZES = (8, 2)
COMPARED = 8
"""Processes at which the goal is set, and all kinds are measured; at others `BESIDE`."""

BESIDE = ("ours", "js")
NEIGHBOURS = 6
LATENCY_RECORDS = 60
LATENCY_INTERVAL_S = 0.25
FIRST_RATE = 10.0
"""At eight processes and fewer; the more there are on this machine, the less each can carry."""
HALVINGS = 3
RATE_SECONDS = 4.0
"""A rate is offered for so long, and until each peer has had its turn."""
START_SECONDS = 0.2
"""Until the first record is due, so that every peer has its batch by then."""
SETTLE_SECONDS = 2.0
WARM_UP_SECONDS = 10.0
"""Between the two records that each peer begins with: many at once would choke large swarms."""
DELIVERED = 0.99
DUE_SECONDS = 2.0
P99_RATIO = 0.8
THROUGHPUT_RATIO = 0.75


class Process:
    """One peer as a process that answers commands."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.addr = str(self.answer()["addr"])

    def ask(self, name: str, **arguments: object) -> None:
        """Give a command; its answer is read with `answer`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any]:
        """The answer to the command that has waited longest for one."""
        assert self._process.stdout is not None
        return cast("dict[str, Any]", json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


Report = dict[str, dict[str, float]]
"""``sent`` and ``got``: when, in Unix seconds, by record and in order."""


class Carried(NamedTuple):
    """Seconds until the last peer had a record, or None: since it was published, and was due."""

    published: float | None
    due: float | None


class Swarm:
    """Peers of one kind in one mesh."""

    def __init__(self, command: Sequence[str], size: int) -> None:
        self.peers = list[Process]()
        try:
            for _ in range(size):
                self.peers.append(Process(command))
            for at, peer in enumerate(self.peers):
                near = {(at + step) % size for step in range(1, NEIGHBOURS // 2 + 1)} - {at}
                peer.ask("dial", addrs=[self.peers[other].addr for other in sorted(near)])
                peer.answer()
        except BaseException:
            self.end()
            raise
        time.sleep(3 + size / 4)

    def carry(self, batches: Sequence[Sequence[bytes]], interval_s: float) -> list[Carried]:
        """Publish a batch at each peer, at a pace, in turn; wait until all settles."""
        begin_s, size = time.time() + START_SECONDS, len(self.peers)
        starts = [begin_s + interval_s * at / size for at in range(size)]
        for peer, start_s, batch in zip(self.peers, starts, batches, strict=True):
            encoded = [base64.b64encode(data).decode() for data in batch]
            peer.ask("publish", messages=encoded, start_s=start_s, interval_s=interval_s)
        for peer in self.peers:
            peer.answer()
        time.sleep(SETTLE_SECONDS)
        for peer in self.peers:
            peer.ask("report")
        reports: list[Report] = [cast(Report, peer.answer()) for peer in self.peers]
        carried = list[Carried]()
        for report, start_s in zip(reports, starts, strict=True):
            for at, (name, sent_s) in enumerate(report["sent"].items()):
                last_s = _last(reports, name)
                if last_s is None:
                    carried.append(Carried(None, None))
                else:
                    carried.append(Carried(last_s - sent_s, last_s - start_s - at * interval_s))
        return carried

    def end(self) -> None:
        """End every peer."""
        for peer in self.peers:
            peer.end()


def _last(reports: Sequence[Report], name: str) -> float | None:
    """When the last peer had a record, in Unix seconds; None if one never had it."""
    others = [report["got"].get(name) for report in reports if name not in report["sent"]]
    times = [at_s for at_s in others if at_s is not None]
    return max(times) if len(times) == len(others) else None


class Records:
    """Signed records, each given out once."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._ready = list[bytes]()
        self._made = 0

    def take(self, count: int) -> list[bytes]:
        """So many that nobody has seen."""
        while len(self._ready) < count:
            now_ms = time.time_ns() // 1_000_000
            self._ready += [
                row.envelope for row in many_records(self._task, 6000, now_ms) if row.kind == "win"
            ]
        taken, self._ready = self._ready[:count], self._ready[count:]
        return taken


def _measure(swarms: Mapping[str, Swarm], records: Records) -> dict[str, dict[str, Figure]]:
    """Latency and throughput of each swarm; they take turns all through."""
    latencies: dict[str, list[float]] = {name: [] for name in swarms}
    for swarm in swarms.values():
        swarm.carry([records.take(2) for _ in swarm.peers], WARM_UP_SECONDS)
    for turn in range(LATENCY_RECORDS // 10):
        for name, swarm in swarms.items():
            size = len(swarm.peers)
            batches = [records.take(10) if peer == turn % size else [] for peer in range(size)]
            carried = swarm.carry(batches, LATENCY_INTERVAL_S)
            latencies[name] += [each.published for each in carried if each.published]
    searches = {name: _Search(swarm, records) for name, swarm in swarms.items()}
    while any(not search.ended for search in searches.values()):
        for search in searches.values():
            search.step()
    return {
        name: {
            **_percentiles(latencies[name]),
            "records_per_second": round(searches[name].best, 1),
        }
        for name in swarms
    }


def _percentiles(latencies: Sequence[float]) -> dict[str, Figure]:
    """Null where fewer than two records of all came to everybody."""
    if len(latencies) < 2:
        return {"delivered": len(latencies) / LATENCY_RECORDS, "p50_ms": None, "p99_ms": None}
    cuts = quantiles(latencies, n=100, method="inclusive")
    return {
        "delivered": len(latencies) / LATENCY_RECORDS,
        "p50_ms": round(1000 * cuts[49], 1),
        "p99_ms": round(1000 * cuts[98], 1),
    }


class _Search:
    """
    For the highest rate that is carried, in records a second offered by all peers together.

    Doubled until one is not carried, twice in a row, since once may be the machine's
    fault; then sought between the last two.
    """

    def __init__(self, swarm: Swarm, records: Records) -> None:
        self._swarm, self._records = swarm, records
        self.best = 0.0
        self._rate = FIRST_RATE * min(1.0, COMPARED / len(swarm.peers)) ** 2
        self._missed_rate = 0.0
        self._misses, self._halvings = 0, HALVINGS

    @property
    def ended(self) -> bool:
        """Whether `best` is what was sought."""
        return self._halvings <= 0 or (self._missed_rate > 0 and not self.best)

    def step(self) -> None:
        """Try a rate, unless it has ended."""
        if self.ended:
            return
        found = _tried(self._swarm, self._records, self._rate)
        self._misses = self._misses + 1 if found is None else 0
        if self._misses == 1:
            return
        self._halvings -= self._missed_rate > 0
        if found is None:
            self._missed_rate, self._misses = self._rate, 0
        else:
            self.best = found
        between = (self.best * self._missed_rate) ** 0.5
        self._rate = between if self._missed_rate else 2 * self._rate


def _tried(swarm: Swarm, records: Records, rate: float) -> float | None:
    """The rate that was offered, if it was carried."""
    size = len(swarm.peers)
    seconds = max(RATE_SECONDS, size / rate)
    count = round(rate * seconds / size)
    batches = [records.take(count) for _ in range(size)]
    found = swarm.carry(batches, seconds / count)
    in_time = sum(each.due is not None and each.due <= DUE_SECONDS for each in found)
    return count * size / seconds if in_time >= DELIVERED * count * size else None


@contextmanager
def _swarm(command: Sequence[str], size: int) -> Generator[Swarm]:
    swarm = Swarm(command, size)
    try:
        yield swarm
    finally:
        swarm.end()


def main(sizes: Sequence[int] = SIZES) -> int:
    """Measure every size; 1 where the goal at eight nodes is missed."""
    task = load_task(TOY).task
    ours = [sys.executable, "-m", "benchmarks.gossip_peer", task.topic, task.id]
    ensure_installed()
    js = [str(shutil.which("node")), str(INTEROP / "bench_peer.js"), task.topic]
    records = Records(task)
    figures = {**_measured_before(), "record_bytes": len(records.take(1)[0])}
    kinds = {
        "ours": [*ours, "ours"],
        "ours_stock": [*ours, "stock"],
        "js": [*js, task.id],
        "js_unverified": js,
    }
    for size in sizes:
        names = tuple(kinds) if size == COMPARED else BESIDE
        with ExitStack() as stack:
            swarms = {name: stack.enter_context(_swarm(kinds[name], size)) for name in names}
            measured = _measure(swarms, records)
        print(size, measured, flush=True)
        figures[str(size)] = {"commit": commit(), **measured}
    figures |= _ratios(figures)
    write_result("gossip", figures)
    kept = float(str(figures["p99_ratio"])) <= P99_RATIO
    return 0 if kept and float(str(figures["throughput_ratio"])) >= THROUGHPUT_RATIO else 1


def _measured_before() -> dict[str, Figure]:
    """The figures of the last run: sizes that are not measured now stay, with their commits."""
    path = RESULTS / "gossip.json"
    return json.loads(path.read_text())["figures"] if path.exists() else {}


def _ratios(figures: dict[str, Figure]) -> dict[str, Figure]:
    """Ours over js at eight nodes."""
    eight = cast("dict[str, dict[str, float]]", figures[str(COMPARED)])
    ours, js, unverified = eight["ours"], eight["js"], eight["js_unverified"]
    carried = ours["records_per_second"]
    return {
        "p99_ratio": round(ours["p99_ms"] / js["p99_ms"], 2),
        "throughput_ratio": round(carried / js["records_per_second"], 2),
        "p99_ratio_to_js_unverified": round(ours["p99_ms"] / unverified["p99_ms"], 2),
        "throughput_ratio_to_js_unverified": round(carried / unverified["records_per_second"], 2),
        "promised_p99_ratio": P99_RATIO,
        "promised_throughput_ratio": THROUGHPUT_RATIO,
    }


if __name__ == "__main__":
    sys.exit(main([int(size) for size in sys.argv[1:]] or SIZES))

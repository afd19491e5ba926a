"""
How fast a newcomer holds the whole board, and what ten differences cost.

Cold: two nodes as people start them (`swarm start --observe`), each a process
with a home of its own. One has a journal of so many signed records; the other is
empty and joins it over loopback. The time runs from the moment the newcomer
listens until its journal holds every record, each validated and on disk. The
processor's seconds of both are told beside it: they depend less on what else runs.

Differences: this process syncs once more with that node, by the same code, from
a copy of the journal that lacks ten records, and counts the bytes of every
question and answer. Those of the ten records themselves are counted apart.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import trio

from benchmarks.many_records import many_records
from benchmarks.result import Figure, write_result
from experiments.task_folder import load_task
from gossip.board import load_board, save_board
from gossip.desks import SYNC
from gossip.home import Home
from gossip.identity import new_identity
from gossip.journal import Journal, Stored
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.sync import Sync
from gossip.transport import PeerId
from gossip.upkeep import KeptStore
from swarm.records import SCHEMA_VERSION
from swarm.task import Task
from tests.processes import LISTEN, TOY, NodeProcess, nodes

SIZES = (30_000, 100_000)
DIFFERENCES = 10
KINDS = ("win", "replication", "trials")
COLD_SECONDS = 10.0
DIFFERENCE_BYTES = 10_000
DIFFERENCE_SECONDS = 1.0
WAIT_SECONDS = 300.0


def main() -> int:
    """Measure every size; 1 where a promise about the first is missed."""
    measured: list[Figure] = [dict(_measure(size)) for size in SIZES]
    first = _measure_ok(measured[0])
    write_result("sync", {"runs": measured, "promises_kept": first})
    return 0 if first else 1


def _measure_ok(run: Figure) -> bool:
    assert isinstance(run, dict)
    promised = {
        "cold_seconds": COLD_SECONDS,
        "difference_bytes": DIFFERENCE_BYTES,
        "difference_seconds": DIFFERENCE_SECONDS,
    }
    return all(float(str(run[name])) < most for name, most in promised.items())


def _measure(records: int) -> dict[str, Figure]:
    task = load_task(TOY).task
    with tempfile.TemporaryDirectory() as folder, nodes(Path(folder), 2) as (old, new):
        rows = list(many_records(task, records, time.time_ns() // 1_000_000))
        _fill(old.home, task, rows)
        old.start("--observe")
        cold = _cold(old, new, records)
        new.end()
        lacking = Path(folder) / "lacking.sqlite"
        with Journal.open(lacking) as journal:
            step = records // DIFFERENCES
            journal.append([row for at, row in enumerate(rows) if at % step])
        differing = trio.run(_differing, task, lacking, old.addrs()[0])
        envelope_bytes = sum(len(row.envelope) for row in rows)
        return {"records": records, "envelope_bytes": envelope_bytes, **cold, **differing}


def _fill(home: Home, task: Task, rows: Sequence[Stored]) -> None:
    """A journal as a node leaves it that has seen all of these records."""
    with Journal.open(home.journal(task.id)) as journal:
        journal.append(rows)
        save_board(journal, load_board(journal))


def _cold(old: NodeProcess, new: NodeProcess, records: int) -> dict[str, Figure]:
    new.start("--observe", "--join", old.addrs()[0])
    started, used = time.perf_counter(), (_cpu_seconds(new), _cpu_seconds(old))
    with Journal.open(new.journal(), read_only=True) as journal:
        while (count := journal.count()) < records:
            seconds = time.perf_counter() - started
            assert seconds < WAIT_SECONDS, f"{count} of {records} records after {seconds:.0f} s"
            time.sleep(0.05)
    seconds = time.perf_counter() - started
    return {
        "cold_seconds": round(seconds, 2),
        "cold_records_per_second": round(records / seconds),
        "newcomer_cpu_seconds": round(_cpu_seconds(new) - used[0], 2),
        "partner_cpu_seconds": round(_cpu_seconds(old) - used[1], 2),
        "newcomer_peak_memory_bytes": _peak_memory_bytes(new),
        "partner_peak_memory_bytes": _peak_memory_bytes(old),
    }


def _cpu_seconds(node: NodeProcess) -> float:
    """What a node has used of the processor so far, in its own code and in the kernel."""
    assert node.process is not None
    stat = Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def _peak_memory_bytes(node: NodeProcess) -> int:
    assert node.process is not None
    [line] = [
        line
        for line in Path(f"/proc/{node.process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM:")
    ]
    return int(line.split()[1]) * 1024


async def _differing(task: Task, path: Path, address: str) -> dict[str, Figure]:
    """Sync with the node at an address, from a journal that lacks some of its records."""
    disk, got = trio.CapacityLimiter(1), list[bytes]()

    async def accept(envelopes: Sequence[bytes], sender: PeerId) -> int:
        got.extend(envelopes)
        return len(envelopes)

    with Journal.open(path) as journal:
        board = load_board(journal)
        store = KeptStore(journal, disk, lambda: board, lambda: time.time_ns() // 1_000_000)
        async with open_libp2p_transport(new_identity(), task.topic, (LISTEN,)) as transport:
            peer = await transport.dial(address)
            counts = _count_bytes(transport)
            scope = f"{task.topic}#{SCHEMA_VERSION}"
            sync = Sync(transport, store, accept, scope=scope, kinds=KINDS)
            await store.index(KINDS[0])
            started = trio.current_time()
            turn = await sync.pull(peer)
            seconds = trio.current_time() - started
    assert turn.useful == len(got) == DIFFERENCES, turn
    return {"differences": DIFFERENCES, "difference_seconds": round(seconds, 3), **counts}


def _count_bytes(transport: Libp2pTransport) -> dict[str, int]:
    """Count the questions and answers of a transport from now on; records apart."""
    counts = {"difference_questions": 0, "difference_bytes": 0, "difference_record_bytes": 0}
    call = transport.call

    async def counted(
        peer: PeerId, request: bytes, timeout_s: float = 10.0, desk: bytes = SYNC
    ) -> bytes:
        answer = await call(peer, request, timeout_s, desk)
        counts["difference_questions"] += 1
        counts["difference_bytes"] += len(request)
        records = b"envelopes" in answer[:64] or b"considered" in answer[:64]
        counts["difference_record_bytes" if records else "difference_bytes"] += len(answer)
        return answer

    transport.call = counted
    return counts


if __name__ == "__main__":
    sys.exit(main())

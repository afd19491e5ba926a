"""
The swarm of `benchmarks.bench_headline` once more, as real processes over real libp2p.

Each of NODES nodes of one lab is `swarm start` in a home of its own: its own identity,
journal, cache and trainer, GossipSub and sync on loopback, every other node trusted. Their
clocks are real and so are their collisions: they share the cores of this machine. They are
stopped once together they have trained as often as EXPERIMENTS plain runs; a run that was
stopped early or failed counts as a whole one. Then the best that any of them knows is measured
on fresh seeds.

Usage: python -m benchmarks.bench_processes HOME [EXPERIMENTS NODES [TOKENS]]
HOME is one of `benchmarks.bench_headline`; the figures go to `results/processes.json`.
"""

from __future__ import annotations

import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean

from benchmarks.bench_headline import BUDGET_TOKENS, EXPERIMENTS, NODES, measured
from benchmarks.headline.lone import Found
from benchmarks.headline.training import Training
from benchmarks.result import Figure, write_result
from experiments.history import History
from gossip import trust_file
from gossip.board import load_board
from gossip.identity import load_or_create
from gossip.journal import Journal
from gossip.wins import JournalWins
from swarm.lineage import base_chain, resolve_tree
from swarm.records import from_nano
from swarm.task import Task
from swarm.tree import Tree
from tests.processes import NodeProcess, nodes, wait_until

SETTINGS = "[network]\nmdns = false\nmax_connections_per_ip = 128\n"
LEAD = 4
"""Each node is told the addresses of so many others."""

ASKED_EVERY_S = 2.0
LONGEST_S = 3600.0
ENDS_S = 300.0


def main(home: Path, experiments: int, count: int, tokens: int) -> None:
    """Run the nodes, measure their best, write the figures."""
    with Training(home, tokens) as training, tempfile.TemporaryDirectory() as folder:
        task = training.loaded.task
        with nodes(Path(folder), count, SETTINGS) as lab:
            _introduce(lab)
            started = time.monotonic()
            _start(lab, home / "task")
            begun = time.monotonic()
            _wait(lab, experiments, task)
            took: dict[str, Figure] = {
                "minutes": round((time.monotonic() - started) / 60, 1),
                "minutes_to_start_all": round((begun - started) / 60, 1),
            }
            statuses = [node.end(timeout_s=ENDS_S) for node in lab]
            took["exit_statuses"] = [*map(str, sorted(set(statuses)))]
            write_result("processes", figures(lab, training, experiments, task) | took)


def figures(
    lab: Sequence[NodeProcess], training: Training, experiments: int, task: Task
) -> dict[str, Figure]:
    """What nodes that have ended made of their budget."""
    held = [len(node.record_ids()) for node in lab]
    found = min((_found(node, task) for node in lab), key=lambda each: each.said)
    found.experiments = sum(node.experiments() for node in lab)
    row = measured(training, found)
    return {
        "nodes": len(lab),
        "experiments_budget": experiments,
        "budget_tokens": training.budget_tokens,
        "runs": sum(_runs(node, task) for node in lab),
        "most_records_held": max(held),
        "fewest_records_held": min(held),
        "nodes_that_build_on_a_win": sum(_builds_on(node) for node in lab),
        "tracebacks": sum("Traceback" in node.tell() for node in lab),
        **{key: value for key, value in row.items() if key != "reached"},
    }


def _introduce(lab: Sequence[NodeProcess]) -> None:
    """Every node trusts every other."""
    peers = {load_or_create(node.home.identity).peer_id for node in lab}
    for node in lab:
        own = load_or_create(node.home.identity).peer_id
        trust_file.save(node.home.trust, peers - {own})


def _start(lab: Sequence[NodeProcess], task: Path) -> None:
    """All at once: who they are and where they listen is known before."""
    places = [f"/ip4/127.0.0.1/tcp/{port}" for port in _free_ports(len(lab))]
    addrs = [
        f"{place}/p2p/{load_or_create(node.home.identity).peer_id}"
        for place, node in zip(places, lab, strict=True)
    ]
    for number, node in enumerate(lab):
        joined = [addrs[(number + step) % len(lab)] for step in range(1, LEAD + 1)]
        join = [part for addr in joined for part in ("--join", addr)]
        words = ("--task", str(task), "--api", "off", "--workers", "1", *join)
        node.launch(*words, listen=places[number])
    for node in lab:
        wait_until(lambda node=node: bool(node.addrs()), node.tell, LONGEST_S)


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in taken]


def _wait(lab: Sequence[NodeProcess], experiments: int, task: Task) -> None:
    deadline, said = time.monotonic() + LONGEST_S, 0
    while (runs := sum(_runs(node, task) for node in lab)) < experiments:
        assert time.monotonic() < deadline, f"{runs} runs only"
        if runs >= said + 20:
            print(f"{runs} of {experiments} runs", file=sys.stderr, flush=True)
            said = runs
        time.sleep(ASKED_EVERY_S)


def _runs(node: NodeProcess, task: Task) -> int:
    """Runs that completed, and experiments that ended without any: at least one run each."""
    if not node.home.runs.exists() or not node.home.history.exists():
        return 0
    with sqlite3.connect(f"file:{node.home.runs}?mode=ro", uri=True, timeout=30) as database:
        try:
            [[completed]] = database.execute("SELECT count(*) FROM runs").fetchall()
        except sqlite3.OperationalError:
            completed = 0  # it has just been made
    history = History(node.home.history, task.id)
    failed = sum(not trial.pairs for trial in history.all())
    history.close()
    return int(completed) + failed


def _found(node: NodeProcess, task: Task) -> Found:
    """The lowest that any win on a node's board claims, and the steps that lead there."""
    with Journal.open(node.journal(), read_only=True) as journal:
        board, wins = load_board(journal), JournalWins(journal)

        def tree(record: str) -> Tree:
            return resolve_tree(record, wins, task.baseline, task.editable, {})

        values = {
            record: fmean(from_nano(tried) for _, _, tried in win.pairs)
            for record, win in board.wins.items()
        }
        if not values:
            return Found(task.baseline, float("inf"))
        best = min(values, key=values.__getitem__)
        chain = [tree(each) for each in base_chain(best, board.wins)]
        return Found(tree(best), values[best], kept=[task.baseline, *chain])


def _builds_on(node: NodeProcess) -> bool:
    with Journal.open(node.journal(), read_only=True) as journal:
        return bool(journal.state("champion"))


if __name__ == "__main__":
    _, where, *rest = sys.argv
    given = [int(each) for each in rest]
    main(Path(where), *[*given, *(EXPERIMENTS, NODES, BUDGET_TOKENS)[len(given) :]])

"""
`swarm demo`: a whole swarm on this machine, in a few minutes.

Starts real nodes as processes on loopback, shows them working, and at the end
checks what the swarm promises: every node holds the same records, shows the
same board, and has built on what another found.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeGuard, cast

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.text import plain, shortened
from gossip import trust_file
from gossip.home import Home, open_home
from gossip.identity import load_or_create
from gossip.journal import Journal
from gossip.journal_faults import JournalError
from swarm.records import PROMISING, Record, RecordId, Trials, Win

TASK = "quick"
NAMES = ("ada", "grace", "alan", "emmy", "kurt", "hedy", "claude", "rosa")
START_SECONDS = 60.0
RESEARCH_SECONDS = 210.0
SETTLE_SECONDS = 45.0
CALM_SECONDS = 6.0
"""A node tells of its experiments every five."""
STOP_SECONDS = 30.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the demo: its name, home, process and share of the experiments."""

    name: str
    home: Home
    process: subprocess.Popen[bytes]
    experiments: int

    def status(self) -> dict[str, object]:
        """What the node last said about itself."""
        return self.home.read_status()

    def done(self) -> bool:
        """The node has finished its experiments."""
        finished = self.status().get("experiments")
        return isinstance(finished, int) and finished >= self.experiments


@dataclass(frozen=True, slots=True)
class Fold:
    """A win of one node that another built on."""

    finder: str
    title: str
    folder: str
    result: str


def demo(*, nodes: int, experiments: int) -> int:
    """
    Run the demo and say what was seen.

    Args:
        nodes: How many nodes, at least two.
        experiments: In all; shared out over the nodes.

    Returns:
        0 if every node holds the same records and board, and one folded what
        another found; else 1.

    Raises:
        SystemExit: There are fewer experiments than nodes, or a node ended; it says why.
    """
    if experiments < nodes:
        raise SystemExit(f"{nodes} nodes need at least {nodes} experiments, one for each.")
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="swarm-demo-") as folder:
        console.print(f"Starting {nodes} nodes on this machine; their homes are in {folder}.")
        deadline = time.monotonic() + RESEARCH_SECONDS
        with _swarm(Path(folder), nodes, experiments, deadline, console) as swarm:
            _watch(swarm, console, deadline, until=_all_done)
            over = "Experiments are over" if _all_done(swarm) else "Time is up"
            console.print(f"\n{over}; waiting until all nodes hold the same records.")
            _settle(swarm)
            return 0 if _verdict(swarm, console) else 1


@contextmanager
def _swarm(
    folder: Path, nodes: int, experiments: int, deadline: float, console: Console
) -> Generator[list[Node]]:
    """The nodes, running; the last one joins late, when there is something to find."""
    signal.signal(signal.SIGTERM, _leave)
    shares = [experiments // nodes + (i < experiments % nodes) for i in range(nodes)]
    _introduce([open_home(folder / _name(index)) for index in range(nodes)])
    started: list[Node] = []
    try:
        for index, share in enumerate(shares):
            if index == nodes - 1:
                _watch(started, console, deadline, until=_someone_won)
                console.print(f"\n{_name(index)} joins late, with an empty board.")
            started.append(_start(folder, index, share, _address(started)))
        yield started
    finally:
        _stop(started)


def _introduce(homes: Sequence[Home]) -> None:
    """The nodes belong to one person: each names the others as trusted."""
    peers = {load_or_create(home.identity).peer_id for home in homes}
    for home in homes:
        trust_file.save(home.trust, peers - {load_or_create(home.identity).peer_id})


def _leave(_number: int, _frame: FrameType | None) -> None:
    """End in order, so that no node is left behind."""
    sys.exit(1)


def _someone_won(swarm: Sequence[Node]) -> bool:
    return any(node.status().get("wins") for node in swarm) or all(node.done() for node in swarm)


def _all_done(swarm: Sequence[Node]) -> bool:
    return all(node.done() for node in swarm)


def _name(index: int) -> str:
    turn, place = divmod(index, len(NAMES))
    return NAMES[place] + (str(turn + 1) if turn else "")


def _start(folder: Path, index: int, share: int, join: str | None) -> Node:
    name = _name(index)
    home = open_home(folder / name)
    command = [sys.executable, "-m", "cli.main", "start", "--profile", "demo"]
    command += ["--home", str(home.root), "--task", TASK, "--nickname", name, "--workers", "1"]
    command += ["--listen", "/ip4/127.0.0.1/tcp/0", "--experiments", str(share)]
    command += ["--join", join] if join else []
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "SWARM_NODE__STAY": "true"},
            start_new_session=True,
        )
    return Node(name, home, process, share)


def _address(started: Sequence[Node]) -> str | None:
    """Where the first node listens, once it does."""
    if not started:
        return None
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _check_alive(started)
        addrs = cast("list[str]", started[0].status().get("listen_addrs", []))
        if addrs:
            return addrs[0]
        time.sleep(0.1)
    raise SystemExit(f"{started[0].name} did not start listening:\n{_last_words(started[0])}")


def _check_alive(swarm: Sequence[Node]) -> None:
    """Nodes of a demo stay until they are told to go; one that went has failed."""
    for node in swarm:
        if node.process.poll() is not None:
            raise SystemExit(
                f"{node.name} ended with status {node.process.returncode}:\n{_last_words(node)}"
            )


def _last_words(node: Node) -> str:
    return node.home.root.with_suffix(".log").read_text("utf-8", "replace")[-2000:]


def _watch(
    swarm: Sequence[Node],
    console: Console,
    deadline: float,
    until: Callable[[Sequence[Node]], bool],
) -> None:
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while time.monotonic() < deadline and not until(swarm):
            _check_alive(swarm)
            live.update(_picture(swarm))
            time.sleep(POLL_SECONDS)
    console.print(_picture(swarm))


def _picture(swarm: Sequence[Node]) -> Group:
    table = Table(box=None, pad_edge=False)
    for heading in ("node", "experiments", "wins", "peers", "now"):
        table.add_column(heading, no_wrap=True)
    for node in swarm:
        status = node.status()
        running = cast("list[str]", status.get("running_titles", []))
        table.add_row(
            node.name,
            f"{status.get('experiments', 0)}/{node.experiments}",
            str(status.get("wins", 0)),
            str(status.get("peers", 0)),
            Text(shortened(plain(", ".join(running)) or "—", 60)),
        )
    return Group(table)


def _settle(swarm: Sequence[Node]) -> None:
    """Wait until all hold the same, and nobody has had anything more to tell for a while."""
    deadline = time.monotonic() + SETTLE_SECONDS
    since, before = time.monotonic(), frozenset[str]()
    while time.monotonic() < deadline:
        found = {_records(node) for node in swarm}
        alike = found.pop() if len(found) == 1 else frozenset[str]()
        if not alike or alike != before:
            since, before = time.monotonic(), alike
        elif time.monotonic() - since > CALM_SECONDS:
            return
        time.sleep(POLL_SECONDS)


def _stop(swarm: Sequence[Node]) -> None:
    for node in swarm:
        if node.process.poll() is None:
            node.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    for node in swarm:
        try:
            node.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(node.process.pid, signal.SIGKILL)
            node.process.wait()


def _records(node: Node) -> frozenset[str]:
    """Ids of all records that a node holds, read from its journal."""
    journals = sorted(node.home.journals.glob("*.sqlite"))
    if not journals:
        return frozenset()
    try:
        with Journal.open(journals[0], read_only=True) as journal:
            return frozenset(stored.id for _, stored in journal.replay())
    except JournalError:
        return frozenset()


def _read(node: Node) -> dict[RecordId, Record]:
    """Every record in a node's journal."""
    journals = sorted(node.home.journals.glob("*.sqlite"))
    with Journal.open(journals[0], read_only=True) as journal:
        return {stored.id: journal.read(stored.envelope) for _, stored in journal.replay()}


def folds(records: Mapping[RecordId, Record]) -> list[Fold]:
    """Every win that is built on another author's win, or is what another author found first."""
    found: list[Fold] = []
    finds = {
        (trial.tree, batch.author): (batch.nickname, trial.title)
        for batch in records.values()
        if isinstance(batch, Trials)
        for trial in batch.trials
        if trial.outcome == PROMISING
    }
    for win in (record for record in records.values() if isinstance(record, Win)):
        links = [records.get(link) for link in (win.base, *win.parents) if link]
        sources = [(each.author, each.nickname, each.title) for each in links if _is_win(each)]
        sources += [
            (author, *found_by) for (tree, author), found_by in finds.items() if tree == win.tree
        ]
        found += [
            Fold(nickname, title, win.nickname, win.title)
            for author, nickname, title in sources
            if author != win.author
        ]
    return found


def _is_win(record: Record | None) -> TypeGuard[Win]:
    return isinstance(record, Win)


def _verdict(swarm: Sequence[Node], console: Console) -> bool:
    """Say what was promised and whether it held."""
    same_records = len({_records(node) for node in swarm}) == 1 and bool(_records(swarm[0]))
    boards = [_board_document(node) for node in swarm]
    same_board = all(board == boards[0] for board in boards)
    found = folds(_read(swarm[0])) if same_records else []
    console.print()
    _check(console, same_records, f"every node holds the same {len(_records(swarm[0]))} records")
    _check(console, same_board, "every node shows the same board")
    _check(console, bool(found), "what one node found, another measured again and built on")
    for fold in found[:3]:
        console.print(
            Text(
                f"    {plain(fold.finder)} found “{plain(fold.title)}”; "
                f"{plain(fold.folder)} measured it again and kept “{plain(fold.result)}”"
            )
        )
    console.print()
    return same_records and same_board and bool(found)


def _check(console: Console, held: bool, what: str) -> None:
    mark = ("✓ ", "bold green") if held else ("✗ not: ", "bold red")
    console.print(Text.assemble(mark, what))


def _board_document(node: Node) -> object:
    """What `swarm leaderboard --json` says in a node's home, without what is the node's own."""
    command = [sys.executable, "-m", "cli.main", "leaderboard", "--json", "--limit", "1000"]
    done = subprocess.run(
        [*command, "--home", str(node.home.root)], capture_output=True, check=True, timeout=60
    )
    board = json.loads(done.stdout)
    return [board[key] for key in ("task", "experiments", "records", "entries")]

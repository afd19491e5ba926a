"""Whole nodes: they research, share, fold, survive and refuse."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from experiments.history import History
from experiments.task_folder import load_task
from gossip.journal import Journal
from swarm.hypothesis import Hypothesis, from_bytes
from swarm.records import Trials, Win
from tests.processes import LISTEN, TOY, NodeProcess, nodes, wait_until
from tests.swarm.record_samples import TRIAL

QUICK_SYNC = "[network]\nsync_interval_seconds = 1\n"
FOLDS_ONLY = QUICK_SYNC + (
    "[search]\nfold_share = 1\n"
    'exclude_families = ["learning_rate", "init", "width_depth", "simplify"]\n'
)
STAY = QUICK_SYNC + "[node]\nstay = true\n"


def wins(node: NodeProcess) -> dict[str, Win]:
    with Journal.open(node.journal(), read_only=True) as journal:
        found = {row.id: journal.read(row.envelope) for _, row in journal.replay()}
    return {record_id: record for record_id, record in found.items() if isinstance(record, Win)}


def converged(*swarm: NodeProcess) -> bool:
    first = swarm[0].record_ids()
    return bool(first) and all(node.record_ids() == first for node in swarm)


def test_a_node_researches_alone_and_stops_when_done(tmp_path: Path) -> None:
    """N experiments are run, kept as trials, the wins published, and the exit status is 0."""
    with nodes(tmp_path, 1) as (node,):
        node.start("--experiments", "4")
        assert node.process is not None
        assert node.process.wait(90) == 0, node.tell()
        assert "KEPT" in node.tell() or "not kept" in node.tell()
        with Journal.open(node.journal(), read_only=True) as journal:
            records = [journal.read(row.envelope) for _, row in journal.replay()]
        trials = [
            trial for record in records if isinstance(record, Trials) for trial in record.trials
        ]
        assert len(trials) == 4
        assert sum(trial.outcome == "win" for trial in trials) == len(wins(node))
        assert len({(trial.base_tree, trial.tree) for trial in trials}) == 4
        assert node.board()["experiments"] == 4


def test_two_nodes_share_one_board_and_one_folds_what_the_other_found(tmp_path: Path) -> None:
    """A's wins turn up in B's hypotheses; B measures them itself before it keeps them."""
    with nodes(tmp_path, 2) as (finder, folder):
        finder.home.settings.write_text(STAY)
        folder.home.settings.write_text(FOLDS_ONLY)
        finder.start("--experiments", "8", "--nickname", "finder")
        folder.start("--join", finder.addrs()[0], "--nickname", "folder")
        wait_until(lambda: finder.experiments() == 8, finder.tell, 120)
        wait_until(
            lambda: any(entry["adopters"] for entry in finder.board()["entries"]), folder.tell, 120
        )
        folds = [win for win in wins(folder).values() if win.nickname == "folder"]
        assert folds and all(win.family == "fold" and win.pairs for win in folds)
        assert all(wins(folder)[parent].nickname == "finder" for parent in folds[0].parents)
        assert folder.end() == 0
        wait_until(lambda: converged(finder, folder), finder.tell)
        assert finder.board()["entries"] == folder.board()["entries"]


def test_nodes_converge_after_a_kill_and_with_a_late_joiner(tmp_path: Path) -> None:
    """SIGKILL loses nothing accepted; who was away or comes late gets everything."""
    with nodes(tmp_path, 3, STAY) as (first, killed, late):
        first.start("--experiments", "6")
        killed.start("--experiments", "6", "--join", first.addrs()[0])
        wait_until(lambda: killed.experiments() >= 2, killed.tell, 120)
        killed.end(signal.SIGKILL)
        before = killed.record_ids()
        wait_until(lambda: first.experiments() == 6, first.tell, 120)
        late.start("--observe", "--join", first.addrs()[0])
        assert before <= killed.record_ids()
        killed.start("--experiments", "2")  # it finds the others in its peer book
        wait_until(lambda: converged(first, killed, late), killed.tell, 120)
        assert before <= killed.record_ids()
        wait_until(lambda: first.board()["entries"] == late.board()["entries"], late.tell)


def test_a_second_start_goes_on_where_the_first_was_stopped(tmp_path: Path) -> None:
    """Ctrl-C in the middle of an experiment: it is taken up again, and nothing runs twice."""
    with nodes(tmp_path, 1) as (node,):
        for _ in range(10):
            node.start()
            wait_until(lambda: node.experiments() >= 1 and bool(node.status()["running_titles"]))
            assert node.end(signal.SIGINT) == 0
            if interrupted_in(node):
                break
        done = node.experiments()
        interrupted = taken_up(node)
        node.start("--experiments", "3")
        assert node.process is not None and node.process.wait(90) == 0, node.tell()
        assert node.experiments() == done + 3
        assert taken_up(node) == interrupted + 1


def taken_up(node: NodeProcess) -> int:
    """How often a node has said that it goes on with what was interrupted."""
    return node.output.read_text().count("interrupted when this node last stopped")


def interrupted_in(node: NodeProcess) -> list[Hypothesis]:
    """What a node that ended was in the middle of: nothing, if that was over just before."""
    with Journal.open(node.journal(), read_only=True) as journal:
        return from_bytes(journal.state("running") or b"")


def test_trials_that_are_too_old_to_tell_are_passed_over(tmp_path: Path) -> None:
    """A node that was off for days neither waits for ever nor tells peers of them."""
    old = replace(TRIAL, finished_at_ms=1_700_000_000_000)
    with nodes(tmp_path, 1) as (node,):
        task = load_task(str(TOY)).task
        history = History(node.home.history, task.id)
        history.add(old)
        history.close()
        node.start("--observe")
        wait_until(lambda: not unpublished(node, task.id), node.tell, 30)
        assert node.end() == 0, node.tell()
        assert node.record_ids() == set()


def unpublished(node: NodeProcess, task: str) -> bool:
    history = History(node.home.history, task)
    found = bool(history.unpublished(1))
    history.close()
    return found


def test_a_home_is_for_one_node(tmp_path: Path) -> None:
    """A second start in the same home names the process that holds it."""
    with nodes(tmp_path, 1) as (node,):
        node.start("--observe")
        second = refused(node)
        assert node.process is not None and f"process {node.process.pid}" in second
        assert node.process.poll() is None


def test_a_taken_port_is_one_clear_error(tmp_path: Path) -> None:
    """The message names the address."""
    with socket.socket() as taken, nodes(tmp_path, 1) as (node,):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"/ip4/127.0.0.1/tcp/{taken.getsockname()[1]}"
        assert address in refused(node, "--listen", address)


def test_a_peer_that_cannot_be_reached_costs_a_sentence(tmp_path: Path) -> None:
    """Research goes on; the screen says once who does not answer."""
    nobody = "/ip4/127.0.0.1/tcp/9/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
    with nodes(tmp_path, 1) as (node,):
        node.home.settings.write_text(STAY)
        node.start("--experiments", "1", "--join", nobody)
        wait_until(lambda: node.experiments() == 1 and "/tcp/9" in node.tell(), node.tell)
        assert node.tell().count("Trying again in the background.") == 1


def test_detach_and_stop(tmp_path: Path) -> None:
    """`--detach` returns once the node listens; `swarm stop` ends it cleanly."""
    with nodes(tmp_path, 1) as (node,):
        said = node.command(
            "start", "--detach", "--observe", "--task", str(TOY), "--listen", LISTEN
        )
        assert "listening on /ip4/127.0.0.1/tcp/" in said
        assert node.home.running_pid() is not None
        node.command("stop")
        assert node.home.running_pid() is None


def refused(node: NodeProcess, *arguments: str) -> str:
    """Standard error of a start that must fail, which is one sentence and no traceback."""
    command = [sys.executable, "-m", "cli.main", "start", "--home", str(node.root)]
    listen = [] if "--listen" in arguments else ["--listen", LISTEN]
    done = subprocess.run(
        [*command, "--task", str(TOY), "--observe", *listen, *arguments],
        capture_output=True,
        timeout=60,
    )
    said = done.stderr.decode()
    assert done.returncode == 1 and "Traceback" not in said, said
    return said

"""`swarm demo` where it cannot go well: it says why and leaves nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from cli.demo import demo
from tests.processes import wait_until


def test_every_node_needs_an_experiment() -> None:
    """Fewer experiments than nodes is refused before anything starts."""
    with pytest.raises(SystemExit, match="3 nodes need at least 3 experiments"):
        demo(nodes=3, experiments=2)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_ended_ends_its_nodes(tmp_path: Path, sign: signal.Signals) -> None:
    """Also in the first seconds, while the nodes are still starting."""
    with running_demo(tmp_path) as process:
        node = first_node(process)
        process.send_signal(sign)
        assert process.wait(60) != 0
        wait_until(lambda: not node.is_running())


def test_a_node_that_dies_is_named(tmp_path: Path) -> None:
    """The demo ends with the node's last words instead of waiting for it."""
    with running_demo(tmp_path) as process:
        first_node(process).kill()
        assert process.wait(60) == 1
        assert "ada ended with status -9" in (tmp_path / "said").read_text()


def running_demo(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "cli.main", "demo"],
            stdout=said,
            stderr=said,
            env={**os.environ, "TMPDIR": str(folder)},
        )


def first_node(process: subprocess.Popen[bytes]) -> psutil.Process:
    demo_process = psutil.Process(process.pid)
    wait_until(lambda: bool(demo_process.children()))
    return demo_process.children()[0]

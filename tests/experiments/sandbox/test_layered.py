"""The forkserver inside bubblewrap: other namespaces, no home, and nothing left of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from experiments.run import RunStatus
from experiments.sandbox.layered import LayeredSandbox
from tests.experiments.tiny import good, open_tiny, request

LAYERED = LayeredSandbox()


@pytest.mark.skipif(LAYERED.missing() is not None, reason="no bubblewrap or no Landlock here")
async def test_the_forkserver_lives_in_a_world_of_its_own(tmp_path: Path) -> None:
    """Only its folders of the node's home are there, and its network is empty."""
    (tmp_path / "identity.key").write_text("secret")
    async with open_tiny(tmp_path, sandbox=LAYERED) as runner:
        result = await runner.run(request(good(), code=True))
        server = forkserver()
        shared = [
            name
            for name in ("net", "pid", "mnt", "ipc")
            if namespace(server.pid, name) == namespace("self", name)
        ]
        seen = os.listdir(f"/proc/{server.pid}/root{tmp_path}")  # noqa: PTH208
    assert (result.status, result.isolation) == (RunStatus.COMPLETED, LAYERED.name)
    assert shared == []
    assert sorted(seen) == ["cache", "scratch"]
    assert not server.is_running()


def forkserver() -> psutil.Process:
    """The process inside, not the `bwrap` around it."""
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() != "bwrap" and "experiments.forkserver" in process.cmdline():
                return process
    raise AssertionError("no forkserver")


def namespace(process: int | str, name: str) -> str:
    """The identity of a namespace of a process."""
    return os.readlink(f"/proc/{process}/ns/{name}")  # noqa: PTH115

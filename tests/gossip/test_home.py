"""A home belongs to one person and to one running node."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gossip.home import Home, HomeError, HomeInUse, open_home

REPOSITORY = Path(__file__).parents[2]
HOLDER = """
import sys, time
sys.path.insert(0, {repository!r})
from pathlib import Path
from gossip.home import open_home
with open_home(Path(sys.argv[1])).held():
    print("held", flush=True)
    time.sleep(60)
"""


def holder(root: Path) -> subprocess.Popen[str]:
    """A real process that holds the home."""
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER.format(repository=str(REPOSITORY)), str(root)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    return child


def test_a_home_is_its_owners_alone(tmp_path: Path) -> None:
    home = open_home(tmp_path / "a" / "home")
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    for folder in (home.journals, home.cache, home.scratch):
        assert folder.is_dir()


def test_a_home_opened_up_by_hand_is_closed_again(tmp_path: Path) -> None:
    open_home(tmp_path / "home").root.chmod(0o755)
    assert stat.S_IMODE(open_home(tmp_path / "home").root.stat().st_mode) == 0o700


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(HomeError, match=r"home cannot be used as a home.*--home"):
        open_home(tmp_path / "home")


def test_one_node_per_home_and_the_error_says_who(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    child = holder(home.root)
    try:
        assert home.running_pid() == child.pid
        with pytest.raises(HomeInUse, match=f"home is in use by process {child.pid}.*swarm stop"):
            home.held().__enter__()
    finally:
        child.kill()
        child.wait()


def test_a_killed_holder_leaves_no_lock_behind(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    child = holder(home.root)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert home.lock.read_text().strip() == str(child.pid)
    assert home.running_pid() is None
    with home.held():
        assert home.running_pid() == os.getpid()
    assert home.running_pid() is None


def test_a_new_holder_starts_while_others_look(tmp_path: Path) -> None:
    """Looking takes the lock for an instant; that must not fail a start."""
    home = open_home(tmp_path / "home")
    script = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pathlib import Path\nfrom gossip.home import Home\n"
        "print('go', flush=True)\n"
        "while True: Home(Path(sys.argv[1])).running_pid()"
    )
    with home.held():
        pass
    watcher = subprocess.Popen(
        [sys.executable, "-c", script, str(home.root)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert watcher.stdout is not None
        watcher.stdout.readline()
        for _ in range(100):
            with home.held():
                pass
    finally:
        watcher.kill()
        watcher.wait()


def test_status_is_read_back_or_empty(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    assert home.read_status() == {}
    home.write_status({"pid": 7, "peers": 2})
    assert home.read_status() == {"pid": 7, "peers": 2}
    for broken in (b"{", b"[1]", b"\xff", b"[" * 200_000, json.dumps("x").encode()):
        home.status.write_bytes(broken)
        assert home.read_status() == {}


def test_looking_at_a_home_that_is_not_there_makes_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path / "none")
    assert home.running_pid() is None
    assert home.read_status() == {}
    assert not home.root.exists()


def test_a_task_id_cannot_lead_out_of_the_home(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.journal("bafy123").parent == tmp_path / "journals"
    for bad in ("../x", "a/b", "", "a.b"):
        with pytest.raises(HomeError, match="not a task id"):
            home.journal(bad)

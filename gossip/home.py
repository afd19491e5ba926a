"""
The folder a node lives in, and the lock that keeps it to one node.

Law: every path inside the home is named here and nowhere else. The folder is
its owner's alone (0700). The lock is the kernel's: it ends with the process that
holds it, however that process ends, so no stale lock file can block a start.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

_LOCK_BYTES = 32
_LOCK_TRIES = 10
_LOCK_PAUSE_SECONDS = 0.03
_STATUS_BYTES = 1024 * 1024


class HomeError(Exception):
    """The home cannot be used; the message names it and the fix."""


class HomeInUse(HomeError):  # noqa: N818 - names the condition
    """Another node is running in this home."""

    def __init__(self, root: Path, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{root} is in use by {who}: stop that node with `swarm stop --home {root}`, "
            "or start this one with another --home"
        )
        self.pid = pid


@dataclass(frozen=True, slots=True)
class Home:
    """Where everything of one node lies. Use `open_home` to make it."""

    root: Path

    @property
    def identity(self) -> Path:
        """The node's private key, mode 0600."""
        return self.root / "identity.key"

    @property
    def journals(self) -> Path:
        """The folder with one journal per topic."""
        return self.root / "journals"

    def journal(self, task_id: str, label: str = "") -> Path:
        """
        The journal of a task's public topic, or of the private topic with this label.

        Both are letters and digits (a CID, base32) and so safe file names.
        """
        if not task_id.isalnum():
            raise HomeError(f"{task_id!r} is not a task id: use the one `swarm task list` shows")
        if label and not label.isalnum():
            raise HomeError(f"{label!r} is not a topic's label")
        return self.journals / (f"{task_id}.{label}.sqlite" if label else f"{task_id}.sqlite")

    @property
    def topics(self) -> Path:
        """The folder with the keys of private topics."""
        return self.root / "topics"

    def topic(self, name: str) -> Path:
        """The key of one private topic, mode 0600; the name is a short plain word."""
        return self.topics / f"{name}.json"

    @property
    def tasks(self) -> Path:
        """Tasks that came from peers, a folder each, named by their id."""
        return self.root / "tasks"

    @property
    def runs(self) -> Path:
        """The cache of measured runs."""
        return self.root / "runs.sqlite"

    @property
    def history(self) -> Path:
        """What this node has tried."""
        return self.root / "history.sqlite"

    @property
    def peers(self) -> Path:
        """The peer book of public topics."""
        return self.peer_book()

    def peer_book(self, label: str = "") -> Path:
        """The peer book of public topics, or of the private topic with this label."""
        return self.root / (f"peers-{label}.json" if label else "peers.json")

    @property
    def trust(self) -> Path:
        """The peers that the person named as trusted."""
        return self.root / "trust.json"

    @property
    def llm(self) -> Path:
        """What language models were asked today, and what that cost."""
        return self.root / "llm.json"

    @property
    def program(self) -> Path:
        """The person's words to the language model, if they left any here."""
        return self.root / "program.md"

    @property
    def lock(self) -> Path:
        """The lock file; holds the pid of the running node."""
        return self.root / "node.lock"

    @property
    def status(self) -> Path:
        """What the running node last said about itself, as JSON."""
        return self.root / "status.json"

    @property
    def watch_token(self) -> Path:
        """What readers on other machines must show to the API, mode 0600."""
        return self.root / "watch.token"

    @property
    def log(self) -> Path:
        """The node's log."""
        return self.root / "node.log"

    @property
    def settings(self) -> Path:
        """The person's settings, which win over the profile's."""
        return self.root / "settings.toml"

    @property
    def cache(self) -> Path:
        """Prepared corpora; may be deleted at any time."""
        return self.root / "cache"

    @property
    def scratch(self) -> Path:
        """Workspaces of running experiments; emptied at start."""
        return self.root / "scratch"

    def running_pid(self) -> int | None:
        """The pid of the node that runs in this home now, or None."""
        try:
            descriptor = os.open(self.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _pid_in(descriptor)
        finally:
            os.close(descriptor)
        return None

    def read_status(self) -> dict[str, object]:
        """What the node last wrote about itself; empty when there is nothing to read."""
        try:
            with self.status.open("rb") as file:
                found: object = json.loads(file.read(_STATUS_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return _object(found)

    def write_status(self, status: Mapping[str, object]) -> None:
        """Replace the status file in one step, so that a reader never sees half of one."""
        fresh = self.status.with_suffix(".new")
        fresh.write_text(json.dumps(status), "utf-8")
        fresh.replace(self.status)

    @contextmanager
    def held(self) -> Generator[None]:
        """
        Hold the home for this process.

        Raises:
            HomeInUse: Another process holds it; says which.
            HomeError: The lock file cannot be opened.
        """
        try:
            descriptor = os.open(
                self.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise _unusable(self.root, error) from error
        try:
            _lock(descriptor, self.root)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def open_home(root: Path) -> Home:
    """
    The home at `root`, made with its folders when it is not there.

    Raises:
        HomeError: It is not a folder, or may not be written.
    """
    home = Home(root.expanduser().absolute())
    try:
        for folder in (home.root, home.journals, home.topics, home.cache, home.scratch):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.root.chmod(0o700)
    except OSError as error:
        raise _unusable(home.root, error) from error
    return home


def _lock(descriptor: int, root: Path) -> None:
    try:
        # More than once: `running_pid` holds the lock for an instant to look at it.
        for _ in range(_LOCK_TRIES):
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE_SECONDS)
        raise HomeInUse(root, _pid_in(descriptor))
    except OSError as error:
        if error.errno == errno.ENOLCK:
            raise HomeError(
                f"{root} is on a file system without locks: use a --home on a local disk"
            ) from error
        raise


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, _LOCK_BYTES, 0).strip()
    return int(text) if text.isdigit() else None


def _object(found: object) -> dict[str, object]:
    if not isinstance(found, dict):
        return {}
    return cast("dict[str, object]", found)


def _unusable(root: Path, error: OSError) -> HomeError:
    return HomeError(
        f"{root} cannot be used as a home ({error.strerror}): "
        "choose a folder of yours with --home or SWARM_HOME"
    )

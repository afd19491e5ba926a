"""`swarm start`: a node in the foreground, or in the background."""

from __future__ import annotations

import errno
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from cli.failures import CommandError, is_explained
from cli.garbage import leave_out_what_is_there, look_seldom
from cli.hints import program
from cli.settings_file import load_settings
from experiments.task_folder import load_task
from gossip import topics
from gossip.home import Home, HomeInUse, open_home
from swarm import events
from swarm.settings import Settings
from swarm.topic import PUBLIC

START_SECONDS = 60.0
POLL_SECONDS = 0.1
TAIL_BYTES = 4096
OUTPUT_BYTES = 4 * 1024 * 1024
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def start(root: Path, *, profile: str | None, flags: Mapping[str, object], detach: bool) -> int:
    """
    Run a node in `root`; with `detach`, start one and return once it listens.

    Returns:
        The exit status.

    Raises:
        SettingsError, HomeError, TaskError, …: What a person must see to.
    """
    os.umask(0o077)
    home = open_home(root)
    settings = load_settings(
        home_file=home.settings, profile=profile, environment=os.environ, flags=flags
    )
    _check_task(settings, home, flags.get("task"))
    if detach:
        return _start_detached(home)
    run(settings, home)
    return 0


def _check_task(settings: Settings, home: Home, named: object) -> None:
    """Refuse a `--task` that is not what the topic works on; without one it has its own."""
    if settings.topic == PUBLIC or not isinstance(named, str):
        return
    member = topics.load(home, settings.topic)
    if load_task(named).task.id != member.task:
        raise CommandError(
            f"topic {member.name} works on another task than {named}: leave out --task"
        )


def run(settings: Settings, home: Home) -> None:
    """Run a node in this process until it ends."""
    import trio

    from cli.console import NodeConsole
    from cli.logs import log_event, log_failure, log_to
    from node import serve

    look_seldom()
    log_to(home.log)
    with NodeConsole() as console:

        def report(event: events.Event) -> None:
            with _room_or_silence():
                console.report(event)
            log_event(event)
            _start_over(_output(home))
            if isinstance(event, events.Listening):
                leave_out_what_is_there()

        try:
            trio.run(partial(serve, settings, home, report))
        except BaseExceptionGroup as group:
            error = _to_tell(group)
            log_failure(error)
            raise error from group
        console.goodbye()


def _to_tell(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Of the errors in nested groups one a person can fix, or else the only one, or else all."""
    errors = list(_leaves(group))
    fixable = [error for error in errors if is_explained(error)]
    return next(iter(fixable), errors[0] if len(errors) == 1 else group)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:
        yield from _leaves(inner)


@contextmanager
def _room_or_silence() -> Generator[None]:
    """Where the screen is a file on a full disk, its lines are lost and the node goes on."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise


def _output(home: Home) -> Path:
    """The words of a node in the background."""
    return home.root / "node.out"


def _start_over(output: Path) -> None:
    """Empty a file of words that has had its share; the log holds the older ones."""
    if output.is_file() and output.stat().st_size > OUTPUT_BYTES:
        os.truncate(output, 0)


def _start_detached(home: Home) -> int:
    if (pid := home.running_pid()) is not None:
        raise HomeInUse(home.root, pid)
    output = _output(home)
    output.unlink(missing_ok=True)
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            print(_tail(output), file=sys.stderr)
            return process.returncode or 1
        if addrs := _listening(home, process.pid):
            for addr in addrs:
                print(f"listening on {addr}")
            print(f"running in the background as process {process.pid}; its words: {output}")
            print(f"end it with: {program()} stop --home {shlex.quote(str(home.root))}")
            return 0
        time.sleep(POLL_SECONDS)
    print(f"the node (process {process.pid}) is slow to start; see {output}", file=sys.stderr)
    return 1


def _listening(home: Home, pid: int) -> list[str]:
    """Where the node of this process listens; empty while it does not."""
    status = home.read_status()
    if status.get("pid") != pid:
        return []
    return [str(addr) for addr in cast("list[object]", status.get("listen_addrs", []))]


def _tail(path: Path) -> str:
    return path.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace")

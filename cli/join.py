"""
`swarm join`: become a member of a private topic.

Law: a task that is not on this machine is fetched from a member, checked against the
invite's task id, shown, and agreed to by a person before any of it can run.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from functools import partial
from pathlib import Path

from rich.text import Text

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import console, facts, size
from cli.text import plain, shortened
from cli.topic import check_name, running_on
from experiments.sandbox import best_sandbox
from experiments.task_folder import built_in_tasks, lasting_source, load_task
from experiments.task_store import store_task
from gossip import topics
from gossip.home import Home, open_home
from gossip.identity import load_or_create
from gossip.topics import Membership
from swarm.invite import MAX_INVITE_CHARS, Invite, read_invite
from swarm.task import Task, TaskError
from swarm.task_package import PackageError, TaskPackage, read_package


def join(root: Path, text: str, *, task: str | None, name: str | None, yes: bool) -> None:
    """
    Take an invite.

    Args:
        text: The invite, or `-` to read it from standard input.
        task: Where the task is here, if it is.
        name: What to call the topic here; None: what the invite calls it.
        yes: Whether a task that a member sends is agreed to.

    Raises:
        CommandError: Something in the way, or a task was not agreed to.
        InviteError, TopicError, TaskError, JoinError: What a person must see to.
    """
    os.umask(0o077)
    home = open_home(root)
    invite = read_invite(sys.stdin.read(2 * MAX_INVITE_CHARS) if text == "-" else text)
    invite.check_fresh(_now_ms())
    if (known := topics.with_id(home, invite.key.id)) is not None:
        _renew(home, known, invite)
        return
    name = name or invite.name
    try:
        check_name(home, name)
    except CommandError as error:
        raise CommandError(f"{error}, for example with --as {name}-2") from error
    source = _task_here(home, invite, task) or _task_from_members(home, invite, yes=yes)
    topics.save(
        home,
        Membership(name, invite.key, invite.task, source, invite.closed, invite.addrs, _now_ms()),
    )
    print(f"joined topic {name}")
    print(spelled(f"`swarm start --topic {name}` begins"))


def _renew(home: Home, known: Membership, invite: Invite) -> None:
    """A new invite to a topic of this home brings its new key and addresses."""
    member = topics.renewed(known, invite)
    topics.save(home, member)
    if member.key == known.key:
        print(f"this is topic {known.name}, which is here already with the same key")
        return
    print(f"topic {known.name} now has key {member.key.epoch}")
    if running_on(home, known):
        print(spelled("the node that runs here has the old key: `swarm stop` it and start it"))


def _task_here(home: Home, invite: Invite, given: str | None) -> str | None:
    """Where this machine has the invite's task, if it does."""
    if given is not None:
        loaded = load_task(given)
        if loaded.task.id != invite.task:
            raise CommandError(
                f"{given} is task {loaded.task.id}, and the invite is for {invite.task}: "
                "name another folder, or leave out --task and get it from a member"
            )
        return lasting_source(given)
    for source in (*built_in_tasks(), str(home.tasks / invite.task)):
        try:
            if load_task(source).task.id == invite.task:
                return source
        except TaskError:
            continue
    return None


def _task_from_members(home: Home, invite: Invite, *, yes: bool) -> str:
    """Fetch the task, show it, and keep it once it is agreed to; returns its folder."""
    package = _fetched(home, invite)
    offered = store_task(package, home.tasks / "offered")
    _show(package, offered)
    if not yes and not _agreed(package.task):
        raise CommandError(
            f"not joined: read the task in {offered}, then agree with `swarm join INVITE --yes`"
        )
    folder = store_task(package, home.tasks)
    shutil.rmtree(offered, ignore_errors=True)
    return str(folder)


def _fetched(home: Home, invite: Invite) -> TaskPackage:
    import trio

    from cli.logs import log_nowhere
    from gossip.joining import JoinError, fetch_task

    log_nowhere()
    identity = load_or_create(home.identity)
    print("this machine does not have the topic's task: asking a member for it", flush=True)
    try:
        data = trio.run(partial(fetch_task, invite, identity, _tell))
        return read_package(data, invite.task)
    except (JoinError, PackageError) as error:
        raise CommandError(str(error)) from error


def _tell(message: str) -> None:
    print(f"  {plain(message)}", file=sys.stderr)


def _show(package: TaskPackage, folder: Path) -> None:
    """What would run here, before any of it does."""
    task = package.task
    sandbox = best_sandbox(task.harness)
    confined = f"{sandbox.name}" if sandbox.isolates else "none: it would run with all your rights"
    if task.harness == "stream":
        runs = "train.py, changed by peers; and prepare.py, which is not confined"
    else:
        runs = "\n".join(plain(step) for step in task.steps)
    files = [
        f"{path}  {size(len(content))}{'' if path in task.editable else ', frozen'}"
        for path, content in sorted(package.files.items())
    ]
    rows: dict[str, Text | str] = {
        "task": f"{plain(task.name)}: {shortened(plain(task.title), 120)}",
        "metric": f"{plain(task.metric.name)} ({task.metric.direction})",
        "runs": Text(runs),
        "files": Text("\n".join(files)),
        "isolation": confined,
        "to read": str(folder),
    }
    print("A member sent the task. It is what the invite promised, and nothing of it has run:")
    console().print(facts(rows))


def _agreed(task: Task) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"Run {plain(task.name)} on this machine? [y/N] ").strip().lower() in ("y", "yes")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

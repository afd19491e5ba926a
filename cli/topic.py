"""`swarm topic`: the private topics of a home, their keys and their members."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import DIM, age, console, counted, facts, iso_time, print_json
from cli.settings_file import load_settings
from cli.text import plain
from experiments.task_folder import lasting_source, load_task
from gossip import topics
from gossip.home import Home, open_home
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from gossip.members import STATE, read_members
from gossip.topics import Membership
from swarm.task import TaskError
from swarm.topic import ID_BYTES, SECRET_BYTES, TopicKey, is_topic_name


def create(root: Path, name: str, *, task: str | None, closed: bool) -> None:
    """
    Make a topic and its first key.

    Raises:
        CommandError: The name is taken or no name.
        TaskError, SettingsError, TopicError: What a person must see to.
    """
    os.umask(0o077)
    home = open_home(root)
    check_name(home, name)
    source = lasting_source(task or _task_in_settings(home))
    loaded = load_task(source)
    key = TopicKey(secrets.token_bytes(ID_BYTES), 1, secrets.token_bytes(SECRET_BYTES))
    topics.save(home, Membership(name, key, loaded.task.id, source, closed, (), _now_ms()))
    print(f"made topic {name}, which works on {loaded.task.name}")
    print(spelled(f"`swarm start --topic {name}` begins; `swarm invite --topic {name}` lets"))
    print("others in. Whoever holds the key is a member: there is no other list.")


def check_name(home: Home, name: str) -> None:
    """
    Refuse a name that is taken, or none.

    Raises:
        CommandError: Saying what to choose.
    """
    if not is_topic_name(name):
        raise CommandError(
            f"{name!r} cannot name a private topic: use 1 to 32 small letters, digits, - and _, "
            "and not `public`"
        )
    if name in topics.names(home):
        raise CommandError(f"there is a topic {name} here already: choose another name")


def list_topics(root: Path, *, as_json: bool) -> None:
    """Print the private topics of a home, for people or as one JSON list."""
    home = Home(root)
    held = [topics.load(home, name) for name in topics.names(home)]
    if as_json:
        print_json([_document(home, member) for member in held])
        return
    if not held:
        print(spelled("no private topics here: `swarm topic create NAME`, or `swarm join INVITE`"))
        return
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for heading in ("topic", "task", "key", "members", "network"):
        table.add_column(heading)
    for member in held:
        table.add_row(
            Text(member.name, "bold"),
            Text(_task_name(member)),
            key_words(home, member),
            str(len(_members(home, member))),
            "closed" if member.closed else "open",
        )
    console().print(table)


def show_topic(root: Path, name: str, *, as_json: bool) -> None:
    """Print one topic and its members, for people or as one JSON document."""
    home = Home(root)
    member = topics.load(home, name)
    if as_json:
        print_json(_document(home, member))
        return
    screen = console()
    screen.print(
        facts(
            {
                "topic": Text(name, "bold"),
                "task": Text(_task_name(member)),
                "task id": member.task,
                "files": Text(member.source),
                "key": f"number {key_words(home, member)}",
                "network": "closed to all without the key" if member.closed else "open",
                "journal": str(home.journal(member.task, member.key.label)),
            }
        )
    )
    _print_members(_members(home, member))


def rotate(root: Path, name: str) -> None:
    """Give a topic a new key; prints what to do for those who stay."""
    home = open_home(root)
    member = topics.load(home, name)
    key = replace(member.key, epoch=member.key.epoch + 1, secret=secrets.token_bytes(SECRET_BYTES))
    topics.save(home, replace(member, key=key))
    print(f"topic {name} now has key {key.epoch}; nobody else has it yet")
    print(spelled(f"hand each member who stays a new invite: `swarm invite --topic {name}`;"))
    print("they type `swarm join INVITE` and start again. Records stay as they are.")
    if running_on(home, member):
        print(spelled("The node that runs here has the old key: `swarm stop` it and start it."))


def leave(root: Path, name: str, *, forget: bool) -> None:
    """
    Forget a topic's key; with `forget`, its records too.

    Raises:
        CommandError: A node runs on it here.
    """
    home = open_home(root)
    member = topics.load(home, name)
    if running_on(home, member):
        raise CommandError(f"a node is running on topic {name} here: `swarm stop` it first")
    topics.remove(home, member)
    journal = home.journal(member.task, member.key.label)
    print(f"left topic {name}: its key is gone, and only a new invite brings it back")
    if forget:
        for path in home.journals.glob(f"{journal.name}*"):
            path.unlink()
        print("its records are gone from this machine too")
    elif journal.exists():
        print(f"its records are still in {journal}")


def running_on(home: Home, member: Membership) -> bool:
    """Whether the node that runs in this home runs on this topic."""
    return epoch_in_use(home, member) is not None


def epoch_in_use(home: Home, member: Membership) -> int | None:
    """The number of the key that a node runs with on this topic here, if one does."""
    match home.read_status():
        case {"pid": pid, "topic": {"label": member.key.label, "epoch": int(epoch)}}:
            return epoch if pid == home.running_pid() else None
        case _:
            return None


def key_words(home: Home, member: Membership) -> str:
    """A key's number; and what to do where the node that runs here has an older one."""
    used, newest = epoch_in_use(home, member), member.key.epoch
    if used in (None, newest):
        return str(newest)
    return spelled(f"{newest}, but the node that runs has {used}: `swarm stop` it and start it")


def _task_name(member: Membership) -> str:
    """What a topic's task calls itself, or else where it was."""
    try:
        return plain(load_task(member.source).task.name)
    except TaskError:
        return member.source


def _task_in_settings(home: Home) -> str:
    settings = load_settings(
        home_file=home.settings, profile=None, environment=os.environ, flags={}
    )
    return settings.task


def _members(home: Home, member: Membership) -> dict[str, tuple[int, int]]:
    """By peer id: when it was last met or made a record (Unix ms), and how many records."""
    path = home.journal(member.task, member.key.label)
    try:
        with Journal.open(path, read_only=True) as journal:
            seen = read_members(journal.state(STATE))
            records: Counter[str] = Counter()
            for _, _, author, created_at_ms in journal.listed():
                records[author] += 1
                seen[author] = max(seen.get(author, 0), created_at_ms)
    except JournalMissing:
        return {}
    return {peer: (at, records[peer]) for peer, at in seen.items()}


def _print_members(members: dict[str, tuple[int, int]]) -> None:
    screen = console()
    if not members:
        screen.print("\nno members met yet")
        return
    table = Table(box=None, pad_edge=False, header_style=DIM)
    for heading in ("member", "last met", "records"):
        table.add_column(heading)
    for peer, (at, records) in sorted(members.items(), key=lambda each: -each[1][0]):
        table.add_row(peer, f"{age((_now_ms() - at) / 1000)} ago", f"{records:,}")
    screen.print(f"\n{counted(len(members), 'member')} met or heard of")
    screen.print(table)


def _document(home: Home, member: Membership) -> dict[str, object]:
    return {
        "name": member.name,
        "task": member.task,
        "source": member.source,
        "epoch": member.key.epoch,
        "epoch_in_use": epoch_in_use(home, member),
        "closed": member.closed,
        "joined_at": iso_time(member.since_ms),
        "members": [
            {"peer_id": peer, "last_met_at": iso_time(at), "records": records}
            for peer, (at, records) in sorted(_members(home, member).items())
        ],
    }


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

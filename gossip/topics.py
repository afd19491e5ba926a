"""
The private topics this node is a member of, one secret file each, and the topic it runs.

Law: a file here is its owner's alone (0600) and is replaced whole or not at all; one
that others can read, or that does not hold a topic, is refused with the fix. The
secret is in the file and in invites, in no message and in no log.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from gossip.home import Home
from gossip.sealed import Seal
from swarm.cid import is_cid
from swarm.invite import Invite
from swarm.records import PeerId, TaskId
from swarm.topic import PUBLIC, TopicKey, TopicKeyError, is_topic_name, public_topic
from swarm.validation import Scope

_VERSION = 1
_MAX_FILE_BYTES = 64 * 1024


class TopicError(Exception):
    """A topic cannot be used; the message says why and what to type."""


@dataclass(frozen=True, slots=True)
class Membership:
    """
    A private topic as its member keeps it.

    Attributes:
        name: What this node's owner calls it.
        key: The key of the epoch last heard of.
        task: What it works on.
        source: Where this machine has the task: a built-in name or a folder.
        closed: Whether its network needs the pre-shared key that the key gives.
        addrs: Full multiaddrs of the members named in the invite.
        since_ms: When this node created or joined it, Unix epoch milliseconds.
    """

    name: str
    key: TopicKey
    task: TaskId
    source: str
    closed: bool
    addrs: tuple[str, ...]
    since_ms: int


@dataclass(frozen=True, slots=True)
class Topic:
    """
    The one topic that a node runs.

    Attributes:
        name: `public`, or what its owner calls it.
        label: A private topic's id as text, in the names of its files; "" for public.
        epoch: The number of a private topic's key; 0 for public.
        scope: What its records name.
        wire: The GossipSub topic.
        dht_key: Under which its members find each other in a DHT.
        seal: What its payloads are sealed with; None: they are public.
        pre_shared_key: 64 hex digits for a closed network, else None.
        addrs: Full multiaddrs of members to begin with.
    """

    name: str
    label: str
    scope: Scope
    wire: str
    dht_key: bytes
    seal: Seal | None = None
    pre_shared_key: str | None = None
    addrs: tuple[str, ...] = ()
    epoch: int = 0

    @classmethod
    def public(cls, task: TaskId) -> Topic:
        """The topic on which anyone may work on a task."""
        wire = public_topic(task)
        return cls(PUBLIC, "", Scope(wire, task), wire, hashlib.sha256(wire.encode()).digest())

    @classmethod
    def private(cls, member: Membership) -> Topic:
        """A topic for those who have its key."""
        key = member.key
        return cls(
            name=member.name,
            label=key.label,
            scope=key.scope(member.task),
            wire=key.wire_topic,
            dht_key=key.dht_key,
            seal=Seal(key),
            pre_shared_key=key.pre_shared_key if member.closed else None,
            addrs=member.addrs,
            epoch=key.epoch,
        )

    @property
    def entrances(self) -> dict[PeerId, tuple[str, ...]]:
        """The addresses to begin with, by whom to expect there."""
        found: dict[PeerId, tuple[str, ...]] = {}
        for addr in self.addrs:
            peer = addr.rpartition("/p2p/")[2]
            found[peer] = (*found.get(peer, ()), addr)
        return found

    @property
    def work(self) -> str:
        """What tells apart what a node did here from what it did elsewhere."""
        return f"{self.scope.task}.{self.label}" if self.label else self.scope.task


def alone(topic: Topic) -> str:
    """What to tell the owner of a node that has met nobody."""
    if topic.seal is None:
        return (
            "No peers yet, so this node works alone; its wins keep. Others join with `swarm start "
            "--join ADDRESS`, an address that this node listens on. Among friends: `swarm topic "
            "create NAME`, then `swarm invite --topic NAME`. To host: `swarm start --observe "
            "--listen /ip4/0.0.0.0/tcp/4001` where others can reach that port."
        )
    return (
        f"No member of topic {topic.name} met yet, so this node works alone; its wins keep. "
        f"`swarm invite --topic {topic.name}` prints what another machine needs to join. If there "
        "are members already, ask one for a new invite: the key may have been rotated, or the "
        "addresses may have changed."
    )


def names(home: Home) -> list[str]:
    """The private topics of this home, sorted."""
    return sorted(path.stem for path in home.topics.glob("*.json") if is_topic_name(path.stem))


def load(home: Home, name: str) -> Membership:
    """
    A topic by its name.

    Raises:
        TopicError: There is none, or its file cannot be used.
    """
    if not is_topic_name(name) or not (path := home.topic(name)).exists():
        known = names(home)
        there = f"those here are {', '.join(known)}; " if known else ""
        raise TopicError(
            f"there is no topic {name!r} here: {there}`swarm topic create NAME` makes one, "
            "`swarm join INVITE` joins one"
        )
    data = _read_private(path)
    try:
        return _membership(name, json.loads(data))
    except (ValueError, RecursionError, TopicKeyError) as error:
        raise TopicError(
            f"{path} is damaged: remove it and join again with an invite of another member"
        ) from error


def save(home: Home, member: Membership) -> None:
    """
    Keep a topic, whole, readable by its owner only.

    Raises:
        TopicError: The file cannot be written.
    """
    path = home.topic(member.name)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, flags, 0o600), "w") as file:
            json.dump(_document(member), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise TopicError(f"{path} cannot be written ({error.strerror})") from error


def remove(home: Home, member: Membership) -> None:
    """Forget a topic's key and its peers; what is in its journal stays."""
    home.peer_book(member.key.label).unlink(missing_ok=True)
    home.topic(member.name).unlink(missing_ok=True)


def with_id(home: Home, topic_id: bytes) -> Membership | None:
    """The topic of this id, whatever it is called here."""
    found = (load(home, name) for name in names(home))
    return next((member for member in found if member.key.id == topic_id), None)


def renewed(member: Membership, invite: Invite) -> Membership:
    """
    A topic with the key of a later invite to it.

    Raises:
        TopicError: The invite's key is older, or another of the same epoch.
    """
    now, then = member.key, invite.key
    if invite.task != member.task:
        raise TopicError(
            f"this invite gives topic {member.name} another task than it has here: "
            "ask for a new invite"
        )
    if then.epoch < now.epoch:
        raise TopicError(
            f"this invite is for key {then.epoch} of topic {member.name}, and key {now.epoch} is "
            "here already: ask for a new invite"
        )
    if then.epoch == now.epoch and then.secret != now.secret:
        raise TopicError(
            f"this is another key {then.epoch} of topic {member.name} than the one here, as when "
            "two members rotate at once: agree on one, then `swarm topic leave` and join that one"
        )
    return replace(member, key=then, closed=invite.closed, addrs=invite.addrs or member.addrs)


def _read_private(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise TopicError(f"{path} is not a plain file: move it away")
            if status.st_mode & 0o077:
                raise TopicError(
                    f"{path} holds a secret and can be read by others. If nobody did: "
                    f"chmod 600 {path}; otherwise also `swarm topic rotate {path.stem}`"
                )
            return file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise TopicError(f"{path} cannot be read ({error.strerror})") from error


def _document(member: Membership) -> dict[str, object]:
    return {
        "version": _VERSION,
        "id": member.key.id.hex(),
        "epoch": member.key.epoch,
        "secret": member.key.secret.hex(),
        "task": member.task,
        "source": member.source,
        "closed": member.closed,
        "addrs": list(member.addrs),
        "since_ms": member.since_ms,
    }


def _membership(name: str, found: object) -> Membership:
    if not isinstance(found, dict):
        raise ValueError("not an object")
    said = cast("dict[str, object]", found)
    addrs = said.get("addrs")
    if said.get("version") != _VERSION or not isinstance(addrs, list):
        raise ValueError("of another version")
    epoch, since_ms, closed = said.get("epoch"), said.get("since_ms"), said.get("closed")
    if type(epoch) is not int or type(since_ms) is not int or type(closed) is not bool:
        raise ValueError("a field of another type")
    task = _text(said, "task")
    if not is_cid(task):
        raise ValueError("no task id")
    return Membership(
        name=name,
        key=TopicKey(bytes.fromhex(_text(said, "id")), epoch, bytes.fromhex(_text(said, "secret"))),
        task=task,
        source=_text(said, "source"),
        closed=closed,
        addrs=tuple(str(addr) for addr in cast("list[object]", addrs)),
        since_ms=since_ms,
    )


def _text(said: dict[str, object], key: str) -> str:
    value = said.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value

"""
What follows from a private topic's key: names, keys, and the scope of its records.

A topic has an id for life and a secret for each epoch of its key. The id stands in
records, so those of one topic are records of no other, and stay valid when the key
changes. Everything an outsider can see or needs (the name on the wire, the key in
the DHT, the keys that seal) follows from the secret and changes with it.

Law: pure and one-way. Nothing derived here gives away the secret, the id, the
person's name for the topic or its task.

Source: BLAKE2b as a keyed derivation, https://www.rfc-editor.org/rfc/rfc7693
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass, field

from swarm.records import TaskId
from swarm.validation import Scope

PUBLIC = "public"
"""The topic that anyone may join; it has no key."""

NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,31}"
"""What a person may call a topic."""

ID_BYTES = 16
SECRET_BYTES = 32
MAX_EPOCH = (1 << 32) - 1

_NAME = re.compile(NAME_PATTERN)
_PREFIX = "/research-swarm/1"
_PERSON = b"research-swarm 1"


class TopicKeyError(ValueError):
    """An id, secret or epoch that no topic has; the text names it."""


def is_topic_name(text: str) -> bool:
    """Whether a private topic may have this name."""
    return _NAME.fullmatch(text) is not None and text != PUBLIC


@dataclass(frozen=True, slots=True)
class TopicKey:
    """
    The key of a private topic in one epoch. Who has it is a member.

    Attributes:
        id: `ID_BYTES` random bytes, the topic's for life.
        epoch: 1 for the first key, one more with each rotation.
        secret: `SECRET_BYTES` random bytes, this epoch's alone.

    Raises:
        TopicKeyError: One of them has another form.
    """

    id: bytes
    epoch: int
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.id) != ID_BYTES:
            raise TopicKeyError(f"a topic's id has {ID_BYTES} bytes")
        if len(self.secret) != SECRET_BYTES:
            raise TopicKeyError(f"a topic's secret has {SECRET_BYTES} bytes")
        if not 1 <= self.epoch <= MAX_EPOCH:
            raise TopicKeyError(f"the epoch of a topic's key is 1 to {MAX_EPOCH}")

    @property
    def label(self) -> str:
        """The id as text: letters and digits, a safe file name."""
        return _text(self.id)

    def derived(self, purpose: str) -> bytes:
        """32 secret bytes for one purpose; those of another tell nothing about them."""
        said = b"\0".join((purpose.encode(), self.id, self.epoch.to_bytes(8, "big")))
        return hashlib.blake2b(said, digest_size=32, key=self.secret, person=_PERSON).digest()

    @property
    def wire_topic(self) -> str:
        """The GossipSub topic of this epoch; looks like that of some task and is of none."""
        return f"{_PREFIX}/{_text(self.derived('wire topic'))}"

    @property
    def dht_key(self) -> bytes:
        """Under which members of this epoch provide and find each other in a DHT."""
        return self.derived("dht key")

    @property
    def pre_shared_key(self) -> str:
        """The libp2p pre-shared key of a closed topic, 64 hex digits."""
        return self.derived("pre-shared key").hex()

    def scope(self, task: TaskId) -> Scope:
        """What records of this topic name, in every epoch."""
        return Scope(private_topic(self.label), task)


def private_topic(label: str) -> str:
    """The topic that records of a private topic name, from the topic's `label`."""
    return f"{_PREFIX}/private/{label}"


def public_topic(task: TaskId) -> str:
    """The topic that public records of a task name."""
    return f"{_PREFIX}/{task}"


def _text(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()

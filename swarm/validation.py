"""
Whether an envelope holds a valid record of one topic and task.

Law: `validate` is total and timeless. It looks at no clock, no quota and no
other record, so every peer gives the same answer for ever, and a journal can be
replayed through it alone. What stands at the network door is `swarm.admission`.
"""

from dataclasses import dataclass
from typing import Literal

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError

from swarm.cid import cid_of
from swarm.envelope import EnvelopeError, open_envelope
from swarm.peer_id import peer_id_of
from swarm.records import Record, RecordError, RecordId, Replication, TaskId, decode


@dataclass(frozen=True, slots=True)
class Scope:
    """The topic and task a record must name."""

    topic: str
    task: TaskId


@dataclass(frozen=True, slots=True)
class Valid:
    """A record that anyone may keep, its id, and the bytes that prove it."""

    id: RecordId
    record: Record
    envelope: bytes


class Invalid(ValueError):  # noqa: N818 - a verdict on the peer's bytes, not our error
    """
    An envelope that no honest peer makes or passes on.

    Attributes:
        reason: What is wrong, naming the field.
        at_fault: Always the peer: own records are checked when they are encoded.
    """

    at_fault: Literal["peer"] = "peer"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def validate(envelope: bytes, scope: Scope) -> Valid:
    """
    The record in `envelope`.

    Args:
        envelope: Untrusted bytes.
        scope: The topic and task this record must have been made for.

    Raises:
        Invalid: The envelope or record is malformed, the record names another
            author, topic or task, or a replication's challenge is not its author's.
    """
    try:
        public_key, payload = open_envelope(envelope)
        record = decode(payload)
    except (EnvelopeError, RecordError) as error:
        raise Invalid(str(error)) from error
    if record.author != peer_id_of(public_key):
        raise Invalid("author: the record is signed by another peer than it names")
    if record.topic != scope.topic:
        raise Invalid("topic: the record was made for another topic")
    if record.task != scope.task:
        raise Invalid("task: the record was made for another task")
    if isinstance(record, Replication):
        _check_challenge(record, public_key)
    return Valid(cid_of(payload), record, envelope)


def challenge_message(win: RecordId) -> bytes:
    """What a replicator of `win` signs to draw its challenge slice."""
    return b"challenge" + win.encode()


def _check_challenge(replication: Replication, public_key: bytes) -> None:
    try:
        crypto_sign_open(replication.challenge + challenge_message(replication.win), public_key)
    except BadSignatureError as error:
        raise Invalid("challenge: not the author's signature over this win") from error

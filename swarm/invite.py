"""
An invite: one line of text that makes its reader a member of a private topic.

    swarm1-<base32 of payload and checksum>

The number is the version. The payload is canonical msgpack; the checksum, over
version and payload, tells a slip of the hand from an invite of another kind. Case
and white space do not matter, so a line broken by mail or read from a QR code works.

Law: `read_invite` is total: any text gives an invite or an `InviteError` whose
sentence says what to do. The expiry binds honest programs only; the key inside is
good until the topic's key is rotated.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b32decode, b32encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from swarm.canonical import CanonicalError, pack, unpack
from swarm.cid import is_cid
from swarm.peer_id import PeerIdError, public_key_of
from swarm.records import TaskId
from swarm.topic import TopicKey, TopicKeyError, is_topic_name

VERSION = 1
MAX_INVITE_CHARS = 4096
MAX_ADDRS = 8
MAX_ADDR_CHARS = 256
MAX_EXPIRES_AT_S = 1 << 40

_FORM = re.compile(r"swarm([0-9]{1,6})-([a-z2-7]*)")
_ADDRESS = re.compile(r"/[!-~]+")
_CHECKSUM_BYTES = 6
_FIELDS = frozenset({"addrs", "closed", "epoch", "expires", "id", "name", "secret", "task"})
_AGAIN = "ask for a new one"


class InviteError(ValueError):
    """A text is no invite that can be used; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Invite:
    """
    What one member hands to the next.

    Attributes:
        name: What the inviting member calls the topic.
        key: The topic's current key.
        task: What the topic works on.
        addrs: Full multiaddrs of members, at most `MAX_ADDRS`.
        closed: Whether the topic's network needs its pre-shared key.
        expires_at_s: Unix epoch seconds after which it is refused; None: never.
    """

    name: str
    key: TopicKey
    task: TaskId
    addrs: tuple[str, ...] = ()
    closed: bool = False
    expires_at_s: int | None = None

    def check_fresh(self, now_ms: int) -> None:
        """
        Refuse an invite whose time is over.

        Args:
            now_ms: The wall clock, Unix epoch milliseconds.

        Raises:
            InviteError: It has expired.
        """
        if self.expires_at_s is not None and now_ms >= self.expires_at_s * 1000:
            when = datetime.fromtimestamp(self.expires_at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
            raise InviteError(f"this invite expired on {when}: {_AGAIN}")


def write_invite(invite: Invite) -> str:
    """
    The invite as one line.

    Raises:
        InviteError: `read_invite` would refuse it.
    """
    payload = _payload(invite)
    _invite(payload)
    return line_of(payload)


def line_of(payload: bytes, version: int = VERSION) -> str:
    """The line with a good checksum around a payload, whatever that holds."""
    body = b32encode(payload + _checksum(version, payload)).decode().rstrip("=").lower()
    return f"swarm{version}-{body}"


def read_invite(text: str) -> Invite:
    """
    The invite in a text.

    Raises:
        InviteError: It is not one, is damaged, or is of a newer version.
    """
    if len(text) > 2 * MAX_INVITE_CHARS:
        raise InviteError(f"this is no invite: one has at most {MAX_INVITE_CHARS} characters")
    form = _FORM.fullmatch("".join(text.split()).lower())
    if form is None:
        raise InviteError(
            f"this is no invite: one begins with swarm{VERSION}- and goes on in letters and "
            "the digits 2 to 7; copy it whole"
        )
    version, data = int(form[1]), _decoded(form[2])
    if version > VERSION:
        raise InviteError(
            f"this invite is of version {version}, and this program reads up to version "
            f"{VERSION}: update the program"
        )
    payload, checksum = data[:-_CHECKSUM_BYTES], data[-_CHECKSUM_BYTES:]
    if version < 1 or not payload or checksum != _checksum(version, payload):
        raise InviteError(
            f"this invite is damaged (its checksum does not match): copy it whole, or {_AGAIN}"
        )
    return _invite(payload)


def _checksum(version: int, payload: bytes) -> bytes:
    said = f"research-swarm invite {version}\0".encode() + payload
    return hashlib.sha256(said).digest()[:_CHECKSUM_BYTES]


def _decoded(body: str) -> bytes:
    """The bytes that base32 text stands for; none where another text is their spelling."""
    try:
        data = b32decode(body.upper() + "=" * (-len(body) % 8))
    except ValueError:
        return b""
    return data if b32encode(data).decode().rstrip("=").lower() == body else b""


def _payload(invite: Invite) -> bytes:
    return pack(
        {
            "name": invite.name,
            "id": invite.key.id,
            "epoch": invite.key.epoch,
            "secret": invite.key.secret,
            "task": invite.task,
            "addrs": _grouped(invite.addrs),
            "closed": invite.closed,
            "expires": invite.expires_at_s,
        }
    )


def _invite(payload: bytes) -> Invite:
    """The invite that this is the payload of, and no other payload is."""
    invite = _read(payload)
    if _payload(invite) != payload:
        raise _wrong("addresses")
    return invite


def _read(payload: bytes) -> Invite:
    try:
        value = unpack(payload, max_bytes=MAX_INVITE_CHARS, max_depth=4, max_items=16)
    except CanonicalError as error:
        raise _wrong("payload") from error
    fields = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    if fields.keys() != _FIELDS:
        raise _wrong("fields")
    name, task, closed = fields["name"], fields["task"], fields["closed"]
    if not isinstance(name, str) or not is_topic_name(name):
        raise _wrong("name")
    if not isinstance(task, str) or not is_cid(task):
        raise _wrong("task id")
    if not isinstance(closed, bool):
        raise _wrong("closed")
    return Invite(name, _key(fields), task, _addrs(fields["addrs"]), closed, _expires(fields))


def _key(fields: dict[str, object]) -> TopicKey:
    topic_id, epoch, secret = fields["id"], fields["epoch"], fields["secret"]
    if not isinstance(topic_id, bytes) or not isinstance(secret, bytes) or type(epoch) is not int:
        raise _wrong("key")
    try:
        return TopicKey(topic_id, epoch, secret)
    except TopicKeyError as error:
        raise _wrong("key") from error


def _expires(fields: dict[str, object]) -> int | None:
    expires = fields["expires"]
    if expires is None:
        return None
    if type(expires) is not int or not 0 <= expires < MAX_EXPIRES_AT_S:
        raise _wrong("expiry")
    return expires


def _grouped(addrs: tuple[str, ...]) -> list[list[object]]:
    """Addresses by peer, so that each peer id is said once."""
    groups: dict[str, list[str]] = {}
    for addr in addrs:
        base, _, peer = addr.rpartition("/p2p/")
        groups.setdefault(peer, []).append(base)
    return [[peer, bases] for peer, bases in groups.items()]


def _addrs(value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple):
        raise _wrong("addresses")
    addrs: list[str] = []
    for group in cast("tuple[object, ...]", value):
        pair = cast("tuple[object, ...]", group) if isinstance(group, tuple) else ()
        if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], tuple):
            raise _wrong("addresses")
        addrs += _addrs_of(pair[0], cast("tuple[object, ...]", pair[1]))
    if len(addrs) > MAX_ADDRS:
        raise _wrong("addresses")
    return tuple(addrs)


def _addrs_of(peer: str, bases: tuple[object, ...]) -> list[str]:
    try:
        public_key_of(peer)
    except PeerIdError as error:
        raise _wrong("peer id") from error
    addrs: list[str] = []
    for base in bases:
        if not isinstance(base, str) or len(base) > MAX_ADDR_CHARS or not _ADDRESS.fullmatch(base):
            raise _wrong("addresses")
        addrs.append(f"{base}/p2p/{peer}")
    return addrs


def _wrong(what: str) -> InviteError:
    return InviteError(f"the {what} in this invite cannot be used: {_AGAIN}")

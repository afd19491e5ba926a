"""
What sync says on the wire: four questions and their answers, canonical msgpack.

Law: every message is read strictly and every list has an end. Whatever cannot
be read raises `SyncError`, and that costs the sender its turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from gossip.digest import BUCKETS, DIGEST_BYTES
from gossip.transport import MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES
from swarm.canonical import CanonicalError, pack, unpack

MAX_SCOPE_CHARS = 256
MAX_KIND_CHARS = 32
MAX_ID_CHARS = 96
MAX_IDS_PER_PAGE = 4096
MAX_IDS_PER_FETCH = 256
MAX_FETCH_BYTES = 2 * 1024 * 1024


class SyncError(Exception):
    """The partner said something that is not sync, or not of our scope."""


@dataclass(frozen=True, slots=True)
class AskDigest:
    """What do you hold of a kind? Answered by `Digest`."""

    kind: str


@dataclass(frozen=True, slots=True)
class AskIds:
    """Which ids are in these buckets, after this one? Answered by `Ids`."""

    kind: str
    buckets: tuple[int, ...]
    after: str


@dataclass(frozen=True, slots=True)
class AskRecords:
    """Give me these. Answered by `Records`."""

    kind: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskVisit:
    """Please pull from me now. Answered by no bytes, once that is done or takes long."""


Question = AskDigest | AskIds | AskRecords | AskVisit


@dataclass(frozen=True, slots=True)
class Records:
    """The envelopes held of the first ``considered`` ids asked for."""

    envelopes: tuple[bytes, ...]
    considered: int


def write_question(scope: str, question: Question) -> bytes:
    """The bytes of a question about a scope (topic and schema version)."""
    head: dict[str, object] = {"scope": scope}
    match question:
        case AskDigest(kind):
            return pack(head | {"ask": "digest", "kind": kind})
        case AskIds(kind, buckets, after):
            return pack(head | {"ask": "ids", "kind": kind, "buckets": buckets, "after": after})
        case AskRecords(kind, ids):
            return pack(head | {"ask": "records", "kind": kind, "ids": ids})
        case AskVisit():
            return pack(head | {"ask": "visit", "kind": ""})


def read_question(data: bytes, scope: str) -> Question:
    """
    Read a question about our scope.

    Raises:
        SyncError: It is malformed or about another scope.
    """
    fields = _fields(data, MAX_REQUEST_BYTES)
    if _text(fields, "scope", MAX_SCOPE_CHARS) != scope:
        raise SyncError("asked about another task or schema version")
    kind = _text(fields, "kind", MAX_KIND_CHARS)
    match fields.get("ask"):
        case "digest":
            return AskDigest(kind)
        case "ids":
            buckets = tuple(
                _number(bucket, BUCKETS - 1) for bucket in _items(fields, "buckets", BUCKETS)
            )
            return AskIds(kind, buckets, _text(fields, "after", MAX_ID_CHARS))
        case "records":
            return AskRecords(kind, _ids(fields, MAX_IDS_PER_FETCH))
        case "visit":
            return AskVisit()
        case _:
            raise SyncError("an unknown question")


def write_digest(digest: bytes) -> bytes:
    """The answer to `AskDigest`."""
    return pack({"digest": digest})


def read_digest(data: bytes) -> bytes:
    """
    A digest of `DIGEST_BYTES` bytes.

    Raises:
        SyncError: It is not one.
    """
    digest = _fields(data, 2 * DIGEST_BYTES).get("digest")
    if not isinstance(digest, bytes) or len(digest) != DIGEST_BYTES:
        raise SyncError("not a digest")
    return digest


def write_ids(ids: tuple[str, ...]) -> bytes:
    """The answer to `AskIds`; fewer than `MAX_IDS_PER_PAGE` means there are no more."""
    return pack({"ids": ids})


def read_ids(data: bytes, after: str) -> tuple[str, ...]:
    """
    A page of ids, strictly ascending from ``after``.

    Raises:
        SyncError: It is not one; a page that goes back could be asked for for ever.
    """
    ids = _ids(_fields(data, MAX_RESPONSE_BYTES), MAX_IDS_PER_PAGE)
    if any(later <= earlier for earlier, later in zip((after, *ids), ids, strict=False)):
        raise SyncError("ids out of order")
    return ids


def write_records(records: Records) -> bytes:
    """The answer to `AskRecords`."""
    return pack({"envelopes": records.envelopes, "considered": records.considered})


def read_records(data: bytes, asked: int) -> Records:
    """
    Envelopes for some of the ``asked`` ids.

    Raises:
        SyncError: Malformed, too many, too large, or no progress.
    """
    fields = _fields(data, MAX_RESPONSE_BYTES)
    considered = _number(fields.get("considered"), asked)
    envelopes = _items(fields, "envelopes", considered)
    if considered < 1:
        raise SyncError("an answer that considered nothing")
    for envelope in envelopes:
        if not isinstance(envelope, bytes) or len(envelope) > MAX_MESSAGE_BYTES:
            raise SyncError("an envelope that is too large or not bytes")
    return Records(cast("tuple[bytes, ...]", envelopes), considered)


def _fields(data: bytes, most_bytes: int) -> dict[str, object]:
    try:
        value = unpack(data, max_bytes=most_bytes, max_depth=3, max_items=MAX_IDS_PER_PAGE)
    except CanonicalError as error:
        raise SyncError(f"unreadable: {error}") from error
    if not isinstance(value, dict):
        raise SyncError("not a map")
    return cast("dict[str, object]", value)


def _text(fields: dict[str, object], name: str, most: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise SyncError(f"{name} is not a text of at most {most} characters")
    return value


def _items(fields: dict[str, object], name: str, most: int) -> tuple[object, ...]:
    value = fields.get(name)
    if not isinstance(value, tuple):
        raise SyncError(f"{name} is not a list")
    items = cast("tuple[object, ...]", value)
    if len(items) > most:
        raise SyncError(f"{name} has {len(items)} items, at most {most} allowed")
    return items


def _ids(fields: dict[str, object], most: int) -> tuple[str, ...]:
    items = _items(fields, "ids", most)
    if not all(isinstance(item, str) and 0 < len(item) <= MAX_ID_CHARS for item in items):
        raise SyncError("an id that is no text or too long")
    return cast("tuple[str, ...]", items)


def _number(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise SyncError(f"not a number from 0 to {most}")
    return value

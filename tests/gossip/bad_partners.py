"""A shelf of records for tests of sync, and partners that lie, stall or waste a turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import pairwise

import trio

from gossip.ranges import KEY_BYTES, Index, Part, Range, key_of
from gossip.sync_messages import (
    AskKeys,
    AskParts,
    AskRecords,
    read_question,
    write_keys,
    write_parts,
    write_records,
)
from gossip.sync_messages import Records as RecordsAnswer
from gossip.transport import PeerId

TOPIC = "/research-swarm/1/sync"


def identify(envelope: bytes) -> str:
    return "b" + sha256(envelope).hexdigest()


class Shelf:
    """A store in memory. The first letter of an envelope is its kind."""

    def __init__(self, envelopes: Iterable[bytes] = ()) -> None:
        self.kept = {identify(envelope): envelope for envelope in envelopes}
        self.offered = 0

    async def index(self, kind: str) -> Index:
        held = [record for record, e in self.kept.items() if e[:1] == kind[:1].encode()]
        return Index().with_ids(held)

    async def get_many(self, ids: Sequence[str], most_bytes: int) -> Sequence[bytes | None]:
        found: list[bytes | None] = []
        for record in ids:
            found.append(self.kept.get(record))
            if sum(len(envelope or b"") for envelope in found) > most_bytes:
                return found[:-1] or found
        return found

    async def accept_many(self, envelopes: Sequence[bytes], sender: PeerId) -> int:
        return sum([await self.accept(envelope, sender) for envelope in envelopes])

    async def accept(self, envelope: bytes, sender: PeerId) -> bool:
        """Keep what has a known kind, not at once; garbage is counted and dropped."""
        self.offered += 1
        await trio.lowlevel.checkpoint()
        good = envelope[:1] in (b"w", b"t") and identify(envelope) not in self.kept
        if good:
            self.kept[identify(envelope)] = envelope
        return good


def wins(*numbers: int) -> list[bytes]:
    return [b"w%d" % number for number in numbers]


async def garbage(caller: PeerId, request: bytes) -> bytes:
    return b"\xff" * 100


async def stall(caller: PeerId, request: bytes) -> bytes:
    await trio.sleep_forever()
    return b""


def asked(request: bytes) -> object:
    """The question in a request."""
    return read_question(request, TOPIC + "#1")


def lying_parts(question: AskParts, pieces: int = 1) -> bytes:
    """Says each range holds much that differs, in parts cut where a liar likes."""
    parts: list[Part] = []
    for span in question.ranges:
        bounds = [span.low, *(span.low + bytes([at]) for at in range(1, pieces)), span.high]
        if bounds != sorted(bounds):
            bounds = [span.low, span.high]
        parts += [Part(Range(low, high), 10_000, b"differs") for low, high in pairwise(bounds)]
    return write_parts(parts)


async def endless_keys(caller: PeerId, request: bytes) -> bytes:
    """Says every range differs, lists keys for ever, and has nothing."""
    match asked(request):
        case AskParts() as question:
            return lying_parts(question)
        case AskKeys(_, ranges):
            low = int.from_bytes(ranges[0].low[:KEY_BYTES].ljust(KEY_BYTES, b"\0"), "big") + 1
            return write_keys((low + at).to_bytes(KEY_BYTES, "big") for at in range(4096))
        case _:
            return write_records(RecordsAnswer((), 1))


async def endless_parts(caller: PeerId, request: bytes) -> bytes:
    """Cuts every range in eight that differ, however often it is asked, and lists nothing."""
    match asked(request):
        case AskParts() as question:
            return lying_parts(question, question.pieces)
        case _:
            return write_keys(())


async def drip(caller: PeerId, request: bytes) -> bytes:
    """Answers every question just within its deadline, for ever."""
    await trio.sleep(9.5)
    return await endless_keys(caller, request)


async def lie(caller: PeerId, request: bytes) -> bytes:
    """Promises records and delivers something else."""
    match asked(request):
        case AskParts() as question:
            return lying_parts(question)
        case AskKeys():
            return write_keys([key_of("zzz")])
        case _:
            return write_records(RecordsAnswer((b"garbage",), 1))


async def feed_garbage(caller: PeerId, request: bytes) -> bytes:
    """Keeps a turn going with envelopes that are worth nothing."""
    if b"records" in request:
        await trio.sleep(9)
        return write_records(RecordsAnswer((b"garbage",) * 16, 16))
    return await endless_keys(caller, request)


async def unasked(caller: PeerId, request: bytes) -> bytes:
    """Answers each question for records with good ones of its own choice."""
    if b"records" in request:
        return write_records(RecordsAnswer(tuple(wins(7, 8)), 2))
    return await endless_keys(caller, request)


class Useless(Shelf):
    """Lists and sends without end what nobody can use: a new page for every question."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = 0
        self.offers: dict[bytes, bytes] = {}

    async def answer(self, caller: PeerId, request: bytes) -> bytes:
        match asked(request):
            case AskParts() as question:
                return lying_parts(question)
            case AskKeys(_, ranges):
                self.pages += 1
                made = [b"useless %d/%d" % (self.pages, number) for number in range(1000)]
                self.offers = {key_of(identify(envelope)): envelope for envelope in made}
                fits = ranges[0].low, ranges[0].high
                return write_keys(sorted(key for key in self.offers if fits[0] <= key < fits[1]))
            case AskRecords(_, keys):
                offered = tuple(self.offers[key] for key in keys)
                return write_records(RecordsAnswer(offered, len(keys)))
            case _:
                return b""

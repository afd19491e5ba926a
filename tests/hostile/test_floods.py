"""How much one peer can make another keep, wait for and read, in numbers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio

from gossip.intake import Intake
from gossip.journal import Journal
from swarm.admission import MAX_AHEAD_MS, RECORD_COST_BYTES, Admit, Quotas, admit
from swarm.canonical import pack
from swarm.envelope import MAX_ENVELOPE_BYTES
from swarm.records import Kind
from swarm.retention import KEPT_PER_EPOCH, Entry, keep
from tests.gossip.waiting import until
from tests.swarm.record_samples import ANN, BOB, NOW_MS, RECORDS, SCOPE, TRIALS, WIN, Author

EVE = Author(66)
TINY = 600
"""Bytes of the smallest records."""


@asynccontextmanager
async def door(path: Path, said: list[str]) -> AsyncGenerator[tuple[Intake, Journal]]:
    """Ann's door; `said` gets the reasons of what is refused."""
    with Journal.open(path / "j") as journal:
        intake = Intake(
            journal,
            trio.CapacityLimiter(1),
            SCOPE,
            own=ANN.peer_id,
            known=journal.has,
            accepted=lambda batch: None,
            refused=lambda reason, sender: said.append(reason),
            now_ms=lambda: NOW_MS,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(intake.run)
            yield intake, journal
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("kind", ["win", "trials"])
def test_a_flood_of_tiny_records_ends_at_sixteen_megabytes(kind: Kind) -> None:
    """About ten thousand at once, then five a second; others are not kept waiting."""
    quotas = Quotas()
    record = replace(WIN if kind == "win" else TRIALS, author=EVE.peer_id)
    at_once = sum(admit(record, TINY, NOW_MS, quotas) == Admit() for _ in range(30_000))
    assert at_once == 16 * 2**20 // (TINY + RECORD_COST_BYTES)
    a_minute_later = sum(
        admit(record, TINY, NOW_MS + second * 1000, quotas) == Admit()
        for second in range(1, 61)
        for _ in range(100)
    )
    refilled = (16 * 2**20 + 60 * 8192) // (TINY + RECORD_COST_BYTES)
    assert a_minute_later == refilled - at_once
    for other in RECORDS:
        assert admit(replace(other, author=BOB.peer_id), 4_000, NOW_MS, quotas) == Admit()


@pytest.mark.parametrize(("kind", "most"), [("win", 128), ("replication", 512), ("trials", 512)])
def test_of_a_days_flood_so_many_are_kept(kind: Kind, most: int) -> None:
    """Whatever got in is cut to the lowest ids; nobody else's record goes for it."""
    flood = [Entry(f"eve{number:05}", kind, EVE.peer_id, NOW_MS) for number in range(10_000)]
    honest = [Entry(f"zoe{number}", kind, BOB.peer_id, NOW_MS) for number in range(most)]
    kept = keep([*flood, *honest], NOW_MS)
    assert KEPT_PER_EPOCH[kind] == most
    assert len([each for each in kept if each.startswith("eve")]) == most
    assert {each.id for each in honest} <= kept


async def test_what_is_too_large_or_too_deep_is_not_read(tmp_path: Path) -> None:
    """A record of a megabyte, nests of a thousand, a list of a million: one sentence each."""
    said = list[str]()
    deep: object = 0
    for _ in range(7):
        deep = (deep,)
    nested = b"\x91" * 5_000 + b"\x00"
    async with door(tmp_path, said) as (intake, journal):
        for envelope in (
            EVE.seal(replace(WIN, author=EVE.peer_id)) + bytes(2**20),
            EVE.seal_payload(nested),
            EVE.seal_payload(pack({"kind": "win", "version": 1, "author": deep})),
            EVE.seal_payload(b"\xdd\x00\x0f\x42\x40" + bytes(200_000)),
        ):
            assert await intake.offer(envelope, EVE.peer_id) is False
        assert journal.count() == 0
    assert len(said) == 4
    assert str(MAX_ENVELOPE_BYTES) in said[0]


async def test_dates_make_nobody_wait_but_their_author(tmp_path: Path) -> None:
    """From tomorrow: not stored, not called false. From 1970: stored; it earns nothing by that."""
    said = list[str]()
    async with door(tmp_path, said) as (intake, journal):
        for number in range(50):
            ahead = NOW_MS + MAX_AHEAD_MS + 1 + number
            early = EVE.seal(replace(WIN, author=EVE.peer_id, created_at_ms=ahead))
            assert await intake.offer(early, EVE.peer_id) is False
        old = EVE.seal(replace(WIN, author=EVE.peer_id, created_at_ms=0))
        assert await intake.offer(old, EVE.peer_id) is True
        assert await intake.offer(BOB.seal(replace(WIN, author=BOB.peer_id)), "bob") is True
        await until(lambda: journal.count() == 2)
    assert said == []


async def test_what_was_heard_before_is_heard_for_nothing(tmp_path: Path) -> None:
    """A thousand replays of one record are one record, and cost its author no quota."""
    said = list[str]()
    envelope = EVE.seal(replace(WIN, author=EVE.peer_id))
    async with door(tmp_path, said) as (intake, journal):
        assert await intake.offer(envelope, EVE.peer_id) is True
        await until(lambda: journal.count() == 1)
        assert not any([await intake.offer(envelope, "anyone") for _ in range(1000)])
        assert journal.count() == 1
    assert said == []

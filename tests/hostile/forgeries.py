"""What a modified peer puts into the world: well-formed, properly signed, and untrue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gossip.identity import Identity, new_identity
from gossip.journal import Stored
from swarm.challenge import select
from swarm.cid import cid_of
from swarm.envelope import seal
from swarm.records import Pair, Record, RecordId, Replication, Win, encode, kind_of
from swarm.settings_block import Scalar
from swarm.task import Task
from swarm.validation import challenge_message
from tests.experiments.lab import NOW_MS, claimed
from tests.swarm.record_samples import REPLICATION

LIARS = [new_identity(bytes([100 + number]) * 32) for number in range(10)]

USELESS: Sequence[dict[str, Scalar]] = (
    {"SLOPE": 0.05},
    {"SLOPE": 0.02},
    {"SLOPE": 0.01, "SHIFT": "large"},
    {"SHIFT": "large"},
    {"SLOPE": 0.05, "WIDTH": 1},
    {"SLOPE": 0.08},
)
"""Settings of the toy task that are worse than its baseline, or no better."""


def best_ever(task: Task, settings: dict[str, Scalar], author: Identity) -> Win:
    """A claim that these settings all but end the metric."""
    _, win = claimed(task, 2.6, settings, author)
    return replace(win, title="The best ever", created_at_ms=NOW_MS - 1)


def seen_by(liar: Identity, record: RecordId, task: Task, gain: float) -> Replication:
    """A replication that was never run, on the seeds its signature draws."""
    signature = liar.sign(challenge_message(record))
    base = 2_700_000_000
    pairs = tuple(
        Pair(seed, base, base - round(gain * 1e9) + seed % 1000 + liar.public_key[0])
        for seed in select(signature, task).seeds
    )
    return replace(
        REPLICATION,
        author=liar.peer_id,
        topic=task.topic,
        task=task.id,
        created_at_ms=NOW_MS,
        win=record,
        challenge=signature,
        pairs=pairs,
        challenge_pairs=pairs,
        baseline=(),
    )


def signed(record: Record) -> bytes:
    """The envelope of a record of one of the liars."""
    (liar,) = (each for each in LIARS if each.peer_id == record.author)
    return seal(encode(record), liar.sign, liar.public_key)


def stored(record: Record) -> Stored:
    """A record as a journal holds it."""
    record_id = cid_of(encode(record))
    return Stored(record_id, kind_of(record), record.author, record.created_at_ms, signed(record))


def fabrications(task: Task) -> list[Record]:
    """Six claims of the best ever, each confirmed by all the other liars."""
    said: list[Record] = []
    for settings, author in zip(USELESS, LIARS, strict=False):
        win = best_ever(task, settings, author)
        record = cid_of(encode(win))
        others = [liar for liar in LIARS if liar is not author]
        said += [win, *(seen_by(liar, record, task, 2.6) for liar in others)]
    return said

"""
Records of a busy swarm by the ten thousand, signed for real.

Half are batches of trials; of the rest two in three are wins, each with a diff
that applies to the win before it, and one in three replicates the win before.
Authors take turns, and none is over the share that retention leaves to one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from nacl.signing import SigningKey

from gossip.journal import Stored
from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.envelope import seal
from swarm.peer_id import peer_id_of
from swarm.records import Block, Pair, Record, RecordId, Replication, Trials, Win, encode, kind_of
from swarm.settings_block import write_settings
from swarm.task import Task
from swarm.tree import tree_hash
from swarm.validation import challenge_message
from tests.swarm.record_samples import REPLICATION, TRIALS, WIN

AUTHORS = 256
TRIALS_PER_BATCH = 4
HOUR_MS = 60 * 60 * 1000


class Author:
    """A key, and the envelopes it signs."""

    def __init__(self, number: int) -> None:
        self._key = SigningKey(sha256(b"author %d" % number).digest())
        self._public_key = bytes(self._key.verify_key)
        self.peer_id = peer_id_of(self._public_key)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature of a message."""
        return self._key.sign(message).signature

    def stored(self, record: Record) -> Stored:
        """A record of ours as a journal keeps it."""
        payload = encode(record)
        envelope = seal(payload, self.sign, self._public_key)
        at_ms = record.created_at_ms
        return Stored(cid_of(payload), kind_of(record), self.peer_id, at_ms, envelope)


def many_records(task: Task, count: int, now_ms: int) -> Iterator[Stored]:
    """`count` valid records of a task with a knob ``SLOPE`` in ``train.py``, oldest first."""
    authors = [Author(number) for number in range(AUTHORS)]
    base: RecordId | None = None
    tree = task.baseline
    for number in range(count):
        at_ms = now_ms - 40 * HOUR_MS * (count - number) // count
        author = authors[(number // 6) % AUTHORS]
        if number % 2:
            yield author.stored(_trials(task, author, number, at_ms))
        elif number % 6 == 4 and base is not None:
            yield author.stored(_replication(task, author, base, at_ms))
        else:
            source = write_settings(tree["train.py"], {"SLOPE": 0.01 + number / 100_000})
            target = {**tree, "train.py": source}
            diff, tree = make_diff(tree, target), target
            win = _win(task, author, number, at_ms)
            stored = author.stored(replace(win, base=base, diff=diff, tree=tree_hash(tree)))
            base = stored.id
            yield stored


def _win(task: Task, author: Author, number: int, at_ms: int) -> Win:
    return replace(
        WIN,
        author=author.peer_id,
        topic=task.topic,
        task=task.id,
        created_at_ms=at_ms,
        parents=(),
        title=f"Set SLOPE to a better value ({number})",
        pairs=tuple(Pair(seed, 2_500_000_000 + seed, 2_400_000_000) for seed in range(5)),
        blocks=tuple(Block(20_000 + n, 584 * 10**12 + n, 483 * 10**12 + n) for n in range(16)),
    )


def _replication(task: Task, author: Author, win: RecordId, at_ms: int) -> Replication:
    return replace(
        REPLICATION,
        author=author.peer_id,
        topic=task.topic,
        task=task.id,
        created_at_ms=at_ms,
        win=win,
        challenge=author.sign(challenge_message(win)),
    )


def _trials(task: Task, author: Author, number: int, at_ms: int) -> Trials:
    trial = replace(TRIALS.trials[0], milliseconds=number)
    return replace(
        TRIALS,
        author=author.peer_id,
        topic=task.topic,
        task=task.id,
        created_at_ms=at_ms,
        trials=(trial,) * TRIALS_PER_BATCH,
    )

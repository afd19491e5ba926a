"""
`swarm import`: records from a file that `swarm export` wrote, judged again.

Law: a file is worth no more than a peer. Every record goes through the same door as
what the network brings, and only while no node runs in the home.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import trio

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import counted
from cli.snapshot import Snapshot, take_snapshot
from cli.text import plain
from gossip.home import open_home
from gossip.intake import Intake
from gossip.journal import Journal
from swarm.records import RecordId
from swarm.topic import private_topic, public_topic
from swarm.validation import Scope, Valid
from watch.export_records import RecordsFileError, unpacked

_REASONS = 5


@dataclass(slots=True)
class Taken:
    """What became of the records in a file."""

    read: int = 0
    new: int = 0
    known: int = 0
    refused: Counter[str] = field(default_factory=Counter[str])
    damage: str = ""
    """Where the file ends too soon, if it does."""

    @property
    def later(self) -> int:
        """Valid and new, but not to be stored now."""
        return self.read - self.new - self.known - self.refused.total()


def wall_clock_ms() -> int:
    """Unix epoch milliseconds."""
    return time.time_ns() // 1_000_000


def import_records(root: Path, path: Path, now_ms: Callable[[], int] = wall_clock_ms) -> int:
    """
    Take the records in the file `path` into the home at `root`.

    Args:
        now_ms: The clock by which trials expire and the future is told.

    Returns:
        The exit status: 0 when every record is in, or was before.

    Raises:
        CommandError: The file cannot be read, or holds records of another task.
        HomeInUse: A node runs in this home.
        JournalError: The journal cannot be written.
    """
    snapshot = take_snapshot(root)
    home = open_home(root)
    with _opened(path) as (task, envelopes):
        if task != snapshot.task.id:
            raise CommandError(
                f"{path} holds records of task {plain(task)[:80]}, this home works on "
                f"{snapshot.task.id} ({plain(snapshot.task.name)}): name another --home"
            )
        with home.held(), Journal.open(snapshot.journal) as journal:
            taken = trio.run(_take_in, journal, snapshot, envelopes, now_ms)
    _tell(path, taken)
    return 1 if taken.damage or taken.refused else 0


async def _take_in(
    journal: Journal,
    snapshot: Snapshot,
    envelopes: Iterator[bytes],
    now_ms: Callable[[], int],
) -> Taken:
    taken = Taken()
    here: set[RecordId] = {row[0] for row in journal.listed()}

    def known(record: RecordId) -> bool:
        taken.known += record in here
        return record in here

    def accepted(batch: Sequence[Valid]) -> None:
        taken.new += len(batch)

    def refused(reason: str, _sender: str) -> None:
        taken.refused[reason] += 1

    intake = Intake(
        journal,
        trio.CapacityLimiter(1),
        _scope(snapshot),
        own=snapshot.peer_id or "",
        known=known,
        accepted=accepted,
        refused=refused,
        now_ms=now_ms,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(intake.run)
        try:
            for envelope in envelopes:
                taken.read += 1
                await intake.offer(envelope, "a file")
        except RecordsFileError as error:
            taken.damage = str(error)
        await intake.settle()
        nursery.cancel_scope.cancel()
    return taken


def _scope(snapshot: Snapshot) -> Scope:
    """What records of this home's topic name."""
    task, label = snapshot.task.id, snapshot.topic.label
    return Scope(private_topic(label) if label else public_topic(task), task)


@contextmanager
def _opened(path: Path) -> Generator[tuple[str, Iterator[bytes]]]:
    try:
        file: BinaryIO = path.open("rb")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    with file:
        try:
            header, envelopes = unpacked(file)
        except RecordsFileError as error:
            raise CommandError(f"{path}: {error}") from error
        yield header.task, envelopes


def _tell(path: Path, taken: Taken) -> None:
    print(
        f"{path}: {counted(taken.read, 'record')} judged, {taken.new:,} new, "
        f"{taken.known:,} already here, {taken.refused.total():,} refused"
    )
    for reason, count in taken.refused.most_common(_REASONS):
        print(f"  refused {count:,}: {plain(reason)}")
    if taken.later > 0:
        print(
            f"  not taken {taken.later:,}: trials of over 48 hours ago, records dated ahead, "
            "or over their author's share for now; importing again takes more"
        )
    if taken.damage:
        print(f"  the file is damaged: {taken.damage}; what came before is in")
    if taken.new:
        print(spelled("see `swarm leaderboard`"))

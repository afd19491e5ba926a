"""Homes of real signed records, for tests of what people type."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gossip.board import load_board, save_board
from gossip.home import Home, open_home
from gossip.journal import Journal, Stored
from swarm.cid import cid_of
from swarm.records import Pair, Record, Trials, Win, encode, kind_of
from tests.swarm.record_samples import ANN, NOW_MS, TASK, TRIAL, TRIALS, WIN, Author

REPOSITORY = Path(__file__).parents[2]
HEADER = {
    "id": TASK,
    "name": "quick",
    "metric": "val_bpb",
    "goal": 2.0,
    "unit": "bits/byte",
    "direction": "minimize",
    "sigma": 0.05,
    "min_effect": 0.05,
    "seeds": 1_000_000,
}
ENTRY_FIELDS = [
    *("rank", "record", "author", "nickname", "title", "family", "state", "replications"),
    *("value", "holdout", "effect", "effect_low", "effect_high", "pairs", "base", "parents"),
    *("adopters", "hardware", "created_at"),
]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said, and how it ended."""

    status: int
    out: str
    err: str
    cpu_seconds: float

    @property
    def json(self) -> dict[str, object]:
        """The one document on stdout."""
        return json.loads(self.out)


def swarm(*words: str, home: Path | None = None, timeout_s: float = 60, **environment: str) -> Ran:
    """Run the command line as a process of its own, as a person does."""
    where = [] if home is None else ["--home", str(home)]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SWARM_")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *words, *where],
        cwd=REPOSITORY,
        env=kept | {"COLUMNS": "160", "HOME": str(REPOSITORY / "nowhere")} | environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Ran(done.returncode, done.stdout, done.stderr, cpu_seconds)


def make_home(root: Path, records: Iterable[tuple[Author, Record]] = ()) -> Home:
    """A home whose node has run and stopped, holding these records."""
    home = open_home(root)
    home.write_status({"pid": 1, "peer_id": ANN.peer_id, "nickname": "ann", "task": HEADER})
    store(home, records)
    return home


def store(home: Home, records: Iterable[tuple[Author, Record]]) -> None:
    """Sign records and put them into the journal."""
    with Journal.open(home.journal(TASK)) as journal:
        journal.append([stored(author, record) for author, record in records])


def save_view(home: Home) -> None:
    """What a running node does every half minute."""
    with Journal.open(home.journal(TASK)) as journal:
        assert save_board(journal, load_board(journal))


def stored(author: Author, record: Record) -> Stored:
    """A record as the journal keeps it."""
    record = replace(record, author=author.peer_id)
    return Stored(
        id_of(author, record),
        kind_of(record),
        author.peer_id,
        record.created_at_ms,
        author.seal(record),
    )


def id_of(author: Author, record: Record) -> str:
    """The id of a record once `author` signs it."""
    return cid_of(encode(replace(record, author=author.peer_id)))


def win(
    number: int,
    *,
    base: str | None = None,
    parents: Sequence[str] = (),
    value: float = 3.0,
    gain: float = 0.1,
    title: str = "",
    nickname: str = "ann",
) -> Win:
    """A win of its own tree; `value` is the candidate's mean metric."""
    nano = round(value * 1e9)
    return replace(
        WIN,
        nickname=nickname,
        created_at_ms=NOW_MS + number,
        base=base,
        parents=tuple(parents),
        tree=f"{number:064x}",
        title=title or f"change {number}",
        pairs=tuple(
            Pair(seed, nano + round(gain * 1e9) + seed * 1_000_000, nano + seed * 1_000_000)
            for seed in (1, 2, 3)
        ),
    )


def trials(number: int, count: int = 2) -> Trials:
    """A batch of finished experiments that were no wins."""
    trial = replace(TRIAL, outcome="no_gain")
    return replace(TRIALS, created_at_ms=NOW_MS + number, trials=(trial,) * count)

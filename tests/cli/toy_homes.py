"""Homes that hold real wins of the toy task: each diff gives the tree that it claims."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.task_folder import load_task
from gossip.home import Home, open_home
from gossip.journal import Journal, Stored
from swarm.challenge import select_seeds
from swarm.cid import cid_of
from swarm.diff import make_diff
from swarm.records import Pair, Record, Replication, Trials, Win, encode, kind_of
from swarm.settings_block import Scalar, write_settings
from swarm.tree import Tree, tree_hash
from swarm.validation import Scope, challenge_message
from tests.processes import TOY
from tests.swarm.record_samples import (
    ANN,
    NOW_MS,
    REPLICATION,
    TRIAL,
    TRIALS,
    WIN,
    Author,
)
from watch.status import task_document

TASK = load_task(TOY).task
SCOPE = Scope(TASK.topic, TASK.id)
BASELINE = TASK.baseline


def turned(tree: Tree, **settings: Scalar) -> Tree:
    """The tree with these settings."""
    return {"train.py": write_settings(tree["train.py"], settings)}


def toy_win(
    number: int,
    before: Tree,
    after: Tree,
    *,
    author: Author = ANN,
    base: str | None = None,
    parents: Sequence[str] = (),
    value: float = 2.0,
    gain: float = 0.1,
    title: str = "",
    nickname: str = "ann",
    rationale: str = "because",
) -> Win:
    """The win of `author` that turns `before`, the tree of `base`, into `after`."""
    nano, gained = round(value * 1e9), round(gain * 1e9)
    return replace(
        WIN,
        author=author.peer_id,
        nickname=nickname,
        topic=TASK.topic,
        task=TASK.id,
        created_at_ms=NOW_MS + 60_000 * number,
        base=base,
        parents=tuple(parents),
        diff=make_diff(before, after),
        tree=tree_hash(after),
        title=title or f"change {number}",
        rationale=rationale,
        pairs=tuple(
            Pair(seed, nano + gained + seed * 1_000_000, nano + seed * 1_000_000)
            for seed in (1, 2, 3)
        ),
    )


def toy_trials(number: int, *outcomes: str, author: Author = ANN, title: str = "an idea") -> Trials:
    """A batch with one finished experiment for each outcome."""
    pairs = (Pair(1, 2_400_000_000, 2_450_000_000),)
    return replace(
        TRIALS,
        author=author.peer_id,
        topic=TASK.topic,
        task=TASK.id,
        nickname="ann",
        created_at_ms=NOW_MS + 60_000 * number,
        trials=tuple(
            replace(
                TRIAL,
                outcome=outcome,
                title=title,
                tree=f"{number * 100 + index:064x}",
                pairs=pairs if outcome in ("no_gain", "equal") else (),
                finished_at_ms=NOW_MS + 60_000 * number + index,
            )
            for index, outcome in enumerate(outcomes)
        ),
    )


def toy_replication(win: str, author: Author, gain: float) -> Replication:
    """What `author` measured of a win, on the seeds that its signature selects."""
    signature = author.sign(challenge_message(win))
    nano = 2_400_000_000 + int.from_bytes(signature[:3], "big")
    pairs = tuple(
        Pair(seed, nano + number, nano - round(gain * 1e9) + number * 1_000_000)
        for number, seed in enumerate(select_seeds(signature, TASK))
    )
    return replace(
        REPLICATION,
        author=author.peer_id,
        topic=TASK.topic,
        task=TASK.id,
        win=win,
        challenge=signature,
        pairs=pairs,
        challenge_pairs=pairs,
        baseline=(),
        created_at_ms=NOW_MS + 3_600_000 + author.public_key[0],
    )


def id_of(record: Record) -> str:
    """The id of a record."""
    return cid_of(encode(record))


def toy_home(root: Path, records: Iterable[tuple[Author, Record]] = ()) -> Home:
    """A home whose node has worked on the toy task and stopped, holding these records."""
    home = open_home(root)
    home.write_status(
        {
            "pid": 1,
            "peer_id": ANN.peer_id,
            "nickname": "ann",
            "task": task_document(TASK, str(TOY)),
        }
    )
    with Journal.open(home.journal(TASK.id)) as journal:
        journal.append([stored(author, record) for author, record in records])
    return home


def stored(author: Author, record: Record) -> Stored:
    """A record as the journal keeps it."""
    return Stored(
        id_of(record), kind_of(record), author.peer_id, record.created_at_ms, author.seal(record)
    )

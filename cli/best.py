"""`swarm best`: the best believed training script, ready to run."""

import sys
from pathlib import Path

from cli.failures import CommandError
from cli.output import number, warn
from cli.snapshot import loaded_task, take_snapshot
from cli.text import plain, short_id
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from gossip.wins import JournalWins
from swarm.leaderboard import entries
from swarm.lineage import Incomplete, InvalidWin, resolve_tree
from swarm.task import Task
from swarm.tree import Tree
from swarm.verdict import Yardstick

BELIEVED = ("claimed", "replicated")


def best(root: Path, *, output: Path | None) -> None:
    """
    Print the best script, or write it to `output`; a folder if the task has several files.

    Raises:
        TaskError: The task's files are not where they were.
        CommandError: `output` cannot be written, or the task has changed.
    """
    snapshot = take_snapshot(root)
    task = loaded_task(snapshot.task).task
    try:
        with Journal.open(snapshot.journal, read_only=True) as journal:
            tree = best_tree(journal, task)
    except JournalMissing:
        tree = _baseline(task)
    _write(tree, output)


def best_tree(journal: Journal, task: Task) -> Tree:
    """
    The tree of the highest entry that is believed and can be rebuilt here.

    Says on stderr which one it is; the task's baseline where there is none.
    """
    wins = JournalWins(journal)
    for entry in entries(load_board(journal), Yardstick.of(task)):
        if entry.state not in BELIEVED:
            continue
        try:
            tree = resolve_tree(entry.record, wins, task.baseline, task.editable, {})
        except (Incomplete, InvalidWin) as error:
            warn(f"passing over #{entry.rank}: {error}")
            continue
        _say(
            f"#{entry.rank} “{plain(entry.title)}”, "
            f"{number(entry.value)} {plain(task.metric.unit)}, "
            f"{entry.state}, record {short_id(entry.record)}"
        )
        return tree
    return _baseline(task)


def _baseline(task: Task) -> Tree:
    _say(f"no win yet: this is the baseline of {task.name}")
    return task.baseline


def _write(tree: Tree, output: Path | None) -> None:
    try:
        if len(tree) == 1 and output is not None:
            output.write_bytes(next(iter(tree.values())))
        elif output is not None:
            for path, content in tree.items():
                target = output / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
        else:
            _print(tree)
    except OSError as error:
        raise CommandError(f"{output} cannot be written ({error.strerror})") from error
    if output is not None:
        _say(f"wrote {output}")


def _print(tree: Tree) -> None:
    if len(tree) > 1:
        raise CommandError(f"the task has {len(tree)} files: name a folder with --output")
    sys.stdout.buffer.write(next(iter(tree.values())))


def _say(words: str) -> None:
    print(words, file=sys.stderr)

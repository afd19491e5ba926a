"""
`swarm export`: the records of a task for other programs, and for good.

Law: reads the home and writes into one folder, which must be new, empty, or an
export of the same kind and task.
"""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cli.failures import CommandError
from cli.output import counted
from cli.snapshot import loaded_task
from cli.story import Story, opened_wins, read_story
from cli.text import plain, shortened
from experiments.task_folder import LoadedTask
from swarm.records import RecordId, Win
from watch.export_folder import ExportError, Folder, open_folder
from watch.git_export import Commit, commits, refs
from watch.git_export_store import BEST, Repository


def export(root: Path, directory: Path, *, git: bool) -> None:
    """
    Write the archive of the home's task into `directory`; with `git`, its lineage as commits.

    Raises:
        CommandError: `directory` is something else, cannot be written, or the task's
            files changed.
        TaskError: They are not where they were.
        JournalError: The journal is there but cannot be read.
    """
    story = read_story(root)
    if git:
        _export_git(story, directory.expanduser().absolute())
        return
    from cli.archive import export_archive

    with writing(directory, f"export of {story.snapshot.work}") as folder:
        export_archive(story, folder)


@contextmanager
def writing(directory: Path, kind: str) -> Generator[Folder]:
    """
    The folder to write into.

    Raises:
        CommandError: It is something else, or cannot be written.
    """
    try:
        with open_folder(directory.expanduser().absolute(), kind) as folder:
            yield folder
    except ExportError as error:
        raise CommandError(str(error)) from error


def history(loaded: LoadedTask, wins: Mapping[RecordId, Win]) -> Iterator[Commit]:
    """The baseline and the wins as commits, each after all it was built on."""
    frozen = {
        path: file.read_bytes()
        for path, file in zip(loaded.task.frozen, loaded.frozen_paths, strict=True)
    }
    return commits(loaded.task, frozen, wins)


def _export_git(story: Story, directory: Path) -> None:
    loaded = loaded_task(story.snapshot.task)
    known: dict[RecordId | None, str] = {}
    kind = f"git history of {story.snapshot.work}"
    with opened_wins(story.snapshot) as wins, writing(directory, kind) as folder:
        repository = Repository(folder)
        new = 0
        for made in history(loaded, wins):
            known[made.record] = made.id
            new += repository.add(made.objects) > 0
        pointed, tags = refs(known, story.board.wins, story.places, story.replications)
        repository.add(tags)
        repository.set_refs(pointed)
    _tell(directory, story, known, new, pointed[BEST])


def _tell(
    directory: Path, story: Story, known: Mapping[RecordId | None, str], new: int, best: str
) -> None:
    wins = story.board.wins
    leader = next((record for record, commit in known.items() if commit == best), None)
    title = "the baseline" if leader is None else f"“{shortened(plain(wins[leader].title), 60)}”"
    print(
        f"wrote {directory}: {counted(len(known) - 1, 'win')} as commits, {new:,} new commits; "
        f"branch best is {title}"
    )
    if left_out := len(wins) - len(known) + 1:
        print(f"left out {counted(left_out, 'win')} that cannot be rebuilt from what is here")
    where = shlex.quote(str(directory))
    print(f"look at it:     git -C {where} log --graph --oneline --all")
    print(f"work with it:   git clone {where} lineage")

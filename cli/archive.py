"""The archive that `swarm export` writes: tables, records, pictures and one page."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from cli.export import history
from cli.failures import CommandError
from cli.leaderboard import document
from cli.output import size, warn
from cli.plot import png_of, summary
from cli.report import report_lines
from cli.snapshot import loaded_task
from cli.story import Story, opened_wins
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.leaderboard import Entry
from swarm.records import RecordId, Win
from swarm.task import TaskError
from swarm.wear import wear
from watch.export_folder import Folder
from watch.export_lineage import lineage_svg
from watch.export_page import Archive, page
from watch.export_records import Header, packed
from watch.export_table import results_tsv
from watch.plot import BELIEVED, picture


def export_archive(story: Story, folder: Folder) -> None:
    """
    Write every file of the archive.

    Raises:
        JournalError: The journal cannot be read.
        OSError: A file cannot be written.
    """
    task, entries, claims = story.snapshot.task, story.entries, story.board.wins
    shown = picture(story.tried, story.states, story.metric)
    image = png_of(story, shown)
    made_at = {record: claim.created_at_ms for record, claim in claims.items()}
    drawing = lineage_svg(claims, entries, _leader(entries), made_at, task.name)
    gauge = wear(story.board, [place.finding for place in story.places], task.yardstick)
    with opened_wins(story.snapshot) as wins:
        known = commits_of(story, wins)
        archive = Archive(
            title=task.name,
            made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            metric=story.metric,
            lines=_in_short(story),
            entries=entries,
            wins=wins,
            replications=story.replications,
            tried=story.tried,
            picture=image,
            lineage=drawing,
            commits=known,
        )
        text = page(archive)
    table = results_tsv(story.tried, story.states, known, story.metric)
    board = _json(document(story.snapshot, story.board, entries, gauge))
    sizes = {
        "results.tsv": folder.write("results.tsv", table),
        "leaderboard.json": folder.write("leaderboard.json", board),
        "records.msgpack": _write_records(story, folder),
        "progress.png": folder.write("progress.png", image),
        "lineage.svg": folder.write("lineage.svg", drawing.encode()),
        "report.html": folder.write("report.html", text.encode()),
    }
    print(f"wrote {folder.path}: {summary(shown)}")
    for name, count in sizes.items():
        print(f"  {name:<17} {size(count):>10}")
    print(f"open {folder.path / 'report.html'} to read it")


def commits_of(story: Story, wins: Mapping[RecordId, Win]) -> dict[RecordId, str]:
    """The ids of wins in the Git history of these records; none where the task is gone."""
    try:
        loaded = loaded_task(story.snapshot.task)
    except (TaskError, CommandError) as error:
        warn(f"results.tsv names no commits: {error}")
        return {}
    return {made.record: made.id for made in history(loaded, wins) if made.record is not None}


def _leader(entries: list[Entry]) -> RecordId | None:
    return next((entry.record for entry in entries if entry.state in BELIEVED), None)


def _in_short(story: Story) -> list[tuple[str, str]]:
    """The report over all of time."""
    now_ms = time.time_ns() // 1_000_000
    first = min((each.finished_at_ms for each in story.tried), default=now_ms)
    return report_lines(story, max(now_ms - first + 1, 1), now_ms, for_others=True)


def _write_records(story: Story, folder: Folder) -> int:
    """Every record as it was signed, by kind and id, the same on every node; the bytes written."""
    name, task = "records.msgpack", story.snapshot.task.id
    try:
        journal = Journal.open(story.snapshot.journal, read_only=True)
    except JournalMissing:
        return folder.write_from(name, packed(Header(task, 0), ()))
    with journal:
        ids = [row[0] for row in sorted(journal.listed(), key=lambda row: (row[1], row[0]))]
        envelopes = (envelope for record in ids if (envelope := journal.get(record)) is not None)
        return folder.write_from(name, packed(Header(task, len(ids)), envelopes))


def _json(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, indent=2)
    return f"{text}\n".encode()

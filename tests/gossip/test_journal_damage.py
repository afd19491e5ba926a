"""Other versions, damage and full disks: a clear sentence, and nothing readable is lost."""

import os
import random
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gossip import journal_schema
from gossip.journal import Journal, Stored
from gossip.journal_faults import (
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalMissing,
    JournalNewer,
    JournalOlder,
)
from gossip.journal_rescue import rescue, salvage
from tests.gossip.rows import filled, item

# --- versions ---------------------------------------------------------------------


def test_a_newer_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    filled(path, 3)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(JournalNewer, match=r"journal\.sqlite has journal version 99.*update"):
            Journal.open(path, read_only=read_only)
    assert path.read_bytes() == before


def test_an_older_journal_is_migrated_by_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    items = filled(path, 3)
    migrations = [*journal_schema.MIGRATIONS, ("CREATE TABLE later (x INTEGER) STRICT",)]
    monkeypatch.setattr(journal_schema, "MIGRATIONS", migrations)
    with pytest.raises(JournalOlder, match="swarm start"):
        Journal.open(path, read_only=True)
    with Journal.open(path) as journal:
        assert [stored for _, stored in journal.replay()] == items
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
    connection.close()


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "j"
    items = filled(path, 3)
    good = list(journal_schema.MIGRATIONS)
    broken = ("CREATE TABLE later (x INTEGER) STRICT", "CREATE TABLE later (y INTEGER) STRICT")
    monkeypatch.setattr(journal_schema, "MIGRATIONS", [*good, broken])
    with pytest.raises(JournalError):
        Journal.open(path)
    monkeypatch.setattr(journal_schema, "MIGRATIONS", good)
    with Journal.open(path) as journal:
        assert [stored for _, stored in journal.replay()] == items


# --- damage -----------------------------------------------------------------------


def test_no_journal_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(JournalMissing, match="swarm start"):
        Journal.open(tmp_path / "j", read_only=True)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"", b"SQLite format 3\x00", b"not a database at all" * 300])
def test_a_file_that_is_no_journal_is_named_with_the_fix(
    tmp_path: Path, content: bytes, read_only: bool
) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(content)
    with pytest.raises(JournalCorrupt, match=r"journal\.sqlite is damaged.*swarm verify --rescue"):
        Journal.open(path, read_only=read_only)
    assert path.read_bytes() == content


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(JournalCorrupt, match="not a journal of this program"):
        Journal.open(path)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_truncated_journal_gives_back_its_readable_records(tmp_path: Path, share: float) -> None:
    path = tmp_path / "journal.sqlite"
    items = filled(path, 2_000)
    os.truncate(path, int(path.stat().st_size * share))
    for read_only in (False, True):
        with pytest.raises(JournalCorrupt, match=r"journal\.sqlite"):
            Journal.open(path, read_only=read_only)
    found = list(salvage(path))
    assert len(set(found) - set(items)) <= 1, "only the record the cut went through may be torn"
    assert len(found) > len(items) * share * 0.5


def test_a_page_of_noise_costs_only_the_records_on_it(tmp_path: Path) -> None:
    path = tmp_path / "j"
    items = filled(path, 2_000)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(random.Random(1).randbytes(4096))
    with pytest.raises(JournalCorrupt), Journal.open(path) as journal:
        journal.check()
    found = set(salvage(path))
    intact = found & set(items)
    assert len(items) - 10 <= len(intact) < len(items)
    result = rescue(path, lambda stored: stored in intact)
    assert result.kept == len(intact)
    assert result.damaged.exists()
    with Journal.open(path) as journal:
        journal.check()
        assert {stored for _, stored in journal.replay()} == intact


def test_a_rescue_keeps_states_and_leaves_out_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j"
    filled(path, 20)
    with Journal.open(path) as journal:
        journal.set_state("champion", b"mine")
    for round_ in (1, 2):
        result = rescue(path, lambda stored: stored.created_at_ms % 2 == 0)
        assert result.damaged.name == f"j.damaged-{round_}"
    assert result.kept == 10
    with Journal.open(path) as journal:
        assert journal.count() == 10
        assert journal.state("champion") == b"mine"


# --- a disk without room ----------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_keeps_everything_that_was_written(small_disk: Path) -> None:
    path = small_disk / "journal.sqlite"
    written: list[Stored] = []
    with Journal.open(path) as journal:
        with pytest.raises(
            JournalFull, match=r"no room to write .*journal\.sqlite.*free some disk"
        ):
            for number in range(10_000):
                journal.append([item(number)])
                written.append(item(number))
        assert len(written) > 100
        assert [stored for _, stored in journal.replay()] == written
    with Journal.open(path, read_only=True) as reader:
        assert [stored for _, stored in reader.replay()] == written


def test_a_disk_without_one_free_byte_is_still_read(small_disk: Path) -> None:
    path = small_disk / "journal.sqlite"
    items = filled(path, 300)
    fill_up(small_disk / "filler")
    with Journal.open(path, read_only=True) as reader:
        assert [stored for _, stored in reader.replay()] == items
    with pytest.raises(JournalFull), Journal.open(path) as journal:
        journal.append([item(1_000)])
    (small_disk / "filler").unlink()
    with Journal.open(path) as journal:
        assert journal.append([item(1_000)]) == [True]
        assert journal.count() == 301


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def test_a_page_limit_stands_in_for_a_full_disk(tmp_path: Path) -> None:
    """The same law where mounting is not allowed: SQLite itself says FULL."""
    path = tmp_path / "j"
    items = filled(path, 50)
    with Journal.open(path) as journal:
        pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]  # pyright: ignore[reportPrivateUsage]
        journal._connection.execute(f"PRAGMA max_page_count = {pages}")  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(JournalFull):
            journal.append([item(number) for number in range(50, 200)])
        assert [stored for _, stored in journal.replay()] == items

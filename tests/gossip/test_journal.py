"""The journal keeps what it acknowledged, in order, and says clearly what it cannot do."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

REPOSITORY = Path(__file__).parents[2]


def item(number: int, kind: str = "win", size: int = 900) -> Stored:
    """A record-shaped row; `number` alone decides every byte."""
    rng = random.Random(number)
    return Stored(
        f"b{number:058d}", kind, "12D3KooW", 1_700_000_000_000 + number, rng.randbytes(size)
    )


def filled(path: Path, count: int) -> list[Stored]:
    items = [item(number) for number in range(count)]
    with Journal.open(path) as journal:
        journal.append(items)
    return items


def test_what_was_appended_is_read_back_in_order_of_arrival(tmp_path: Path) -> None:
    items = [item(3), item(1, "trials"), item(2)]
    with Journal.open(tmp_path / "j") as journal:
        assert journal.append(items) == [True, True, True]
        assert [stored for _, stored in journal.after(0, 10)] == items
        assert journal.ids("win") == [items[0].id, items[2].id]
        assert journal.count() == 3
        assert journal.count("trials") == 1
        assert journal.last_row() == 3


def test_a_second_copy_is_not_new_even_within_one_call(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        assert journal.append([item(1), item(1), item(2)]) == [True, False, True]
        assert journal.append([item(2), item(3)]) == [False, True]
        assert journal.count() == 3


def test_get_many_keeps_the_order_asked_and_leaves_out_strangers(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.append([item(1), item(2)])
        wanted = [item(2).id, "bnothere", item(1).id]
        assert journal.get_many(wanted) == [item(2).envelope, item(1).envelope]
        assert journal.get("bnothere") is None
        assert journal.has(item(1).id)
        assert not journal.has("bnothere")


def test_the_start_or_the_end_of_an_id_finds_it(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.append([item(number) for number in (10, 11, 20)])
        assert journal.ids_like(item(10).id[:-1], 5) == [item(10).id, item(11).id]
        assert journal.ids_like("0", 5) == [item(10).id, item(20).id]
        assert journal.ids_like("b", 2) == [item(10).id, item(11).id]
        assert journal.ids_like("c", 2) == []
        assert journal.ids_like("b%", 2) == []


def test_row_numbers_are_never_used_twice(tmp_path: Path) -> None:
    """Otherwise a view up to row n would miss a record that took a dropped one's row."""
    with Journal.open(tmp_path / "j") as journal:
        journal.append([item(1), item(2)])
        journal.drop([item(2).id])
        journal.append([item(3)])
        assert [row for row, _ in journal.after(0, 10)] == [1, 3]


def test_dropping_records_forgets_views_over_them(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.append([item(1), item(2)])
        journal.set_view("board", 2, b"one")
        journal.set_view("board", 2, b"two")
        assert journal.view("board") == (2, b"two")
        journal.drop([item(1).id])
        assert journal.view("board") is None
        assert not journal.has(item(1).id)


def test_states_and_views_survive_a_restart(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        journal.set_state("champion", b"old")
        journal.set_state("champion", b"new")
        journal.set_view("board", 0, b"view")
    with Journal.open(tmp_path / "j") as journal:
        assert journal.state("champion") == b"new"
        assert journal.state("other") is None
        assert journal.view("board") == (0, b"view")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 30), max_size=8), max_size=8), st.integers(1, 5))
def test_a_journal_is_a_set_with_an_order(batches: list[list[int]], limit: int) -> None:
    """Against a dict: first arrival decides the order, and paging loses nothing."""
    model: dict[str, Stored] = {}
    with private_folder() as folder, Journal.open(folder / "j") as journal:
        for batch in batches:
            rows = [item(number, size=20) for number in batch]
            expected: list[bool] = []
            for row in rows:
                expected.append(row.id not in model)
                model.setdefault(row.id, row)
            assert journal.append(rows) == expected
        seen: list[Stored] = []
        row = 0
        while page := journal.after(row, limit):
            row = page[-1][0]
            seen += [stored for _, stored in page]
        assert seen == list(model.values()) == [stored for _, stored in journal.replay()]


def test_a_reader_works_beside_the_writer(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as writer:
        writer.append([item(1)])
        with Journal.open(tmp_path / "j", read_only=True) as reader:
            assert reader.count() == 1
            writer.append([item(2)])
            assert reader.count() == 2
            with pytest.raises(JournalError):
                reader.append([item(3)])
    with Journal.open(tmp_path / "j", read_only=True) as reader:
        assert reader.count() == 2


def test_it_may_be_used_from_another_thread(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j") as journal:
        thread = threading.Thread(target=lambda: journal.append([item(1)]))
        thread.start()
        thread.join()
        assert journal.has(item(1).id)


def test_batches_reach_the_promised_rate(tmp_path: Path) -> None:
    """20,000 records/s of processor time in batches; slower here means a lost index choice."""
    items = [item(number) for number in range(10_000)]
    random.Random(0).shuffle(items)
    with Journal.open(tmp_path / "j") as journal:
        started = time.process_time()
        for first in range(0, len(items), 250):
            journal.append(items[first : first + 250])
        seconds = time.process_time() - started
    assert len(items) / seconds > 20_000


# --- a process killed at any point -------------------------------------------------

WRITER = """
import random, sys
sys.path.insert(0, {repository!r})
from pathlib import Path
from gossip.journal import Journal, Stored
journal = Journal.open(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    batch = [
        Stored(f"b{{n:058d}}", "win", "a", n, random.Random(n).randbytes(900))
        for n in range(number, number + random.randint(1, 40))
    ]
    number += len(batch)
    journal.append(batch)
    print(number, flush=True)
"""


def test_sigkill_at_any_point_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """A real writer, killed many times mid-write; every acknowledged row is there after each."""
    path = tmp_path / "j"
    acknowledged = 0
    for seed in range(20):
        acknowledged = killed_writer(
            path, acknowledged, 0.002 + 0.012 * random.Random(seed).random()
        )
        with Journal.open(path) as journal:
            journal.check()
            rows = [stored for _, stored in journal.replay()]
        assert len(rows) >= acknowledged
        for number, stored in enumerate(rows):
            assert stored.envelope == item(number).envelope
        acknowledged = len(rows)
    assert acknowledged > 100


def killed_writer(path: Path, first: int, seconds: float) -> int:
    """Run a writer from record `first`, kill it `seconds` after its first word; the last word."""
    script = WRITER.format(repository=str(REPOSITORY))
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path), str(first)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    said = [child.stdout.readline()]
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    said += child.stdout.read().splitlines()
    assert child.wait() == -signal.SIGKILL
    return max(int(line) for line in said if line.strip())


@pytest.mark.parametrize("milliseconds", [0, 5, 20, 60, 120, 200])
def test_sigkill_while_the_journal_is_made_never_leaves_half_of_one(
    tmp_path: Path, milliseconds: int
) -> None:
    path = tmp_path / "j"
    script = WRITER.format(repository=str(REPOSITORY))
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(path), "0"], stdout=subprocess.DEVNULL
    )
    time.sleep(milliseconds / 1000)
    child.kill()
    child.wait()
    with Journal.open(path) as journal:
        journal.append([item(10**9)])
        journal.check()


def test_a_reader_sees_what_a_killed_writer_left_in_its_log(tmp_path: Path) -> None:
    path = tmp_path / "j"
    acknowledged = killed_writer(path, 0, 0.05)
    with Journal.open(path, read_only=True) as reader:
        assert reader.count() >= acknowledged


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


@contextmanager
def private_folder() -> Generator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


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
    (small_disk / "filler").write_bytes(b"")
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

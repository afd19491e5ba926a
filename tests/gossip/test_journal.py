"""The journal keeps what it acknowledged, in order, and says clearly what it cannot do."""

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gossip.journal import Journal, Stored
from gossip.journal_faults import JournalError
from tests.gossip.rows import item

REPOSITORY = Path(__file__).parents[2]


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
    with TemporaryDirectory() as folder, Journal.open(Path(folder) / "j") as journal:
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
    """20,000 records/s of processor time; slower here means a lost index choice."""
    items = [item(number) for number in range(5_000)]
    random.Random(0).shuffle(items)
    rates = [len(items) / seconds_to_append(tmp_path / str(n), items) for n in range(3)]
    assert max(rates) > 20_000


def seconds_to_append(path: Path, items: list[Stored]) -> float:
    with Journal.open(path) as journal:
        started = time.process_time()
        for first in range(0, len(items), 250):
            journal.append(items[first : first + 250])
        return time.process_time() - started


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

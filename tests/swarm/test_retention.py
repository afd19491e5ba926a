"""What is kept depends on the set alone, so bounded peers still agree."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm.admission import TRIALS_LIFETIME_MS
from swarm.cid import cid_of
from swarm.records import Kind
from swarm.retention import EPOCH_MS, Entry, Room, entry_of, keep
from tests.swarm.record_samples import NOW_MS, REPLICATION, SOME_ID, TRIALS, WIN

FEW: dict[Kind, int] = {"win": 2, "replication": 1, "trials": 1}
DAY = NOW_MS // EPOCH_MS


@st.composite
def universes(draw: st.DrawFn) -> list[Entry]:
    """Up to 24 entries with distinct ids, each built on any of those before it."""
    entries: list[Entry] = []
    for record_id in draw(st.permutations([f"id{n:02}" for n in range(draw(st.integers(0, 24)))])):
        kind: Kind = draw(st.sampled_from(["win", "win", "win", "replication", "trials"]))
        ids = [entry.id for entry in entries if entry.kind == "win"]
        ancestors = draw(st.lists(st.sampled_from(ids), max_size=2)) if ids else []
        entries.append(
            Entry(
                id=record_id,
                kind=kind,
                author=draw(st.sampled_from(["ann", "bob"])),
                created_at_ms=(DAY - draw(st.integers(0, 4))) * EPOCH_MS + draw(st.integers(0, 9)),
                ancestors=tuple(ancestors) if kind != "trials" else (),
            )
        )
    return entries


def kept_of(entries: list[Entry]) -> set[str]:
    return keep(entries, NOW_MS, FEW, epochs_kept=2)


def only(entries: list[Entry], ids: set[str]) -> list[Entry]:
    return [entry for entry in entries if entry.id in ids]


def with_ancestors(universe: list[Entry], ids: set[str]) -> list[Entry]:
    """The entries of `ids` and all they were built on; ancestors come first in a universe."""
    closed = set(ids)
    for entry in reversed(universe):
        if entry.id in closed:
            closed |= set(entry.ancestors)
    return only(universe, closed)


@st.composite
def two_peers(draw: st.DrawFn) -> tuple[list[Entry], list[Entry], list[Entry]]:
    """A universe and two overlapping parts of it, each with its ancestors."""
    universe = draw(universes())
    parts = [
        with_ancestors(universe, {entry.id for entry in universe if draw(st.booleans())})
        for _ in range(2)
    ]
    return universe, parts[0], parts[1]


@given(universes(), st.data())
def test_arrival_order_does_not_matter(entries: list[Entry], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(entries))
    assert kept_of([*shuffled, *shuffled[:3]]) == kept_of(entries)


@given(universes())
def test_keeping_again_drops_nothing(entries: list[Entry]) -> None:
    kept = kept_of(entries)
    assert kept <= {entry.id for entry in entries}
    assert kept_of(only(entries, kept)) == kept


@given(universes())
def test_where_there_is_room_everything_that_lives_is_kept(entries: list[Entry]) -> None:
    """And of records that stand alone, where there is none something is dropped."""
    room = Room(FEW, epochs_kept=2)
    oldest_ms = {"trials": NOW_MS - TRIALS_LIFETIME_MS + 1}
    living = [entry for entry in entries if entry.created_at_ms >= oldest_ms.get(entry.kind, 0)]
    fitting = [room.take(each.kind, each.author, each.created_at_ms) for each in living]
    fits = all(fitting)
    everything = {entry.id for entry in living}
    assert not fits or kept_of(entries) == everything
    alone = [replace(entry, ancestors=()) for entry in entries]
    assert fits == (kept_of(alone) == everything)


@settings(max_examples=150)
@given(two_peers())
def test_dropping_early_or_late_ends_the_same(
    peers: tuple[list[Entry], list[Entry], list[Entry]],
) -> None:
    """Drop, then receive a peer's records: the same as receiving all, then dropping once."""
    universe, ours, theirs = peers
    both = only(universe, {entry.id for entry in ours + theirs})
    held = only(universe, kept_of(ours) | {entry.id for entry in theirs})
    assert kept_of(held) == kept_of(both)


@settings(max_examples=150)
@given(two_peers())
def test_two_bounded_peers_converge(
    peers: tuple[list[Entry], list[Entry], list[Entry]],
) -> None:
    """Each drops by itself, they exchange what they kept, and hold what one peer with all would."""
    universe, ours, theirs = peers
    a, b = only(universe, kept_of(ours)), only(universe, kept_of(theirs))
    assert kept_of(a + b) == kept_of(ours + theirs)


@given(universes())
def test_a_kept_records_ancestors_stay(entries: list[Entry]) -> None:
    kept = kept_of(entries)
    ids = {entry.id for entry in entries}
    for entry in only(entries, kept):
        assert set(entry.ancestors) & ids <= kept


@given(universes())
def test_what_stands_on_its_own_is_bounded(entries: list[Entry]) -> None:
    """Without lineage, at most K per author, kind and day, and only the newest days."""
    flat = [replace(entry, ancestors=()) for entry in entries]
    kept = only(flat, kept_of(flat))
    for entry in kept:
        same = [e for e in kept if (e.author, e.kind) == (entry.author, entry.kind)]
        days = {e.created_at_ms // EPOCH_MS for e in same}
        today = [e for e in same if e.created_at_ms // EPOCH_MS == entry.created_at_ms // EPOCH_MS]
        assert len(today) <= FEW[entry.kind]
        assert len(days) <= 2


def test_the_lowest_ids_of_the_newest_days_stay() -> None:
    """A flood displaces only its author's own records of that day."""
    today = [Entry(f"id{n}", "win", "ann", NOW_MS) for n in (3, 1, 2)]
    bobs = Entry("id9", "win", "bob", NOW_MS)
    yesterday = Entry("id8", "win", "ann", NOW_MS - EPOCH_MS)
    before = Entry("id0", "win", "ann", NOW_MS - 2 * EPOCH_MS)
    assert kept_of([*today, bobs, yesterday, before]) == {"id1", "id2", "id9", "id8"}
    heir = Entry("id4", "replication", "bob", NOW_MS, ancestors=("id3", "unknown"))
    assert "id3" in kept_of([*today, heir])


def test_trials_end_after_48_hours_everywhere() -> None:
    entry = entry_of(SOME_ID, TRIALS)
    assert keep([entry], NOW_MS + TRIALS_LIFETIME_MS - 1) == {SOME_ID}
    assert keep([entry], NOW_MS + TRIALS_LIFETIME_MS) == set()
    win = entry_of(SOME_ID, WIN)
    assert keep([win], NOW_MS + 100 * TRIALS_LIFETIME_MS) == {SOME_ID}


def test_entries_name_what_a_record_stands_on() -> None:
    base = cid_of(b"base")
    win = replace(WIN, base=base, parents=(SOME_ID,))
    assert entry_of("x", win) == Entry("x", "win", WIN.author, NOW_MS, (base, SOME_ID))
    assert entry_of("x", WIN).ancestors == (SOME_ID,)
    assert entry_of("x", REPLICATION).ancestors == (REPLICATION.win,)
    assert entry_of("x", TRIALS).ancestors == ()

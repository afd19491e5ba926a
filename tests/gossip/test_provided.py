"""A directory's memory stays small, and lets nobody in it push everybody out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gossip.provided import FRESH_S, KEYS_PER_HOST, KEYS_PER_PEER, MAX_KEYS, PEERS_PER_KEY, Provided

OWN = b"own"


class Clock:
    """Seconds that a test turns on."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200).map(lambda number: OWN if number == 0 else b"%d" % number),
            st.integers(0, 60).map(str),
            st.sampled_from(["a", "b", "c"]),
            st.floats(0, 300),
        ),
        max_size=400,
    )
)
def test_it_is_bounded_whatever_is_said(said: list[tuple[bytes, str, str, float]]) -> None:
    """In all, and in what anybody is told; under its own key everybody is taken in."""
    clock = Clock()
    table = Provided[str](OWN, clock)
    for key, peer, host, pause_s in said:
        clock.now_s += pause_s
        assert table.add(key, peer, host, peer) or key != OWN
        assert len(table) <= MAX_KEYS * PEERS_PER_KEY
        assert len(table.at(key)) <= PEERS_PER_KEY
        if key == OWN:
            assert table.at(OWN)[-1] == peer
    clock.now_s += FRESH_S
    assert len(table) == 0 or table.at(OWN) == []


def test_one_host_under_many_names_pushes_out_itself() -> None:
    """A thousand names of one address leave the three that were there before."""
    table = Provided[str](OWN, Clock())
    for number in range(3):
        table.add(OWN, f"honest {number}", f"host {number}", f"honest {number}")
    for number in range(1000):
        table.add(OWN, f"sybil {number}", "one host", "sybil")
    assert table.at(OWN)[:3] == ["honest 0", "honest 1", "honest 2"]
    assert len(table.at(OWN)) == PEERS_PER_KEY


def test_other_keys_have_no_room_of_the_own_one() -> None:
    """Nor has a peer for more than a few of them, or any for ever."""
    clock = Clock()
    table = Provided[str](OWN, clock)
    table.add(OWN, "ann", "host", "ann")
    for number in range(100 * MAX_KEYS):
        table.add(b"%d" % number, f"eve {number}", "elsewhere", "eve")
    assert table.at(OWN) == ["ann"]
    assert len(table) <= MAX_KEYS
    taken = [table.add(b"more %d" % number, "mallory", "elsewhere", "") for number in range(20)]
    assert sum(taken) == KEYS_PER_PEER
    clock.now_s = FRESH_S
    assert table.at(OWN) == []
    assert len(table) == 0


def test_one_address_pushes_out_nobodys_key() -> None:
    """Sixteen names with four keys each, of one host; and the same from four hosts."""
    table = Provided[str](OWN, Clock())
    table.add(OWN, "own", "10.0.0.1", "own")
    table.add(b"lab", "honest", "10.0.0.2", "honest")
    for host in ("6.6.6.6", "6.6.6.7", "6.6.6.8", "6.6.6.9", "6.6.6.10", "6.6.6.11"):
        for name in range(16):
            for key in range(4):
                table.add(b"%d-%d" % (name, key), f"evil {host} {name}", host, "evil")
                table.add(f"{host} {name}-{key}".encode(), f"evil {host} {name}", host, "evil")
        assert table.at(b"lab") == ["honest"]
        assert table.at(OWN) == ["own"]
    assert len(table) <= MAX_KEYS * PEERS_PER_KEY
    table.add(b"another lab", "late", "10.0.0.3", "late")
    assert table.at(b"another lab") == ["late"]
    assert table.at(b"lab") == ["honest"]


def test_a_host_has_room_for_so_many_keys() -> None:
    """Its oldest ones go; joining somebody's key does not push that out."""
    table = Provided[str](OWN, Clock())
    table.add(b"lab", "honest", "10.0.0.2", "honest")
    table.add(b"lab", "evil", "6.6.6.6", "evil")
    for number in range(3 * KEYS_PER_HOST):
        table.add(b"%d" % number, f"evil {number}", "6.6.6.6", "evil")
    assert len(table) == KEYS_PER_HOST + 1
    assert table.at(b"lab") == ["honest", "evil"]
    assert table.at(b"%d" % (3 * KEYS_PER_HOST - 1)) == ["evil"]

"""A signature draws seeds and a slice that nobody could choose and everybody can check."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.challenge import CHALLENGE_SEEDS, challenge_windows, select
from swarm.cid import cid_of
from swarm.validation import challenge_message
from tests.swarm.record_samples import ANN, BOB, SOME_ID


@dataclass
class SeedRange:
    seeds: int = 1_000_000


@given(st.binary(min_size=64, max_size=64), st.integers(CHALLENGE_SEEDS, 1 << 31))
def test_a_challenge_is_in_range_and_its_seeds_differ(signature: bytes, seeds: int) -> None:
    """Whatever was signed."""
    challenge = select(signature, SeedRange(seeds))
    assert len(set(challenge.seeds)) == len(challenge.seeds) == CHALLENGE_SEEDS
    assert all(0 <= seed < seeds for seed in challenge.seeds)
    assert 0 <= challenge.slice_seed < 1 << 63
    assert challenge == select(signature, SeedRange(seeds))


def test_the_selection_never_changes() -> None:
    """Peers of every version draw the same; these numbers were drawn by the first."""
    challenge = select(bytes(range(64)), SeedRange())
    assert challenge.seeds == (360909, 766597, 222056)
    assert challenge.slice_seed == 8363358029550386627
    assert challenge_windows(7, 20, 5) == [1, 3, 7, 15, 17]


def test_two_peers_draw_differently_and_so_does_one_for_two_wins() -> None:
    """Evidence of several replicators is independent."""
    drawn = {
        select(author.sign(challenge_message(win)), SeedRange())
        for author in (ANN, BOB)
        for win in (SOME_ID, cid_of(b"another record"))
    }
    assert len(drawn) == 4
    assert len({challenge.slice_seed for challenge in drawn}) == 4


@given(st.integers(0, (1 << 63) - 1), st.integers(1, 400), st.data())
def test_a_slice_is_part_of_the_reserve(
    slice_seed: int, available: int, data: st.DataObject
) -> None:
    """As many windows as wanted, each once, in their order."""
    wanted = data.draw(st.integers(1, available))
    windows = challenge_windows(slice_seed, available, wanted)
    assert windows == sorted(set(windows)) and len(windows) == wanted
    assert windows[0] >= 0 and windows[-1] < available


def test_slices_cover_the_reserve_evenly() -> None:
    """Over many slices each window comes up as often as any other."""
    counts = [0] * 40
    for slice_seed in range(2000):
        for window in challenge_windows(slice_seed, 40, 10):
            counts[window] += 1
    assert all(400 < count < 600 for count in counts)


@pytest.mark.parametrize("wanted", [0, 11])
def test_a_slice_larger_than_the_reserve_is_refused(wanted: int) -> None:
    """The message names both sizes."""
    with pytest.raises(ValueError, match=f"holds 10 windows, not {wanted}"):
        challenge_windows(1, 10, wanted)

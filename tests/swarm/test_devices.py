"""Seats on devices: how many are worth having, and that they are dealt out fairly."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.devices import (
    CALM_RUNS,
    PLAIN,
    Card,
    Leases,
    Load,
    Numerics,
    Pace,
    Pool,
    Seat,
    fastest,
    fitting,
    make_pool,
    pool_of,
    worthwhile,
)

GIB = 1 << 30
BF16, TF32 = Numerics("bf16"), Numerics("tf32")


def card(number: int = 0, memory: int = 80, name: str = "H100") -> Card:
    return Card(f"GPU-{name}-{number}", "cuda", name, memory * GIB)


def pool(cards: int, at_once: int, name: str = "H100") -> Pool:
    return Pool(tuple(card(n, name=name) for n in range(cards)), PLAIN, at_once, 1.0, 1e6)


pools = st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=3).map(
    lambda shapes: tuple(pool(c, k, f"card{i}") for i, (c, k) in enumerate(shapes))
)


def curve(*rates: float, run_bytes: int = GIB) -> list[Load]:
    """Loads of 1, 2, 4 … runs with these throughputs."""
    return [Load(2**step, rate, run_bytes) for step, rate in enumerate(rates)]


def test_runs_are_added_while_all_together_get_more_done() -> None:
    assert worthwhile(curve(100, 190, 340, 380, 900)).at_once == 4
    assert worthwhile(curve(100, 105)).at_once == 1
    assert worthwhile(curve(100)).at_once == 1


def test_memory_bounds_what_fits() -> None:
    assert fitting(card(memory=80), 6 * GIB) == 8
    assert fitting(card(memory=8), 6 * GIB) == 0
    assert fitting(card(), 0) > 1000


def test_a_pool_has_no_more_seats_than_cores_to_feed_them() -> None:
    assert make_pool([card(0), card(1)], BF16, curve(100, 190, 350, 600), cores=16).at_once == 8
    few = make_pool([card(0), card(1)], BF16, curve(100, 190, 350, 600), cores=3)
    assert (few.at_once, few.seats, few.tokens_per_second) == (2, 4, 380)
    assert make_pool([card()], BF16, curve(100, 190), cores=0).at_once == 1


def test_a_run_that_shares_its_device_is_known_to_take_longer() -> None:
    assert make_pool([card()], PLAIN, curve(100, 160), cores=8).stretch == pytest.approx(1.25)
    assert make_pool([card()], PLAIN, curve(100, 205), cores=8).stretch == 1.0


def test_only_a_clearly_faster_way_of_computing_replaces_a_plainer_one() -> None:
    paces = {PLAIN: Pace(1, 100), TF32: Pace(1, 105), BF16: Pace(1, 300)}
    assert fastest(paces, 10_000) == BF16
    assert fastest({PLAIN: Pace(1, 100), TF32: Pace(1, 105)}, 10_000) == PLAIN
    slow_start = {BF16: Pace(1, 300), Numerics("bf16", True): Pace(60, 500)}
    assert fastest(slow_start, 10_000) == BF16
    assert fastest(slow_start, 1_000_000) == Numerics("bf16", True)


@given(pools, st.integers(0, 10**6))
def test_every_seed_has_one_pool_and_pools_get_work_by_their_seats(
    pools: tuple[Pool, ...], start: int
) -> None:
    seats = sum(each.seats for each in pools)
    drawn = Counter(pool_of(seed, pools) for seed in range(start, start + seats))
    assert drawn == {index: each.seats for index, each in enumerate(pools)}


@given(pools, st.data())
def test_no_device_ever_has_more_runs_than_seats(
    pools: tuple[Pool, ...], data: st.DataObject
) -> None:
    """Whatever is taken, given back and run out of memory, in any order."""
    leases = Leases(pools)
    sitting: list[Seat] = []
    for _ in range(data.draw(st.integers(0, 60))):
        if sitting and data.draw(st.booleans()):
            seat = sitting.pop(data.draw(st.integers(0, len(sitting) - 1)))
            leases.give_back(seat, out_of_memory=data.draw(st.booleans()))
        elif (seat := leases.take(data.draw(st.integers(0, len(pools) - 1)))) is not None:
            taken, seats = leases.taken(), leases.seats()
            assert taken[seat.card] <= seats[seat.card]
            sitting.append(seat)
        assert leases.taken() == {c: Counter(s.card for s in sitting)[c] for c in leases.taken()}
        assert all(count >= 1 for count in leases.seats().values())


def test_every_device_has_work_before_one_has_more_than_its_share() -> None:
    leases = Leases((pool(4, 3),))
    for round_ in range(1, 4):
        for _ in range(4):
            assert leases.take(0) is not None
        assert set(leases.taken().values()) == {round_}
    assert leases.take(0) is None


def test_one_run_at_a_time_still_uses_every_device() -> None:
    leases = Leases((pool(3, 2),))
    used = Counter[str]()
    for _ in range(30):
        seat = leases.take(0)
        assert seat is not None
        used[seat.card] += 1
        leases.give_back(seat)
    assert set(used.values()) == {10}


def test_running_out_of_memory_costs_a_seat_and_calm_brings_it_back() -> None:
    leases = Leases((pool(1, 4),))
    first = leases.take(0)
    assert first is not None and first.shared
    leases.give_back(first, out_of_memory=True)
    assert leases.seats() == {first.card: 3}
    for _ in range(CALM_RUNS):
        seat = leases.take(0)
        assert seat is not None and seat.memory_bytes > first.memory_bytes
        leases.give_back(seat)
    assert leases.seats() == {first.card: 4}
    for _ in range(2 * CALM_RUNS):
        seat = leases.take(0)
        assert seat is not None
        leases.give_back(seat)
    assert leases.seats() == {first.card: 4}


def test_a_device_always_keeps_one_seat() -> None:
    leases = Leases((pool(1, 2),))
    for _ in range(5):
        seat = leases.take(0)
        assert seat is not None
        leases.give_back(seat, out_of_memory=True)
    last = leases.take(0)
    assert last is not None and not last.shared
    assert leases.take(0) is None


def test_a_seat_nobody_took_cannot_be_given_back() -> None:
    leases = Leases((pool(1, 1),))
    with pytest.raises(ValueError, match="no seat"):
        leases.give_back(Seat("GPU-H100-0", "cuda", 1, PLAIN))

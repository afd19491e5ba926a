"""
How many runs each device takes at once, and who has the next seat.

A device is shared: each run on it has a *seat*, with an equal share of its memory.
How many seats there are follows from memory and from what was measured: another run
at once is worth it only while all of them together get more done.

Devices that compute alike make a *pool*. The seed of a run decides its pool, so base
and candidate of a pair, which share their seed, are computed alike.

Law: pure. Never more runs on a device than it has seats; every device of a pool gets
work before one of them gets more than its share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Precision = Literal["fp32", "tf32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

WORTH_ADDING = 1.15
"""Twice as many runs at once must raise throughput by this factor."""

WORTH_CHANGING = 1.1
"""A way of computing must be faster than a plainer one by this factor."""

MEMORY_SHARE = 0.9
"""Of a device's memory, what runs may fill."""

MEMORY_MARGIN = 1.5
"""Room for each run, in what the baseline takes: candidates may be larger."""

CALM_RUNS = 20
"""So many runs in a row that did not run out of memory bring a lost seat back."""


@dataclass(frozen=True, slots=True)
class Card:
    """
    One device as found.

    Attributes:
        id: What selects it, such as ``GPU-5a1c…``.
        kind: torch's word for it: ``cuda``.
        memory_bytes: Its own memory.
    """

    id: str
    kind: str
    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Numerics:
    """How training computes: in what precision, and whether torch.compile comes first."""

    precision: Precision = "fp32"
    compiled: bool = False

    def __str__(self) -> str:
        return f"{self.precision}, compiled" if self.compiled else self.precision


PLAIN = Numerics()


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a run trains: seconds before its first step, then tokens a second."""

    startup_seconds: float
    tokens_per_second: float

    def seconds(self, tokens: int) -> float:
        """What a run of so many tokens takes."""
        return self.startup_seconds + tokens / self.tokens_per_second


@dataclass(frozen=True, slots=True)
class Load:
    """
    A device with several runs on it at once, as measured.

    Attributes:
        at_once: How many runs.
        tokens_per_second: Of all of them together.
        run_bytes: Device memory of one of them.
    """

    at_once: int
    tokens_per_second: float
    run_bytes: int


def fastest(paces: Mapping[Numerics, Pace], tokens: int) -> Numerics:
    """
    The way of computing that does a run soonest; of those about as fast the plainest.

    Args:
        paces: What was measured, the plainest first; at least one.
        tokens: The budget of a run.
    """
    chosen, *others = paces
    for other in others:
        if paces[chosen].seconds(tokens) >= WORTH_CHANGING * paces[other].seconds(tokens):
            chosen = other
    return chosen


def fitting(card: Card, run_bytes: int) -> int:
    """How many runs of this size fit into a device's memory at once."""
    return int(MEMORY_SHARE * card.memory_bytes // max(1.0, MEMORY_MARGIN * run_bytes))


def worthwhile(curve: Sequence[Load]) -> Load:
    """
    The last load that was worth its additional runs.

    Args:
        curve: Rising in `at_once`, each about twice the one before; at least one.
    """
    chosen, *others = curve
    for more in others:
        if more.tokens_per_second < WORTH_ADDING * chosen.tokens_per_second:
            break
        chosen = more
    return chosen


@dataclass(frozen=True, slots=True)
class Pool:
    """
    Devices that compute alike.

    Attributes:
        cards: At least one.
        numerics: How all runs in it compute.
        at_once: Seats on each of them.
        stretch: How many times longer a run takes with all seats of its device filled
            than alone.
        tokens_per_second: Of all its devices together, as measured on one of them.
    """

    cards: tuple[Card, ...]
    numerics: Numerics
    at_once: int
    stretch: float
    tokens_per_second: float

    @property
    def seats(self) -> int:
        """How many runs it takes at once."""
        return self.at_once * len(self.cards)

    def __str__(self) -> str:
        return f"{self.cards[0].name}, {self.numerics}"


def make_pool(cards: Sequence[Card], numerics: Numerics, curve: Sequence[Load], cores: int) -> Pool:
    """
    The pool of devices of one kind, one of which was measured.

    Args:
        curve: As for `worthwhile`, beginning with one run.
        cores: Of the processor for each device: every run keeps one busy.
    """
    best = worthwhile([load for load in curve if load.at_once <= max(1, cores)])
    alone = curve[0].tokens_per_second
    stretch = best.at_once * alone / best.tokens_per_second
    rate = best.tokens_per_second * len(cards)
    return Pool(tuple(cards), numerics, best.at_once, max(1.0, round(stretch, 2)), round(rate, 1))


def pool_of(seed: int, pools: Sequence[Pool]) -> int:
    """Which pool runs with this seed belong to, as often as it has seats; never changes."""
    place = seed % sum(pool.seats for pool in pools)
    for index, pool in enumerate(pools):
        if place < pool.seats:
            return index
        place -= pool.seats
    raise AssertionError("the place is below the sum of all seats")


@dataclass(frozen=True, slots=True)
class Seat:
    """
    A run's place on a device.

    Attributes:
        card: Id of the device.
        kind: torch's word for the device.
        memory_bytes: The run's share of its memory.
        numerics: How it computes.
        shared: Whether other runs may sit on the same device.
    """

    card: str
    kind: str
    memory_bytes: int
    numerics: Numerics
    shared: bool = False


@dataclass(slots=True)
class _Bench:
    """The seats of one device: how many there are now, and how many are taken."""

    card: Card
    planned: int
    seats: int
    taken: int = 0
    given: int = 0
    calm: int = 0


@dataclass(slots=True)
class Leases:
    """
    Who sits where.

    Running out of memory costs a shared device one seat, so that each of the others
    has more; `CALM_RUNS` that did not bring it back.
    """

    pools: tuple[Pool, ...]
    _benches: list[list[_Bench]] = field(init=False)

    def __post_init__(self) -> None:
        self._benches = [
            [_Bench(card, pool.at_once, pool.at_once) for card in pool.cards] for pool in self.pools
        ]

    def take(self, pool: int) -> Seat | None:
        """A seat on the emptiest device of a pool; None while all are taken."""
        free = [bench for bench in self._benches[pool] if bench.taken < bench.seats]
        if not free:
            return None
        bench = min(free, key=lambda each: (each.taken / each.seats, each.given))
        bench.taken += 1
        bench.given += 1
        return Seat(
            card=bench.card.id,
            kind=bench.card.kind,
            memory_bytes=int(MEMORY_SHARE * bench.card.memory_bytes / bench.seats),
            numerics=self.pools[pool].numerics,
            shared=bench.seats > 1,
        )

    def give_back(self, seat: Seat, *, out_of_memory: bool = False) -> None:
        """
        The run on a seat has ended.

        Raises:
            ValueError: Nobody sits on that device.
        """
        bench = self._bench(seat.card)
        if not bench.taken:
            raise ValueError(f"no seat of {seat.card} is taken")
        bench.taken -= 1
        bench.calm = 0 if out_of_memory else bench.calm + 1
        if out_of_memory:
            bench.seats = max(1, bench.seats - 1)
        elif bench.calm >= CALM_RUNS and bench.seats < bench.planned:
            bench.seats, bench.calm = bench.seats + 1, 0

    def seats(self) -> dict[str, int]:
        """How many seats each device has now."""
        return {bench.card.id: bench.seats for pool in self._benches for bench in pool}

    def taken(self) -> dict[str, int]:
        """How many of them are taken."""
        return {bench.card.id: bench.taken for pool in self._benches for bench in pool}

    def _bench(self, card: str) -> _Bench:
        benches = (bench for pool in self._benches for bench in pool)
        return next(bench for bench in benches if bench.card.id == card)

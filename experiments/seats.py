"""
Runs waiting for a seat on a device.

Law: who came first sits down first, and nobody while all seats of his pool are taken.
A run that a shared device had no memory for is repeated once, with a larger share; what
comes out then is the result.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from experiments.run import RunResult, RunStatus
from swarm.devices import Leases, Pool, Seat, pool_of

MAX_WORDS = 120


class Seats:
    """
    The devices of a node and who uses them.

    Args:
        pools: At least one.
    """

    def __init__(self, pools: Sequence[Pool]) -> None:
        self._pools = tuple(pools)
        self.leases = Leases(self._pools)
        self._turns = [trio.StrictFIFOLock() for _ in self._pools]
        self._given_back = trio.Event()

    @property
    def total(self) -> int:
        """How many runs sit at once."""
        return sum(pool.seats for pool in self._pools)

    @property
    def kind(self) -> str:
        """torch's word for the devices."""
        return self._pools[0].cards[0].kind

    def pool(self, seed: int) -> Pool:
        """Where runs with this seed are computed: both arms of a pair alike."""
        return self._pools[pool_of(seed, self._pools)]

    def one_seed_each(self, seed: int, seeds: int) -> list[int]:
        """A seed for each pool, near this one, of the seeds 0 … seeds − 1 of a task."""
        found: dict[int, int] = {}
        for step in range(self.total):
            near = (seed + step) % seeds
            found.setdefault(pool_of(near, self._pools), near)
        return list(found.values())

    async def run(self, seed: int, run: Callable[[Seat], Awaitable[RunResult]]) -> RunResult:
        """What `run` gives on a seat for this seed, once there is one."""
        async with self._seat(seed) as (seat, ended):
            result = await run(seat)
            out_of_memory = ended(result)
        if not (out_of_memory and seat.shared):
            return result
        async with self._seat(seed) as (seat, ended):
            result = await run(seat)
            ended(result)
        return result

    @asynccontextmanager
    async def _seat(self, seed: int) -> AsyncGenerator[tuple[Seat, Callable[[RunResult], bool]]]:
        out_of_memory = False

        def ended(result: RunResult) -> bool:
            nonlocal out_of_memory
            out_of_memory = result.status is RunStatus.OUT_OF_MEMORY
            return out_of_memory

        seat = await self._sit_down(pool_of(seed, self._pools))
        try:
            yield seat, ended
        finally:
            self.leases.give_back(seat, out_of_memory=out_of_memory)
            self._given_back.set()
            self._given_back = trio.Event()

    async def _sit_down(self, pool: int) -> Seat:
        async with self._turns[pool]:
            while (seat := self.leases.take(pool)) is None:
                await self._given_back.wait()
            return seat


def in_words(pools: Sequence[Pool]) -> str:
    """The devices as a record names them: ``2 × NVIDIA H100 80GB HBM3, bf16``."""
    names = (f"{len(pool.cards)} × {pool}" if len(pool.cards) > 1 else str(pool) for pool in pools)
    words = "; ".join(names)
    return "".join(letter for letter in words if letter.isprintable())[:MAX_WORDS]

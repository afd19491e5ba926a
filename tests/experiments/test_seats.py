"""Runs on seats: nobody jumps the queue, no device is overfull, memory that runs out costs one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from experiments.harness import Caps, ReportProgress
from experiments.run import RunRequest, RunResult, RunStatus
from experiments.run_cache import RunCache
from experiments.runner import Runner
from experiments.seats import Seats, in_words
from swarm.devices import PLAIN, Card, Numerics, Pool, Seat
from tests.experiments.tiny import good, load_tiny, request

FAST = Pool(tuple(Card(f"F{n}", "cpu", "Fast", 8 << 30) for n in (0, 1)), PLAIN, 2, 1.5, 1e6)
SLOW = Pool((Card("S0", "cpu", "Slow", 8 << 30),), Numerics("bf16"), 1, 1.0, 1e5)
DONE = RunResult(RunStatus.COMPLETED, 1, (), 1000, 0, 0, 0, "none", "")


@dataclass
class Watched:
    """Notes who sits where, and how full each device ever was."""

    leaving: trio.Event = field(default_factory=trio.Event)
    now: Counter[str] = field(default_factory=Counter[str])
    most: Counter[str] = field(default_factory=Counter[str])
    order: list[int] = field(default_factory=list[int])

    async def sit(self, number: int, seat: Seat) -> RunResult:
        self.order.append(number)
        self.now[seat.card] += 1
        self.most[seat.card] = max(self.most[seat.card], self.now[seat.card])
        await self.leaving.wait()
        self.now[seat.card] -= 1
        return DONE


async def test_all_devices_fill_up_and_the_rest_wait_in_their_order() -> None:
    seats, watched = Seats([FAST]), Watched()
    async with trio.open_nursery() as nursery:
        for number in range(12):
            nursery.start_soon(seats.run, 0, partial(watched.sit, number))
            await trio.testing.wait_all_tasks_blocked()
        assert watched.now == {"F0": 2, "F1": 2}
        watched.leaving.set()
    assert watched.order == list(range(12))
    assert watched.most == {"F0": 2, "F1": 2}
    assert set(seats.leases.taken().values()) == {0}


async def test_a_run_that_is_cancelled_leaves_its_seat_and_the_queue() -> None:
    seats, watched = Seats([SLOW]), Watched()
    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(seats.run, 0, partial(watched.sit, number))
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert seats.leases.taken() == {"S0": 0}
    watched.leaving.set()
    assert await seats.run(0, lambda seat: watched.sit(9, seat)) is DONE


async def test_memory_that_ran_out_on_a_shared_device_is_tried_again_with_more() -> None:
    seats = Seats([FAST])
    shares: list[int] = []

    async def run(seat: Seat) -> RunResult:
        shares.append(seat.memory_bytes)
        return DONE if len(shares) > 1 else replace(DONE, status=RunStatus.OUT_OF_MEMORY)

    assert (await seats.run(0, run)).status is RunStatus.COMPLETED
    assert len(shares) == 2
    assert sorted(seats.leases.seats().values()) == [1, 2]


async def test_memory_that_ran_out_on_a_device_of_its_own_is_the_result() -> None:
    seats = Seats([SLOW])
    tried: list[Seat] = []

    async def run(seat: Seat) -> RunResult:
        tried.append(seat)
        return replace(DONE, status=RunStatus.OUT_OF_MEMORY)

    assert (await seats.run(0, run)).status is RunStatus.OUT_OF_MEMORY
    assert len(tried) == 1


class Fake:
    """A harness that notes on which seat each arm of each pair ran."""

    isolation = "none"
    isolates = True

    def __init__(self) -> None:
        self.sat: dict[tuple[str, int], Seat] = {}
        self.caps: dict[str, float] = {}

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        assert caps.seat is not None
        self.sat[request.tree_hash, request.seed] = caps.seat
        self.caps[caps.seat.card] = caps.cpu_seconds
        return DONE

    async def aclose(self) -> None:
        """Nothing to end."""


async def test_both_arms_of_a_pair_are_computed_alike(tmp_path: Path) -> None:
    """Devices that differ are both used, each with a compute cap of its own."""
    harness, runs = Fake(), RunCache(tmp_path / "runs.sqlite")
    seats = Seats([FAST, SLOW])
    task = load_tiny().task
    base, candidate = request(good()), request(good("x = 1"))
    async with Runner(task, harness, scratch=tmp_path, runs=runs, workers=8, seats=seats) as runner:
        await runner.calibrate(base)
        for seed in range(20):
            for arm in (base, candidate):
                await runner.run(replace(arm, seed=seed))
        assert harness.caps == {"S0": 3.0, "F0": 4.5, "F1": 4.5}
        for seed in range(20, 30):
            await runner.run(replace(candidate, seed=seed, spare=0.15))
        assert harness.caps == pytest.approx({"S0": 2.7, "F0": 4.05, "F1": 4.05})
    used = Counter[str]()
    for seed in range(20):
        first = harness.sat[base.tree_hash, seed]
        second = harness.sat[candidate.tree_hash, seed]
        assert first.numerics == second.numerics
        assert (first.card == "S0") == (second.card == "S0")
        used[first.card] += 1
    assert used["S0"] == 4 and used["F0"] + used["F1"] == 16
    runs.close()


async def test_results_of_another_way_of_computing_are_not_remembered(tmp_path: Path) -> None:
    """What the processor found is no answer for a device, nor one precision's for another."""
    asked = request(good())
    harness, task = Fake(), load_tiny().task
    runs = RunCache(tmp_path / "runs.sqlite")
    runner = Runner(task, harness, scratch=tmp_path, runs=runs, workers=1, seats=Seats([SLOW]))
    await runner.run(asked)
    assert runner.remembers(asked)
    plain = Pool(SLOW.cards, PLAIN, 1, 1.0, 1.0)
    for seats in (None, Seats([plain]), Seats([FAST])):
        other = Runner(task, harness, scratch=tmp_path, runs=runs, workers=1, seats=seats)
        assert not other.remembers(asked)
    runs.close()


def test_devices_are_named_as_a_record_can_hold() -> None:
    assert in_words([FAST, SLOW]) == "2 × Fast, fp32; Slow, bf16"
    evil = Pool((Card("x", "cuda", "G\x1b[31m" * 99, 1),), PLAIN, 1, 1.0, 1.0)
    assert len(in_words([evil])) == 120
    assert in_words([evil]).isprintable()

"""
What a machine's devices turn out to be good for.

Real runs of the tiny task, on devices that are torch's ``cpu``; where a machine has to
have a certain speed, runs that only pretend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import trio
import trio.testing

from experiments import rehearsal
from experiments.devices import Inventory
from experiments.equipment import CACHE, find, refuse_without, remembered
from experiments.harness import Caps, ReportProgress
from experiments.run import Progress, RunnerError, RunRequest, RunResult, RunStatus
from experiments.run_cache import RunCache
from experiments.runner import Runner
from experiments.sandbox import best_sandbox
from experiments.seats import Seats
from experiments.stream import stream_harness
from swarm.devices import PLAIN, Card, Numerics, Pool, Seat
from tests.experiments.inventory import GIB, FakeInventory, fake_card
from tests.experiments.tiny import good, load_tiny, request

TASK = load_tiny().task
TOKENS = 8192


@dataclass
class Machine:
    """
    A harness whose runs take the time they would on a certain machine.

    Args:
        speeds: Tokens a second of one run alone, by precision; None: such runs fail.
        room: How many runs a device computes as fast as one.
        processor: Tokens a second of a run without a seat.
        run_bytes: What a run takes of a device's memory.
        holds: How many runs fit; one more runs out of memory.
    """

    speeds: dict[str, float]
    room: int = 4
    processor: float = 10.0
    run_bytes: int = GIB
    holds: int = 1000
    isolation = "none"
    isolates = True
    now: Counter[str] = field(default_factory=Counter[str])
    asked: list[Seat | None] = field(default_factory=list["Seat | None"])

    def used(self) -> int:
        return sum(self.now.values()) * self.run_bytes

    def inventory(self, *cards: Card) -> FakeInventory:
        return FakeInventory(*cards, used=self.used)

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        seat = caps.seat
        card = "" if seat is None else seat.card
        self.asked.append(seat)
        self.now[card] += 1
        try:
            await trio.sleep(0.5)
            if (speed := self._speed(seat)) is None:
                return _ended(RunStatus.CRASHED, "no kernel for this")
            if seat is not None and self.now[card] > self.holds:
                return _ended(RunStatus.OUT_OF_MEMORY, "CUDA out of memory")
            tokens = 0.0
            while True:
                slow = max(1.0, self.now[card] / self.room) if seat else 1.0
                tokens += 0.1 * speed / slow
                progress(Progress("train", int(tokens), TOKENS, 1.0))
                await trio.sleep(0.1)
        finally:
            self.now[card] -= 1

    def _speed(self, seat: Seat | None) -> float | None:
        if seat is None:
            return self.processor
        return self.speeds.get(str(seat.numerics))

    async def aclose(self) -> None:
        """Nothing to end."""


def _ended(status: RunStatus, said: str) -> RunResult:
    return RunResult(status, None, (), 0, 0, 0, 0, "none", f"a traceback\n{said}\n")


async def found(
    machine: Machine, folder: Path, *cards: Card, cores: int = 64, accelerator: bool = False
) -> tuple[list[Pool], list[str]]:
    """The pools that a machine is found to have, and what was said."""
    said: list[str] = []
    task = replace(TASK, accelerator=accelerator)
    pools = await find(
        machine.inventory(*cards), cards, task, machine,
        cores=cores, scratch=folder, cache=folder, tell=said.append,
    )  # fmt: skip
    return pools, said


H100 = fake_card(0, "H100", 80)


@pytest.fixture(autouse=True)
def asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread is asked: a clock that jumps does not wait for one."""

    async def ask(inventory: Inventory, card: str) -> int | None:
        await trio.lowlevel.checkpoint()
        return inventory.used_bytes(card)

    monkeypatch.setattr(rehearsal, "ask", ask)


async def test_runs_are_added_up_to_the_measured_benefit(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    machine = Machine({"fp32": 1000.0}, room=4)
    [pool], _ = await found(machine, tmp_path, H100)
    assert pool.at_once == 4
    assert pool.numerics == PLAIN
    assert pool.tokens_per_second == pytest.approx(4000, rel=0.15)
    assert pool.stretch == pytest.approx(1.0, abs=0.15)
    assert max(machine.now.values()) == 0


async def test_runs_are_added_up_to_memory(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """80 GiB hold eight runs of 5 GiB with room for larger ones, whatever the benefit."""
    [pool], _ = await found(Machine({"fp32": 1000.0}, room=32, run_bytes=5 * GIB), tmp_path, H100)
    assert pool.at_once == 8
    (other := tmp_path / "other").mkdir()
    [pool], _ = await found(Machine({"fp32": 1000.0}, room=32, holds=3), other, H100)
    assert pool.at_once == 2


async def test_runs_are_added_up_to_the_cores_that_feed_them(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    cards = [fake_card(n, "H100", 80) for n in range(8)]
    [pool], _ = await found(Machine({"fp32": 1000.0}, room=32), tmp_path, *cards, cores=16)
    assert (pool.at_once, pool.seats) == (2, 16)
    assert pool.cards == tuple(cards)


async def test_precision_and_compiling_are_taken_where_the_time_says_so(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    cases = {
        "fp32": {"fp32": 1000.0, "tf32": 1050.0, "bf16": 900.0},
        "tf32": {"fp32": 1000.0, "tf32": 2000.0, "bf16": 2050.0},
        "bf16": {"fp32": 1000.0, "tf32": 1500.0, "bf16": 2500.0, "bf16, compiled": 2600.0},
        "bf16, compiled": {"fp32": 1000.0, "bf16": 2500.0, "bf16, compiled": 5000.0},
    }
    for number, (expected, speeds) in enumerate(cases.items()):
        (folder := tmp_path / str(number)).mkdir()
        [pool], _ = await found(Machine(speeds, room=1), folder, H100)
        assert str(pool.numerics) == expected


async def test_different_devices_are_measured_apart_and_all_used(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    cards = (H100, fake_card(0, "T4", 16), fake_card(1, "H100", 80))
    pools, _ = await found(Machine({"fp32": 1000.0}), tmp_path, *cards)
    assert [[card.name for card in pool.cards] for pool in pools] == [["H100", "H100"], ["T4"]]


async def test_a_device_that_does_not_work_costs_a_sentence(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """And is tried again at the next start: somebody may have seen to it."""
    pools, said = await found(Machine({}), tmp_path, H100)
    assert pools == []
    assert said[-1] == "H100 is not used: no kernel for this"
    assert not (tmp_path / CACHE).exists()


async def test_a_processor_that_is_faster_is_used(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """Unless the task is made for a device."""
    machine = Machine({"fp32": 1000.0}, room=1, processor=200.0)
    pools, said = await found(machine, tmp_path, H100, cores=8)
    assert pools == [] and "processor is faster" in said[-1]
    (other := tmp_path / "other").mkdir()
    pools, _ = await found(machine, other, H100, cores=8, accelerator=True)
    assert len(pools) == 1


async def test_it_is_measured_once(tmp_path: Path, autojump_clock: trio.testing.MockClock) -> None:
    machine = Machine({"fp32": 1000.0, "bf16": 3000.0})
    first, said = await found(machine, tmp_path, H100)
    assert first[0].numerics == Numerics("bf16")
    assert len(said) == 1 and "once" in said[0]
    machine.asked.clear()
    assert await found(machine, tmp_path, H100) == (first, [])
    assert machine.asked == []
    assert remembered([H100], TASK, "none", tmp_path) == first
    assert remembered([H100], TASK, "landlock", tmp_path) is None
    assert remembered([fake_card(1)], TASK, "none", tmp_path) is None


@pytest.mark.parametrize("kept", [b"", b"[]", b"\xff", b"[" * 100_000, b'{"KEY": [{"cards": []}]}'])
async def test_a_damaged_cache_is_measured_anew(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, kept: bytes
) -> None:
    machine = Machine({"fp32": 1000.0})
    first, _ = await found(machine, tmp_path, H100)
    key = (tmp_path / CACHE).read_text().split('"')[1]
    (tmp_path / CACHE).write_bytes(kept.replace(b"KEY", key.encode()))
    assert remembered([H100], TASK, "none", tmp_path) is None
    assert (await found(machine, tmp_path, H100))[0] == first


async def test_a_machine_without_devices_measures_nothing(tmp_path: Path) -> None:
    machine = Machine({"fp32": 1.0})
    assert await found(machine, tmp_path) == ([], [])
    assert machine.asked == []


def test_a_task_made_for_a_gpu_is_refused_without_one() -> None:
    refuse_without([], TASK)
    with pytest.raises(RunnerError, match="made for a GPU"):
        refuse_without([], replace(TASK, accelerator=True))


async def test_a_real_baseline_is_rehearsed_and_then_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes in the real confinement, on devices that are torch's ``cpu``."""
    monkeypatch.setattr(rehearsal, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(rehearsal, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(rehearsal, "LOOK_SECONDS", 0.1)
    cards, said = [fake_card(0), fake_card(1)], list[str]()
    (scratch := tmp_path / "scratch").mkdir()
    harness = stream_harness(
        TASK, load_tiny().folder, cache=tmp_path / "cache", scratch=scratch,
        sandbox=best_sandbox(), niceness=0, device_kind="cpu",
    )  # fmt: skip
    runs, results = RunCache(tmp_path / "runs.sqlite"), list[RunResult]()
    try:
        pools = await find(
            FakeInventory(*cards), cards, replace(TASK, accelerator=True), harness,
            cores=4, scratch=scratch, cache=tmp_path, tell=said.append,
        )  # fmt: skip
        seats = Seats(pools)
        runner = Runner(TASK, harness, scratch=scratch, runs=runs, workers=4, seats=seats)

        model = "    model = build_model()\n"
        drawn = f"{model}    torch.manual_seed(seed)\n    torch.nn.init.normal_(model[0].weight)\n"
        source = good().replace(model, drawn)  # in bf16 the order of the data alone may not show

        async def run(seed: int) -> None:
            results.append(await runner.run(request(source, seed=seed)))

        async with trio.open_nursery() as nursery:
            for seed in range(3):
                nursery.start_soon(run, seed)
    finally:
        await harness.aclose()
        runs.close()
    [pool] = pools
    assert pool.cards == tuple(cards)
    assert pool.at_once in (1, 2)
    assert pool.tokens_per_second > 100
    assert [result.status for result in results] == [RunStatus.COMPLETED] * 3
    assert set(seats.leases.taken().values()) == {0}
    assert not list(scratch.glob("run-*"))

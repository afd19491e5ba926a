"""
What a device is good for with a task, found by running the task's baseline on it.

Runs are real ones, confined as every run here, and are abandoned after some seconds. So
what cannot work in this confinement (a compiler, say) is seen not to, and what is
measured is what will be done.

Law: a rehearsal takes a bounded time, and one that fails says why and breaks nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import trio

from experiments.devices import Inventory
from experiments.harness import Caps, Harness, SupervisorLost
from experiments.run import Progress, RunnerError, RunRequest, RunStatus
from experiments.workspace import workspace
from swarm.devices import (
    MEMORY_SHARE,
    PLAIN,
    WORTH_ADDING,
    Card,
    Load,
    Numerics,
    Pace,
    Seat,
    fastest,
    fitting,
)

START_SECONDS = 180.0
WATCH_SECONDS = 6.0
SETTLE_SECONDS = 1.0
LOOK_SECONDS = 0.5
MOST_AT_ONCE = 64
_CAPS = Caps(cpu_seconds=3600.0, wall_seconds=3600.0, memory_bytes=3 << 30)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What some runs at once did: how fast together, how soon, and each in how much memory."""

    how: str
    at_once: int
    startup_seconds: float
    tokens_per_second: float
    run_bytes: int


@dataclass(frozen=True, slots=True)
class Failed:
    """Runs that did not work, and why."""

    how: str
    at_once: int
    problem: str


@dataclass(slots=True)
class _Trace:
    """One run as it went: (seconds, tokens) marks, and how it ended, if it did."""

    marks: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    ended_at: float = math.inf
    failed: bool = False


class Rehearsal:
    """
    Runs of a task's baseline for a few seconds.

    Args:
        harness: Of the task.
        baseline: The request that is run.
        budget_tokens: Of one run.
        scratch: Folder for the runs' files.
        inventory: Says how full devices are.

    Attributes:
        problem: Why the last runs failed, if they did.
        log: All that was run, in its order.
    """

    def __init__(
        self,
        harness: Harness,
        baseline: RunRequest,
        budget_tokens: int,
        scratch: Path,
        inventory: Inventory,
    ) -> None:
        self._harness = harness
        self._baseline = baseline
        self._budget_tokens = budget_tokens
        self._scratch = scratch
        self._inventory = inventory
        self.problem = ""
        self.log: list[Rehearsed | Failed] = []

    async def best_numerics(self, card: Card) -> tuple[Numerics, Load] | None:
        """The soonest way of computing on a device, and one run so; None where none works."""
        seen: dict[Numerics, Rehearsed] = {}
        paces: dict[Numerics, Pace] = {}

        async def try_out(numerics: Numerics) -> None:
            found = await self.run([_seat(card, numerics, 1)])
            if found is not None:
                seen[numerics] = found
                paces[numerics] = Pace(found.startup_seconds, found.tokens_per_second)

        if await self._run([_seat(card, PLAIN, 1)]) is None:  # the first one wakes all up
            return None
        await try_out(PLAIN)
        if not paces:
            return None
        await try_out(Numerics("tf32"))
        await try_out(Numerics("bf16"))
        await try_out(Numerics(fastest(paces, self._budget_tokens).precision, compiled=True))
        chosen = fastest(paces, self._budget_tokens)
        return chosen, Load(1, seen[chosen].tokens_per_second, seen[chosen].run_bytes)

    async def curve(self, card: Card, numerics: Numerics, alone: Load, cores: int) -> list[Load]:
        """Twice as many runs each time, until that does not pay, or does not fit."""
        loads = [alone]
        most = min(fitting(card, alone.run_bytes), max(1, cores), MOST_AT_ONCE)
        while (at_once := 2 * loads[-1].at_once) <= most:
            found = await self.run([_seat(card, numerics, at_once)] * at_once)
            if found is None:
                break
            loads.append(Load(at_once, found.tokens_per_second, found.run_bytes))
            if found.tokens_per_second < WORTH_ADDING * loads[-2].tokens_per_second:
                break
        return loads

    async def run(self, seats: Sequence[Seat | None]) -> Rehearsed | None:
        """What runs on all these seats at once do; None, and `problem`, where one fails."""
        found = await self._run(seats)
        self.log.append(found or Failed(_how(seats), len(seats), self.problem))
        return found

    async def _run(self, seats: Sequence[Seat | None]) -> Rehearsed | None:
        traces = [_Trace() for _ in seats]
        card = next((seat.card for seat in seats if seat), "")
        self.problem = f"no step of training was made in {START_SECONDS:.0f} s"
        before, most, began = await self._used(card), 0, trio.current_time()
        with trio.move_on_after(START_SECONDS) as scope:
            async with trio.open_nursery() as nursery:
                for seat, trace in zip(seats, traces, strict=True):
                    nursery.start_soon(self._one, seat, trace, traces, scope)
                while any(trace.ended_at == math.inf for trace in traces):
                    most = max(most, await self._used(card))
                    await trio.sleep(LOOK_SECONDS)
        await trio.sleep(SETTLE_SECONDS)  # what was abandoned has to be gone
        if any(trace.failed or not trace.marks for trace in traces):
            return None
        startup = max(trace.marks[0][0] for trace in traces) - began
        rate = _together(traces, began)
        run_bytes = max(0, most - before) // len(seats)
        return Rehearsed(_how(seats), len(seats), startup, rate, run_bytes)

    async def _one(
        self,
        seat: Seat | None,
        trace: _Trace,
        traces: Sequence[_Trace],
        scope: trio.CancelScope,
    ) -> None:
        """Run the baseline once; the time is up soon after all train, and at once if one fails."""
        request = self._baseline

        def note(progress: Progress) -> None:
            if progress.phase != "train":
                return
            trace.marks.append((trio.current_time(), progress.tokens))
            if len(trace.marks) == 1 and all(each.marks for each in traces):
                scope.deadline = trio.current_time() + WATCH_SECONDS

        caps = Caps(_CAPS.cpu_seconds, _CAPS.wall_seconds, _CAPS.memory_bytes, seat)
        try:
            with workspace(self._scratch, request.tree, request.tree_hash) as place:
                result = await self._harness.execute(place.work, place.scratch, request, caps, note)
            failed = result.status is not RunStatus.COMPLETED
            said = result.log_tail.strip().rpartition("\n")[2] or result.status.value
        except (RunnerError, SupervisorLost, OSError) as error:
            failed, said = True, str(error)
        trace.failed, trace.ended_at = failed, trio.current_time()
        if failed:
            self.problem = said
            scope.cancel()

    async def _used(self, card: str) -> int:
        return await ask(self._inventory, card) or 0


async def ask(inventory: Inventory, card: str) -> int | None:
    """What is in use on a device, asked in a thread: the answer is another program's."""
    return await trio.to_thread.run_sync(inventory.used_bytes, card, abandon_on_cancel=True)


def _seat(card: Card, numerics: Numerics, at_once: int) -> Seat:
    share = int(MEMORY_SHARE * card.memory_bytes / at_once)
    return Seat(card.id, card.kind, share, numerics, at_once > 1)


def _how(seats: Sequence[Seat | None]) -> str:
    return "processor" if seats[0] is None else str(seats[0].numerics)


def _together(traces: Sequence[_Trace], began: float) -> float:
    """Tokens a second of all runs, while all of them were training if that can be said."""
    begin = max(trace.marks[0][0] for trace in traces)
    end = min(trace.ended_at for trace in traces)
    return sum(_rate([(began, 0), *trace.marks], begin, end) for trace in traces)


def _rate(marks: Sequence[tuple[float, int]], begin: float, end: float) -> float:
    inside = [mark for mark in marks if begin <= mark[0] <= end]
    if len(inside) < 2 or inside[-1][0] <= inside[0][0]:
        inside = marks
    seconds = inside[-1][0] - inside[0][0]
    return (inside[-1][1] - inside[0][1]) / max(seconds, 1e-3)

"""
What a node needs to know of its machine before it begins: speed, devices, workers.

Law: it says what it measures before it does, since that takes time, and what it found.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import trio

from experiments.devices import Inventory, NvidiaSmi, start_driver
from experiments.equipment import find, refuse_without, remembered
from experiments.hardware import measured
from experiments.runner import LoadedTask
from experiments.sandbox import Sandbox, best_sandbox
from experiments.seats import Seats, in_words
from experiments.stream import stream_harness
from swarm import events
from swarm.devices import Pool
from swarm.hardware import Probe
from swarm.settings import NodeSettings

PROCESSOR = "cpu"
TASK_FOR_GPUS = "tinypy-gpu"
RUN_HOST_BYTES = 3 << 30
"""Of the machine's own memory, what a run on a device may take before another has none."""


@dataclass(frozen=True, slots=True)
class Furnished:
    """
    A machine, ready to work.

    Attributes:
        probe: With its measured speed.
        sandbox: For all code of trees.
        seats: On its devices; None where the processor does the work.
        workers: Experiments at once.
        device: What records say that runs are computed on.
    """

    probe: Probe
    sandbox: Sandbox
    seats: Seats | None
    workers: int
    device: str


def inventory_of(node: NodeSettings) -> Inventory:
    """The devices of this machine that a node may use."""
    return NvidiaSmi(os.environ.get("CUDA_VISIBLE_DEVICES") if node.gpu else "")


def expected_workers(loaded: LoadedTask, node: NodeSettings, probe: Probe, cache: Path) -> int:
    """How many experiments there will be at once, as far as it is known; 0 for an observer."""
    if node.observe:
        return 0
    seats = known_seats(loaded, node, cache) if probe.devices else None
    return _workers(node, probe, seats)


def known_seats(loaded: LoadedTask, node: NodeSettings, cache: Path) -> Seats | None:
    """The seats that were found worth having before; None for the processor."""
    if not (cards := inventory_of(node).cards()):
        return None
    start_driver(cards[0].kind)
    pools = remembered(cards, loaded.task, best_sandbox(loaded.task.harness).name, cache)
    return Seats(pools) if pools else None


async def furnish(
    loaded: LoadedTask,
    node: NodeSettings,
    probe: Probe,
    cache: Path,
    scratch: Path,
    report: Callable[[events.Event], None],
) -> Furnished:
    """
    Measure what is not known yet of the machine, and say on what experiments will run.

    Raises:
        RunnerError: The task is made for a device and none works.
    """

    def tell(text: str) -> None:
        report(events.Preparing(text))

    if probe.gflops is None:
        tell("Measuring once how fast this machine is.")
    probe = await trio.to_thread.run_sync(measured, probe, cache, abandon_on_cancel=True)
    sandbox, inventory = best_sandbox(loaded.task.harness), inventory_of(node)
    cards = await trio.to_thread.run_sync(inventory.cards, abandon_on_cancel=True)
    pools: list[Pool] = []
    if cards and loaded.task.harness == "stream":
        await trio.to_thread.run_sync(start_driver, cards[0].kind, abandon_on_cancel=True)
        scratch.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one folder
        harness = stream_harness(
            loaded.task,
            loaded.folder,
            cache=cache,
            scratch=scratch,
            sandbox=sandbox,
            niceness=node.nice,
            device_kind=cards[0].kind,
        )
        try:
            pools = await find(
                inventory,
                cards,
                loaded.task,
                harness,
                cores=max(1, min(probe.cores, probe.memory_bytes // RUN_HOST_BYTES)),
                scratch=scratch,
                cache=cache,
                tell=tell,
            )
        finally:
            await harness.aclose()
    refuse_without(pools, loaded.task)
    if pools:
        tell(f"Up to {sum(pool.seats for pool in pools)} runs at once on {in_words(pools)}.")
    usable = cards and remembered(cards, loaded.task, sandbox.name, cache) is not None
    if usable and loaded.task.name != TASK_FOR_GPUS:
        tell(
            f"This machine has a GPU: `swarm start --task {TASK_FOR_GPUS}` works on a model made "
            "for one, in a swarm of its own (docs/gpu.md)."
        )
    seats = Seats(pools) if pools else None
    device = in_words(pools) if pools else PROCESSOR
    return Furnished(probe, sandbox, seats, _workers(node, probe, seats), device)


def _workers(node: NodeSettings, probe: Probe, seats: Seats | None) -> int:
    """As many as a person set, or as there are seats, or one less than the cores."""
    return node.workers or (seats.total if seats else max(1, probe.cores - 1))

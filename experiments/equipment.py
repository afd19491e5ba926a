"""
On what a node's experiments run: its devices as pools of seats, or its processor.

Which it is, how many runs share a device and how they compute is measured once with the
task's own baseline, and kept in the home for exactly this machine, task and confinement.

Law: a device that cannot be used costs a sentence and never the node: the processor is
always there. A task that is made for a device says so, and is refused without one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib import metadata
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from experiments.devices import Inventory
from experiments.harness import Harness
from experiments.rehearsal import Rehearsal
from experiments.run import RunnerError, RunRequest
from swarm.devices import WORTH_CHANGING, Card, Numerics, Pool, make_pool
from swarm.task import Task
from swarm.tree import tree_hash

CACHE = "devices.json"
KEPT = 16
_MAX_CACHE_BYTES = 256 * 1024

Tell = Callable[[str], None]


def remembered(cards: Sequence[Card], task: Task, isolation: str, cache: Path) -> list[Pool] | None:
    """What was found before; an empty list where the processor was, None if nothing was."""
    rows = _kept(cache).get(_key(cards, task, isolation))
    try:
        return None if rows is None else [_pool(row) for row in cast("list[Any]", rows)]
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


async def find(
    inventory: Inventory,
    cards: Sequence[Card],
    task: Task,
    harness: Harness,
    *,
    cores: int,
    scratch: Path,
    cache: Path,
    tell: Tell,
) -> list[Pool]:
    """
    The pools of devices that experiments are to run on; empty for the processor.

    Args:
        inventory: Of this machine, with `cards`.
        harness: Of the task, able to use the devices.
        cores: Of the processor that runs may keep busy.
        scratch: Folder for the files of the runs that measure; it exists.
        cache: The folder of the home that may be deleted at any time.
        tell: Told what is found, a sentence at a time.
    """
    if not cards or task.harness != "stream" or task.budget.tokens is None:
        return []
    known = remembered(cards, task, harness.isolation, cache)
    if known is not None:
        return known
    tell("Measuring once what this machine's devices are good for; this takes minutes.")
    baseline = RunRequest(task.baseline, tree_hash(task.baseline), 0, code=False)
    rehearsal = Rehearsal(harness, baseline, task.budget.tokens, scratch, inventory)
    pools = await survey(cards, rehearsal, cores, tell)
    if not pools:
        return []
    if not task.accelerator and await _processor_is_faster(pools, rehearsal, cores):
        tell(f"The processor is faster than the devices with {task.name}, so it is used.")
        pools = []
    _keep(cache, _key(cards, task, harness.isolation), pools)
    return pools


async def survey(cards: Sequence[Card], rehearsal: Rehearsal, cores: int, tell: Tell) -> list[Pool]:
    """Measure one device of each kind; the pools of those that work."""
    pools: list[Pool] = []
    for alike in _alike(cards):
        pool = await _pool_of(alike, rehearsal, max(1, cores // len(cards)))
        if pool is None:
            tell(f"{alike[0].name} is not used: {rehearsal.problem}")
        else:
            pools.append(pool)
    return pools


def refuse_without(pools: Sequence[Pool], task: Task) -> None:
    """
    Stop where a task is made for a device and there is none that works.

    Raises:
        RunnerError: Says so.
    """
    if task.accelerator and not pools:
        raise RunnerError(
            f"task {task.name} is made for a GPU: a run would take hours on a processor, and no "
            "CUDA device works here (`swarm doctor` lists them); leave out --task to work on the "
            "default task, or use --observe to look on"
        )


def _alike(cards: Iterable[Card]) -> list[list[Card]]:
    """The cards in groups of the same name and memory, the groups in the cards' order."""

    def model(card: Card) -> tuple[str, str, int]:
        return (card.kind, card.name, card.memory_bytes)

    return [list(group) for _, group in groupby(sorted(cards, key=model), model)]


async def _pool_of(cards: Sequence[Card], rehearsal: Rehearsal, cores: int) -> Pool | None:
    """The pool of some equal devices, the first of which is measured."""
    found = await rehearsal.best_numerics(cards[0])
    if found is None:
        return None
    numerics, alone = found
    curve = await rehearsal.curve(cards[0], numerics, alone, cores)
    return make_pool(cards, numerics, curve, cores)


async def _processor_is_faster(pools: Sequence[Pool], rehearsal: Rehearsal, cores: int) -> bool:
    """Whether as many runs as the processor takes get more done than all devices."""
    one = await rehearsal.run([None])
    if one is None:
        return False
    rate = one.tokens_per_second * max(1, cores - 1)
    return rate * WORTH_CHANGING > sum(pool.tokens_per_second for pool in pools)


def _key(cards: Sequence[Card], task: Task, isolation: str) -> str:
    """What a finding holds for, as a digest."""
    facts = [[asdict(card) for card in cards], metadata.version("torch"), task.id, isolation]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _pool(row: dict[str, Any]) -> Pool:
    cards = tuple(Card(**card) for card in row.pop("cards"))
    pool = Pool(cards=cards, numerics=Numerics(**row.pop("numerics")), **row)
    if not cards or type(pool.at_once) is not int or pool.at_once < 1 or not pool.stretch >= 1:
        raise ValueError("not a pool")
    return pool


def _kept(cache: Path) -> dict[str, object]:
    try:
        with (cache / CACHE).open("rb") as file:
            value: object = json.loads(file.read(_MAX_CACHE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _keep(cache: Path, key: str, pools: Sequence[Pool]) -> None:
    """Add to what is kept, of which the latest stay; a full disk costs measuring again."""
    rows = {name: rows for name, rows in _kept(cache).items() if name != key}
    rows[key] = [asdict(pool) for pool in pools]
    fresh = cache / f"{CACHE}.new"
    try:
        fresh.write_text(json.dumps(dict(list(rows.items())[-KEPT:])), "utf-8")
        fresh.replace(cache / CACHE)
    except OSError:
        return

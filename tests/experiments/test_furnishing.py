"""A node's machine as it begins: on devices where there are any that pay, else as ever."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from experiments import furnishing
from experiments.devices import Inventory
from experiments.equipment import Tell
from experiments.furnishing import expected_workers, furnish, inventory_of, known_seats
from experiments.harness import Harness
from experiments.run import RunnerError
from swarm import events
from swarm.devices import PLAIN, Card, Pool
from swarm.hardware import Device, Probe
from swarm.settings import NodeSettings
from swarm.task import Task
from tests.experiments.inventory import FakeInventory, fake_card
from tests.experiments.tiny import Loaded, load_tiny

PROBE = Probe("Some CPU", 4, 10 << 30, (Device("cuda", "Fake", 8 << 30, 1.0),), 1.0)
CARDS = (fake_card(0), fake_card(1))
POOL = Pool(CARDS, PLAIN, 3, 1.0, 1e6)
NODE = NodeSettings()


def pretend(monkeypatch: pytest.MonkeyPatch, cards: tuple[Card, ...], pools: list[Pool]) -> None:
    """This machine has these devices, and they were found to be good for this."""

    async def find(
        inventory: Inventory, cards: tuple[Card, ...], task: Task, harness: Harness, *,
        cores: int, scratch: Path, cache: Path, tell: Tell,
    ) -> list[Pool]:  # fmt: skip
        assert cores == 3, "memory of the machine is for three runs"
        return pools

    def inventory(node: NodeSettings) -> Inventory:
        return FakeInventory(*(cards if node.gpu else ()))

    def as_it_is(probe: Probe, cache: Path) -> Probe:
        return probe

    def found_before(*_: object) -> list[Pool] | None:
        return pools or None

    monkeypatch.setattr(furnishing, "find", find)
    monkeypatch.setattr(furnishing, "inventory_of", inventory)
    monkeypatch.setattr(furnishing, "measured", as_it_is)
    monkeypatch.setattr(furnishing, "remembered", found_before)


async def furnished(
    folder: Path, node: NodeSettings = NODE, loaded: Loaded | None = None
) -> tuple[furnishing.Furnished, list[str]]:
    said: list[events.Event] = []
    found = await furnish(
        loaded or load_tiny(), node, PROBE, folder / "cache", folder / "scratch", said.append
    )
    return found, [event.message for event in said if isinstance(event, events.Preparing)]


async def test_a_machine_without_devices_works_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, (), [])
    found, said = await furnished(tmp_path)
    assert (found.seats, found.workers, found.device, said) == (None, 3, "cpu", [])
    assert expected_workers(load_tiny(), NODE, replace(PROBE, devices=()), tmp_path) == 3
    assert not (tmp_path / "scratch").exists()


async def test_as_many_experiments_go_on_as_there_are_seats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, CARDS, [POOL])
    found, said = await furnished(tmp_path)
    assert found.seats is not None
    assert (found.seats.total, found.workers, found.device) == (6, 6, "2 × Fake, fp32")
    assert said[0] == "Up to 6 runs at once on 2 × Fake, fp32."
    assert "--task tinypy-gpu" in said[1]
    assert expected_workers(load_tiny(), NODE, PROBE, tmp_path) == 6
    assert expected_workers(load_tiny(), NodeSettings(observe=True), PROBE, tmp_path) == 0


async def test_a_person_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, CARDS, [POOL])
    found, _ = await furnished(tmp_path, NodeSettings(workers=2))
    assert (found.seats is not None, found.workers) == (True, 2)
    found, said = await furnished(tmp_path, NodeSettings(gpu=False))
    assert (found.seats, found.workers, said) == (None, 3, [])
    assert known_seats(load_tiny(), NodeSettings(gpu=False), tmp_path) is None
    assert inventory_of(NodeSettings(gpu=False)).cards() == ()


async def test_a_task_made_for_a_gpu_needs_one_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = load_tiny()
    made_for_one = Loaded(replace(tiny.task, accelerator=True), tiny.folder)
    pretend(monkeypatch, CARDS, [])
    with pytest.raises(RunnerError, match="made for a GPU"):
        await furnished(tmp_path, loaded=made_for_one)
    assert (await furnished(tmp_path))[1] == [], "nobody is sent to a task that is refused"
    pretend(monkeypatch, CARDS, [POOL])
    found, _ = await furnished(tmp_path, loaded=made_for_one)
    assert found.seats is not None
    assert asdict(found.seats.pool(0)) == asdict(POOL)

"""What every inventory of devices promises, tried on the real one and on the tests' own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.devices import Inventory, NvidiaSmi, start_driver
from tests.experiments.inventory import FakeInventory, fake_card

NVIDIA_SMI = """#!/bin/sh
case "$1" in
*memory.used*) printf 'GPU-aa11, 1024\\nGPU-bb22, 0\\n' ;;
*uuid,name,memory.total*)
    printf 'GPU-aa11, NVIDIA H100 80GB HBM3, 81559\\nGPU-bb22, Odd, name, 8192\\n' ;;
*) exit 2 ;;
esac
"""


def tool(folder: Path, script: str) -> str:
    """A program of this text."""
    path = folder / "nvidia-smi"
    path.write_text(script)
    path.chmod(0o755)
    return str(path)


def smi(folder: Path) -> Inventory:
    return NvidiaSmi(program=tool(folder, NVIDIA_SMI))


def fake(folder: Path) -> Inventory:
    return FakeInventory(fake_card(0), fake_card(1))


def nothing(folder: Path) -> Inventory:
    return NvidiaSmi(program=str(folder / "not-there"))


def this_machine(folder: Path) -> Inventory:
    return NvidiaSmi(os.environ.get("CUDA_VISIBLE_DEVICES"))


each_inventory = pytest.mark.parametrize("make", [smi, fake, nothing, this_machine])


@each_inventory
def test_devices_are_told_apart_and_come_in_one_order(
    make: Callable[[Path], Inventory], tmp_path: Path
) -> None:
    inventory = make(tmp_path)
    cards = inventory.cards()
    assert cards == inventory.cards()
    assert len({card.id for card in cards}) == len(cards)
    for card in cards:
        assert card.id and card.name and card.kind and card.memory_bytes > 0


@each_inventory
def test_what_is_in_use_is_a_part_of_a_device_s_memory(
    make: Callable[[Path], Inventory], tmp_path: Path
) -> None:
    inventory = make(tmp_path)
    for card in inventory.cards():
        used = inventory.used_bytes(card.id)
        assert used is None or 0 <= used <= card.memory_bytes
    assert inventory.used_bytes("no such device") is None


def test_the_tool_is_read_as_it_speaks(tmp_path: Path) -> None:
    inventory = smi(tmp_path)
    first, second = inventory.cards()
    assert (first.id, first.kind, first.name) == ("GPU-aa11", "cuda", "NVIDIA H100 80GB HBM3")
    assert first.memory_bytes == 81559 << 20
    assert (second.name, second.memory_bytes) == ("Odd,name", 8 << 30)
    assert inventory.used_bytes("GPU-aa11") == 1 << 30


@pytest.mark.parametrize(
    ("visible", "seen"),
    [
        (None, ["GPU-aa11", "GPU-bb22"]),
        ("", []),
        ("1", ["GPU-bb22"]),
        ("GPU-aa", ["GPU-aa11"]),
        ("0, 1", ["GPU-aa11", "GPU-bb22"]),
        ("-1", []),
    ],
)
def test_a_person_s_choice_of_devices_is_kept(
    tmp_path: Path, visible: str | None, seen: list[str]
) -> None:
    """`CUDA_VISIBLE_DEVICES` means here what it means everywhere."""
    program = tool(tmp_path, NVIDIA_SMI)
    assert [card.id for card in NvidiaSmi(visible, program).cards()] == seen


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_a_driver_that_is_not_there_cannot_be_started_and_nothing_is_said(
    kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    start_driver(kind)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nexit 9\n",
        "#!/bin/sh\necho NVIDIA-SMI has failed, reboot, now\n",
        "#!/bin/sh\nprintf '\\377\\376, x, 3'\n",
        "#!/bin/sh\necho 'GPU-aa11, H100, [N/A]'\n",
        "not a program",
    ],
)
def test_a_tool_that_fails_means_no_device(tmp_path: Path, script: str) -> None:
    inventory = NvidiaSmi(program=tool(tmp_path, script))
    assert inventory.cards() == ()
    assert inventory.used_bytes("GPU-aa11") is None

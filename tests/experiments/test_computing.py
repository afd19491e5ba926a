"""
A run with a seat on a device, from the order to the score.

The device is torch's ``cpu``: everything but the driver is what it is on a GPU. A tree
runs unchanged, in the precision of its seat, under the limits of a device.
"""

from __future__ import annotations

import types
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from experiments.computing import makers_for
from experiments.forkserver import take_a_step, warm_up
from experiments.harness import Caps
from experiments.orders import RunOrder, order_from_line, order_to_line
from experiments.run import VALIDATION, RunResult, RunStatus
from experiments.sandbox import best_sandbox
from experiments.stream import StreamHarness
from experiments.task_folder import load_task
from experiments.workspace import workspace
from swarm.devices import Numerics, Seat
from swarm.settings_block import Scalar, write_settings
from tests.experiments.tiny import FOLDER, good, request

SEAT = Seat("FAKE-0", "cpu", 1 << 30, Numerics())
BF16 = Seat("FAKE-0", "cpu", 1 << 30, Numerics("bf16"))
NOWHERE = Seat("GPU-none", "cuda", 1 << 30, Numerics())

SAYS_WHERE_IT_IS = """
    import resource
    print("default", torch.get_default_device(), "limit", resource.getrlimit(resource.RLIMIT_AS)[0])
    print("data", resource.getrlimit(resource.RLIMIT_DATA)[0] >> 30)
    print("autocast", torch.is_autocast_enabled("cpu"), torch.get_float32_matmul_precision())
    print("text", torch.frombuffer.__name__)
"""


async def runs(folder: Path, source: str, seats: Sequence[Seat | None]) -> list[RunResult]:
    """A run of a tree of the tiny task on each of these seats, by one fork server."""
    harness = StreamHarness(
        prepare=FOLDER / "prepare.py",
        cache=folder / "cache",
        budget_tokens=8192,
        context=32,
        eval_bytes=2048,
        sandbox=best_sandbox(),
        niceness=0,
        scratch=folder,
        device_kind="cuda",
    )
    asked = request(source, code=True)
    results: list[RunResult] = []
    try:
        for seat in seats:
            caps = Caps(60, 120, 3 << 30, seat)
            with workspace(folder, asked.tree, asked.tree_hash) as place:
                ran = harness.execute(place.work, place.scratch, asked, caps, lambda _: None)
                results.append(await ran)
    finally:
        await harness.aclose()
    return results


async def test_a_tree_runs_on_its_seat_without_knowing_of_it(tmp_path: Path) -> None:
    """Precision changes training and not the scoring; a device that is absent fails the run."""
    source = good().replace("    torch.manual_seed(seed)", SAYS_WHERE_IT_IS, 1)
    results = await runs(tmp_path, source, [None, SEAT, BF16, NOWHERE])
    processor, fp32, bf16, nowhere = results
    for result in (processor, fp32, bf16):
        assert result.status is RunStatus.COMPLETED, result.log_tail
        on_a_seat = result is not processor
        said = result.log_tail
        assert ("landed" in said) == ("limit -1" in said) == ("data 32" in said) == on_a_seat
        assert ("autocast True" in said) == (result is bf16)
        assert "highest" in said
    assert processor.value_nano == fp32.value_nano is not None
    assert processor.weights_hash == fp32.weights_hash != bf16.weights_hash
    assert processor.value_nano is not None and bf16.value_nano is not None
    assert abs(bf16.value_nano - processor.value_nano) < 200_000_000
    assert nowhere.status is RunStatus.CRASHED
    assert "CUDA" in nowhere.log_tail or "NVIDIA" in nowhere.log_tail


@pytest.mark.parametrize("knob", ["POSITION", "NORM", "ACTIVATION", "INIT", "TIED", "QK_NORM"])
def test_all_that_a_tree_makes_lies_on_its_device(
    monkeypatch: pytest.MonkeyPatch, knob: str
) -> None:
    """Tried with torch's `meta`, whose tensors refuse to meet those of the processor."""
    task = load_task("tinypy-gpu").task
    changes: dict[str, Scalar] = {"DEPTH": 1, "PREVIOUS_BYTES": 2, "OPTIMIZER": "sgd"}
    small = write_settings(task.baseline["train.py"], changes)
    device = torch.device("meta")
    for name, make in makers_for(device).items():
        monkeypatch.setattr(torch, name, make)
    [choices] = [each.choices for each in task.knobs if each.name == knob]
    for choice in choices:
        module = types.ModuleType("train")
        source = write_settings(small, {knob: choice})
        exec(compile(source, "train.py", "exec"), module.__dict__)
        model = module.build_model()
        assert {each.device for each in (*model.parameters(), *model.buffers())} == {device}
        tokens = torch.frombuffer(bytearray(2 * 128), dtype=torch.uint8).view(2, 128).long()
        loss = module.F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        loss.backward()
        for optimizer in module.make_optimizers(model):
            optimizer.step()
    assert torch.zeros(1, device="cpu").device == torch.device("cpu")


@pytest.mark.parametrize("seat", [None, BF16])
def test_an_order_carries_its_seat(seat: Seat | None) -> None:
    order = RunOrder(
        work="w", scratch="s", prepare="p", cache="c", seed=3, budget_tokens=10, context=2,
        eval_bytes=4, exams=(VALIDATION,), probe=0.1, sandbox="none", cpu_seconds=1.0,
        wall_seconds=2.0, memory_bytes=5, seat=seat,
    )  # fmt: skip
    assert asdict(order_from_line(order_to_line(order))) == asdict(order)


def test_warming_up_asks_for_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that was asked before a fork is lost to all children: the law's test."""
    asked: list[str] = []

    def ask() -> bool:
        asked.append("is_available")
        return False

    def leave(_: int) -> None:
        """The threads of this process are not the test's to set."""

    monkeypatch.setattr(torch.cuda, "is_available", ask)
    seen = "torch._C._accelerator_getAccelerator"
    monkeypatch.setattr(seen, lambda: torch.device("cuda"))
    for name in ("set_num_threads", "set_num_interop_threads"):
        monkeypatch.setattr(torch, name, leave)
    take_a_step()
    assert asked, "an optimizer asks whether there is CUDA, or this proves nothing"
    asked.clear()
    warm_up()
    assert asked == []
    assert torch.cuda.is_available is ask

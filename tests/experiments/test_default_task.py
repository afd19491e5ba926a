"""The default task in the real harness: its corpus, its `train.py`, real isolation."""

from __future__ import annotations

from pathlib import Path

from experiments.harness import Caps
from experiments.run import Progress, RunRequest, RunResult, RunStatus
from experiments.sandbox import best_sandbox
from experiments.stream import StreamHarness
from experiments.task_folder import load_task
from experiments.workspace import workspace
from swarm.settings_block import Scalar, write_settings
from swarm.tree import tree_hash

TOKENS = 16_384

# Each of these once needed something that a confined child may not have: another
# module of torch or sympy, a thread, a file.
SETTINGS: tuple[dict[str, Scalar], ...] = (
    {},
    {"OPTIMIZER": "muon", "INIT": "orthogonal", "NORM": "rmsnorm", "POSITION": "rope"},
    {"OPTIMIZER": "sgd", "INIT": "kaiming", "ACTIVATION": "swiglu", "QK_NORM": True, "TIED": True},
)


async def test_every_optimiser_trains_in_isolation(tmp_path: Path) -> None:
    """Values are bits per byte of a model that has begun to learn, and repeat exactly."""
    loaded = load_task("quick")
    harness = StreamHarness(
        prepare=loaded.folder / "prepare.py",
        cache=tmp_path / "cache",
        budget_tokens=TOKENS,
        context=loaded.task.context,
        eval_bytes=TOKENS,
        sandbox=best_sandbox(),
        niceness=0,
        scratch=tmp_path,
    )

    async def run(settings: dict[str, Scalar]) -> RunResult:
        tree = {"train.py": write_settings(loaded.task.baseline["train.py"], settings)}
        request = RunRequest(tree, tree_hash(tree), 0, code=False, probe=1.0)
        with workspace(tmp_path, tree, request.tree_hash) as place:
            caps = Caps(cpu_seconds=60, wall_seconds=120, memory_bytes=3 << 30)
            return await harness.execute(place.work, place.scratch, request, caps, _ignore)

    try:
        results = [await run(settings) for settings in SETTINGS]
        again = await run(SETTINGS[0])
    finally:
        await harness.aclose()
    for result in results:
        assert result.status is RunStatus.COMPLETED, result.log_tail
        assert result.value_nano is not None
        assert sum(size for size, _ in result.blocks) == TOKENS
    values = [result.value_nano or 0 for result in results]
    assert 2_000_000_000 < values[1] < values[0] < 8_000_000_000  # eight bits are no guess at all
    assert (again.value_nano, again.blocks) == (results[0].value_nano, results[0].blocks)


def _ignore(progress: Progress) -> None:
    pass

"""Exams: what trained weights are scored on, and who gets to see the text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.run import HOLDOUT, VALIDATION, RunStatus, challenge
from experiments.run_cache import RunCache
from experiments.runner import Runner, RunnerError, open_runner
from experiments.sandbox import best_sandbox
from tests.experiments.tiny import FOLDER, Loaded, good, load_tiny, open_tiny, request

EXAMS = (VALIDATION, challenge(7), challenge(8), HOLDOUT)


async def test_one_run_sits_several_exams(tmp_path: Path) -> None:
    """Each is scored in full, the first is the run's value, and every window was asked again."""
    everyday = request(good())
    async with open_tiny(tmp_path) as runner:
        result = await runner.run(replace(everyday, exams=EXAMS, probe=1.0))
        alone = await runner.run(everyday)
    assert result.status is RunStatus.COMPLETED, result.log_tail
    assert tuple(score.exam for score in result.scores) == EXAMS
    assert [sum(size for size, _ in score.blocks) for score in result.scores] == [2048] * 4
    assert len({score.value_nano for score in result.scores}) == 4
    assert (result.value_nano, result.blocks) == (alone.value_nano, alone.blocks)
    assert alone.scores == result.scores[:1]
    assert alone.weights_hash == result.weights_hash
    assert len(alone.weights_hash) == 64


async def test_a_run_serves_whoever_asks_for_fewer_probes(tmp_path: Path) -> None:
    """A remembered run is good enough for less checking, and is run again for more."""
    ran = 0

    def count(_: object) -> None:
        nonlocal ran
        ran += 1

    async with open_tiny(tmp_path) as runner:
        await runner.run(replace(request(good()), probe=0.5))
        await runner.run(request(good()), count)
        assert ran == 0
        await runner.run(replace(request(good()), probe=1.0), count)
        assert ran > 0


async def test_hidden_text_is_opened_only_where_an_exam_names_it(tmp_path: Path) -> None:
    """Search evaluation does not load the holdout or the reserve, not even by mistake."""
    guarded = (FOLDER / "prepare.py").read_text()
    entry = "    def load(self, split: str) -> Split:\n"
    guard = '        if split in ("holdout", "reserve"):\n            raise CorpusError(split)\n'
    assert entry in guarded
    (tmp_path / "prepare.py").write_text(guarded.replace(entry, entry + guard))
    async with _runner(tmp_path) as runner:
        everyday = await runner.run(request(good()))
        assert everyday.status is RunStatus.COMPLETED, everyday.log_tail
        for exam in (HOLDOUT, challenge(1)):
            with pytest.raises(RunnerError, match=f"CorpusError: {exam.split}"):
                await runner.run(replace(request(good()), exams=(VALIDATION, exam)))


def _runner(folder: Path) -> Runner:
    """A runner of the tiny task with the `prepare.py` in `folder`."""
    return open_runner(
        Loaded(load_tiny().task, folder),
        cache=folder / "cache",
        scratch=folder / "scratch",
        runs=RunCache(folder / "runs.sqlite"),
        workers=1,
        sandbox=best_sandbox(),
        niceness=0,
    )

"""A winner is measured again on fresh seeds, and only those runs are told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import trio

from experiments.history import History
from experiments.measure import Measured, measure, measure_again
from experiments.proposers.knobs import KnobProposer
from experiments.research import Research
from experiments.run import RunRequest, RunResult, RunStatus
from swarm import events
from swarm.records import Win, from_nano
from swarm.settings import SearchSettings
from tests.experiments.lab import Lab, toy, toy_runner

FRESH = (101, 102, 103, 104, 105)


class Bench:
    """Gives the results a script names: base 2.7, the candidate better by a gain per seed."""

    def __init__(self, gains: dict[int, float | None]) -> None:
        self._gains = gains
        self.probes: list[tuple[str, float]] = []

    async def run(self, request: RunRequest, arm: str) -> RunResult:
        self.probes.append((arm, request.probe))
        gain = self._gains[request.seed] if arm == "candidate" else 0.0
        if gain is None:
            return RunResult(RunStatus.CRASHED, None, (), 1, 1, 1, 1, "none", "it broke")
        value = 2_700_000_000 - round(gain * 1e9)
        return RunResult(RunStatus.COMPLETED, value, ((100, 5),), 1, 10, 1, 1, "none", "")


async def both(bench: Bench) -> tuple[Measured, Measured]:
    task = toy().task
    first = await measure(
        task.baseline,
        task.baseline,
        task=task,
        code=False,
        seeds=(1, 2, 3),
        run=bench.run,
        on_pair=lambda so_far: None,
    )
    assert first.outcome == "win"
    bench.probes.clear()
    again = await measure_again(
        task.baseline,
        task.baseline,
        first,
        task=task,
        code=False,
        seeds=FRESH,
        run=bench.run,
        on_pair=lambda so_far: None,
    )
    return first, again


def lucky(fresh: Sequence[float | None]) -> Bench:
    """A hypothesis that gained five sigma on the seeds that chose it: not clear at once."""
    gain = 5 * toy().task.sigma
    return Bench({1: gain, 2: gain, 3: gain, **dict(zip(FRESH, fresh, strict=True))})


async def test_what_is_told_comes_from_fresh_runs_alone() -> None:
    """All of them, though they are smaller; every answer of the winner is probed."""
    bench = lucky((0.03, 0.02, 0.04, 0.03, 0.03))
    first, again = await both(bench)
    assert again.outcome == "win" and len(again.runs) == len(FRESH)
    assert [pair.seed for pair in again.pairs] == list(FRESH)
    assert not {pair.seed for pair in first.pairs} & {pair.seed for pair in again.pairs}
    assert again.blocks[0].bytes == 100 and again.blocks[0].base_nano == 5 * len(FRESH)
    assert again.milliseconds == 20 * (3 + len(FRESH)), "but its cost is that of all runs"
    assert {probe for arm, probe in bench.probes if arm == "candidate"} == {1.0}


@pytest.mark.parametrize(
    ("fresh", "outcome"),
    [
        ((0.004, -0.01, 0.0, 0.005, 0.0), "no_gain"),
        ((-0.1, -0.1, -0.1, -0.1, -0.1), "no_gain"),
        ((0.1, None, 0.1, 0.1, 0.1), "crashed"),
    ],
)
async def test_luck_does_not_last(fresh: Sequence[float | None], outcome: str) -> None:
    """What fresh seeds do not bear out is no win, and the trial holds every pair."""
    first, again = await both(lucky(fresh))
    assert again.outcome == outcome and again.reason
    assert again.pairs[:3] == first.pairs and len(again.pairs) > 3


async def test_a_win_is_published_with_fresh_pairs_which_serve_the_next_experiments(
    tmp_path: Path,
) -> None:
    """Real runs: the pairs of a win are others than those shown before, and its seeds come next."""
    task, told = toy().task, list[events.Event]()
    lab = Lab(task)
    async with toy_runner(tmp_path) as runner:
        research = Research(
            task,
            runner,
            History(tmp_path / "history.sqlite", task.id),
            (KnobProposer(),),
            lab,
            lab.author,
            SearchSettings(promotion_pairs=4, replicate_share=0.0),
            workers=1,
            limit=6,
            report=told.append,
            uniform=random.Random(2).random,
        )
        await research.run(trio.Event)
    wins = [record for record in lab.published if isinstance(record, Win)]
    assert wins, "the toy task gives wins in six tries"
    ends = [e for e in told if isinstance(e, events.ExperimentFinished)]
    assert len(ends) == 6 and sum(e.outcome == "win" for e in ends) == len(wins)
    assert all(2 <= len(win.pairs) <= 4 for win in wins), "two are enough where all are clear"
    assert {e.effect.n for e in ends if e.outcome == "win" and e.effect} == {
        len(win.pairs) for win in wins
    }
    again = [e for e in told if isinstance(e, events.MeasuringAgain)]
    assert len(again) >= len(wins) and {e.pairs for e in again} == {4}
    firsts = [
        (lab.wins[event.hypothesis.base], pair)
        for event, pair in pairwise(e for e in told if not isinstance(e, events.RunProgress))
        if isinstance(event, events.ExperimentStarted) and event.hypothesis.base is not None
    ]
    assert firsts, "an experiment was built on a win"
    for win, pair in firsts:
        assert isinstance(pair, events.PairMeasured)
        assert pair.base in {from_nano(each.candidate_nano) for each in win.pairs}

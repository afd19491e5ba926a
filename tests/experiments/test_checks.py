"""Peers' wins are measured again here: which, on what, and that all of it is published."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
import trio.testing

from experiments.checks import Checks
from experiments.opinions import Opinions
from experiments.proposers.known import foldable_wins
from experiments.run import HOLDOUT, VALIDATION, RunRequest, RunResult
from experiments.runner import Runner
from swarm import events
from swarm.challenge import select
from swarm.findings import findings
from swarm.newcomers import Piece, Spending
from swarm.records import Record, RecordId, Replication
from swarm.settings_block import Scalar
from swarm.validation import challenge_message
from swarm.verdict import Yardstick
from tests.experiments.lab import Lab, claimed, toy, toy_runner

REAL: dict[str, Scalar] = {"SHIFT": "small"}
USELESS: dict[str, Scalar] = {"SLOPE": 0.05}


def checks_of(
    lab: Lab,
    runner: Runner | None = None,
    *,
    share: float = 0.2,
    spending: Spending | None = None,
    told: list[events.Event] | None = None,
    asked: list[tuple[str, RunRequest]] | None = None,
) -> Checks:
    async def run(number: int, request: RunRequest, arm: str) -> RunResult:
        assert runner is not None and number < 0
        if asked is not None:
            asked.append((arm, request))
        return await runner.run(request)

    heard = list[events.Event]() if told is None else told
    return Checks(
        lab.task,
        lab.author,
        lab,
        run,
        Opinions(lab.task, lab),
        code_allowed=False,
        share=share,
        spending=spending or Spending(),
        report=heard.append,
        uniform=lambda: 0.0,
    )


def states(lab: Lab) -> dict[RecordId, str]:
    found = findings(lab.board, Yardstick.of(lab.task))
    return {finding.records[0]: finding.state for finding in found}


def foldable(lab: Lab) -> list[RecordId]:
    found = Opinions(lab.task, lab).mine()
    return [win.record for win in foldable_wins(lab.board, None, found, "minimize", lab.tree_of)]


async def test_what_was_seen_is_published_whatever_it_says(tmp_path: Path) -> None:
    """Two peers suffice to confirm a real win and to refute one that is useless."""
    task = toy().task
    real, real_win = claimed(task, 0.3, REAL)
    lie, lie_win = claimed(task, 1.9, USELESS)
    shared: list[Record] = []
    async with toy_runner(tmp_path) as runner:
        for seed in (1, 2):
            lab = Lab(task, seed)
            lab.hear(real_win, lie_win, *shared)
            checks = checks_of(lab, runner)
            first = checks.any()
            assert first == lie, "what claims most is looked at first"
            await checks.check(lie)
            await checks.check(real)
            await checks.check(real)
            assert checks.any() is None, "nothing is checked twice"
            assert len(lab.published) == 2
            shared += lab.published
    reader = Lab(task, 3)
    reader.hear(real_win, lie_win, *shared)
    assert states(reader) == {real: "replicated", lie: "refuted"}


async def test_seeds_and_text_are_those_that_the_signature_draws(tmp_path: Path) -> None:
    """Three arms on three seeds, scored on validation and the slice; one arm on the holdout."""
    task = toy().task
    record, win = claimed(task, 0.3, REAL)
    lab, told, asked = Lab(task), list[events.Event](), list[tuple[str, RunRequest]]()
    lab.hear(win)
    async with toy_runner(tmp_path) as runner:
        await checks_of(lab, runner, told=told, asked=asked).check(record)
    drawn = select(lab.sign(challenge_message(record)), task)
    (said,) = lab.published
    assert isinstance(said, Replication) and said.win == record
    for pairs in (said.pairs, said.challenge_pairs):
        assert tuple(pair.seed for pair in pairs) == drawn.seeds
        assert all(pair.base_nano - pair.candidate_nano > 250_000_000 for pair in pairs)
    assert said.baseline == tuple((pair.seed, pair.base_nano) for pair in said.challenge_pairs)
    assert said.holdout_nano is None, "a command task has no splits"
    for arm, request in asked:
        assert request.probe == 1.0 and request.exams[0] == VALIDATION
        assert request.exams[1].slice_seed == drawn.slice_seed
        assert (HOLDOUT in request.exams) == (arm == "candidate")
    assert len(asked) == 9
    started, finished = told
    assert isinstance(started, events.CheckStarted)
    assert isinstance(finished, events.CheckFinished) and finished.seen is not None
    assert finished.said == pytest.approx(-0.3, abs=1e-6)
    assert finished.seen.mean == pytest.approx(-0.3, abs=0.02)


async def test_a_check_that_was_cut_off_is_taken_up_again(tmp_path: Path) -> None:
    """By the next process, before anything else, however little time checks may take."""
    task = toy().task
    record, win = claimed(task, 0.3, REAL)
    lab = Lab(task)
    lab.hear(win)
    async with toy_runner(tmp_path) as runner:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(checks_of(lab, runner).check, record)
                await trio.testing.wait_all_tasks_blocked(0.05)
                scope.cancel()
        assert not lab.published
        again = checks_of(lab, runner, share=1e-9)
        assert again.due() == record
        await again.check(record)
        assert len(lab.published) == 1
        assert checks_of(lab, runner, share=1e-9).due() is None


async def test_checks_have_their_share_and_no_more() -> None:
    """None before anything else was done, none for a node that gives nothing."""
    task = toy().task
    record, win = claimed(task, 0.3, REAL)
    lab = Lab(task)
    lab.hear(win)
    spending = Spending()
    checks = checks_of(lab, spending=spending)
    assert checks.due() is None
    spending.begin(Piece())
    assert checks.due() == record
    spending.end(Piece(), 10.0)
    assert checks.due() == record
    spending.begin(Piece(check=True))
    assert checks.due() is None, "one that is under way counts"
    none = checks_of(lab, share=0.0, spending=spending)
    assert none.due() is None and none.any() is None and not none.enabled


def test_what_may_not_run_here_is_not_checked() -> None:
    """Code without isolation, and a win whose base is not here; own wins need no check."""
    task = toy().task
    lab = Lab(task)
    _, code = claimed(task, 0.3, {"SLOPE": 1e9})
    _, own = claimed(task, 0.3, REAL, author=lab.identity)
    lab.hear(code, own)
    assert checks_of(lab).any() is None


async def test_own_measurements_guide_what_is_built_on(tmp_path: Path) -> None:
    """One own check without a gain takes a win out of the folds here; the board waits for more."""
    task = toy().task
    lie, lie_win = claimed(task, 1.9, USELESS)
    lab = Lab(task)
    lab.hear(lie_win)
    assert foldable(lab) == [lie]
    async with toy_runner(tmp_path) as runner:
        await checks_of(lab, runner).check(lie)
    assert foldable(lab) == []
    assert states(lab) == {lie: "claimed"}

"""Early stopping in real runs: what it ends, what it leaves, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.measure import Measured, Run, measure
from experiments.run import RunRequest, RunResult, RunStatus
from experiments.runner import Runner
from experiments.stopping import Stop, Stopping
from experiments.task_folder import load_task
from gossip.identity import new_identity
from swarm.records import PeerId
from swarm.settings_block import Scalar
from swarm.signals import Lead
from swarm.stopping import LEADER_MARGIN, MARGIN, POINTS, raised
from swarm.tree import Tree, tree_hash
from swarm.turning import turned
from tests.experiments.lab import Lab
from tests.experiments.tiny import good, load_tiny, open_tiny, request

QUICK = load_task("quick").task
SLOW = good().replace("lr=1e-2", "lr=1e-4")


def tree(source: str) -> Tree:
    return {"train.py": source.encode()}


async def test_a_run_that_is_behind_ends_and_is_not_remembered(tmp_path: Path) -> None:
    """Its losses up to there are kept; without a base it runs to its end."""
    async with open_tiny(tmp_path) as runner:
        base = await runner.run(request(good()))
        assert len(base.curve) == POINTS
        assert [tokens for tokens, _ in base.curve] == [256 * each for each in range(1, 33)]
        slow = tree(SLOW)
        held = RunRequest(slow, tree_hash(slow), 0, code=False, against=base.curve)
        stopped = await runner.run(held)
        assert stopped.status is RunStatus.STOPPED and stopped.value_nano is None
        assert "clearly behind at" in stopped.log_tail
        assert POINTS // 4 <= len(stopped.curve) < POINTS
        assert not runner.remembers(held)
        whole = await runner.run(request(SLOW))
        assert whole.status is RunStatus.COMPLETED and len(whole.curve) == POINTS
        assert (await runner.run(held)).value_nano == whole.value_nano


async def test_a_stopped_experiment_is_no_gain_and_a_watched_one_goes_on(tmp_path: Path) -> None:
    """One that is watched ends as if nobody looked, but it is noted that it was behind."""
    async with open_tiny(tmp_path) as runner:
        stopped = await measured(runs_of(runner), Stop("stop", MARGIN))
        assert (stopped.outcome, stopped.pairs, stopped.behind) == ("no_gain", [], True)
        assert stopped.reason.startswith("clearly behind at ")
        watched = await measured(runs_of(runner), Stop("watch", MARGIN))
        never = await measured(runs_of(runner), Stop())
    assert (watched.behind, never.behind) == (True, False)
    assert watched.pairs and (watched.pairs, watched.outcome) == (never.pairs, never.outcome)


async def test_what_has_gained_is_not_stopped() -> None:
    """Its second run is held against nothing, whatever its losses are."""
    held = list[bool]()
    candidates = [1_995_000_000, 2_010_000_000]

    async def run(request: RunRequest, arm: str) -> RunResult:
        if arm == "base":
            return finished(2_000_000_000)
        held.append(bool(request.against))
        return finished(candidates[len(held) - 1])

    ended = await measured(run, Stop("stop", MARGIN))
    assert (held, len(ended.pairs)) == ([True, False], 2)


def runs_of(runner: Runner) -> Run:
    async def run(request: RunRequest, arm: str) -> RunResult:
        return await runner.run(request)

    return run


async def measured(run: Run, stop: Stop) -> Measured:
    return await measure(
        tree(good()),
        tree(SLOW),
        task=load_tiny().task,
        code=False,
        seeds=[1, 2, 3],
        run=run,
        on_pair=lambda _: None,
        stop=stop,
    )


async def test_the_regret_of_the_rule_is_told_and_kept() -> None:
    """One in ten finishes; what it then turns out to be is counted, in all lives of a node."""
    lab = Lab(QUICK)
    draws = iter([0.5, 0.05])
    stopping = Stopping(QUICK, lab, enabled=True, uniform=draws.__next__)
    changes: dict[str, Scalar] = {"WIDTH": 32}
    candidate = turned(QUICK.baseline, changes)
    assert [stopping.of(QUICK.baseline, candidate).mode for _ in range(2)] == ["stop", "watch"]
    assert await stopping.note("stop", "no_gain", behind=True) == ""
    assert "0 of 1 such were wins" in await stopping.note("watch", "no_gain", behind=True)
    assert await stopping.note("watch", "win", behind=False) == ""
    again = Stopping(QUICK, lab, enabled=True, uniform=draws.__next__)
    assert "1 of 2 such were wins" in await again.note("watch", "win", behind=True)
    assert again.account.stopped == 1
    off = Stopping(QUICK, lab, enabled=False, uniform=draws.__next__)
    assert off.of(QUICK.baseline, candidate) == Stop()


async def test_a_run_is_held_against_the_best_this_node_has_made(tmp_path: Path) -> None:
    """On a base that is far behind what is known, too; the lower of both is what counts."""
    async with open_tiny(tmp_path) as runner:
        best, slow = await runner.run(request(good())), await runner.run(request(SLOW))
    task = replace(load_tiny().task, baseline=tree(SLOW))
    stopping = Stopping(task, Lab(QUICK), enabled=True, uniform=lambda: 0.5)
    before = stopping.of(tree(SLOW), tree(SLOW))
    worse = replace(slow, value_nano=(best.value_nano or 0) + 1)
    stopping.saw(tree(SLOW), [worse, best, worse])
    after = stopping.of(tree(SLOW), tree(SLOW))
    poor = tuple((tokens, 2 * loss) for tokens, loss in slow.curve)
    assert before.reference(poor) == raised(poor, MARGIN)
    assert after.reference(poor) == raised(best.curve, LEADER_MARGIN)
    assert after.reference(best.curve) == raised(best.curve, MARGIN)


CANDIDATE = turned(QUICK.baseline, {"WIDTH": 32})
CURVE = ((4096, 2.5), (8192, 2.0))
FRIEND = new_identity(b"f" * 32).peer_id
STRANGER = new_identity(b"s" * 32).peer_id


@dataclass
class Befriended(Lab):
    """A lab with a friend."""

    def anchors(self) -> frozenset[PeerId]:
        return super().anchors() | {FRIEND}


def lead(author: PeerId, value_nano: int, loss: float) -> Lead:
    curve = ((4096, 3 * 10**9), (8192, round(loss * 1e9)))
    return Lead(author, QUICK.topic, QUICK.id, 0, value_nano, curve)


def finished(value_nano: int, curve: tuple[tuple[int, float], ...] = CURVE) -> RunResult:
    done = RunResult(RunStatus.COMPLETED, value_nano, (), 1, 1, 1, 1, "none", "")
    return replace(done, curve=curve)


async def test_a_run_is_held_against_the_best_that_a_friend_has_made() -> None:
    """Not against a stranger's, which may be made up."""
    lab, poor = Befriended(QUICK), ((4096, 9.0), (8192, 9.0))
    lab.heard_leads = [lead(FRIEND, 2_000_000_000, 1.5), lead(STRANGER, 1, 0.001)]
    stopping = Stopping(QUICK, lab, enabled=True, uniform=lambda: 0.5)
    stop = stopping.of(QUICK.baseline, CANDIDATE)
    assert stop.reference(poor) == raised(((4096, 3.0), (8192, 1.5)), LEADER_MARGIN)
    stopping.saw(CANDIDATE, [finished(1_900_000_000)])
    ahead = stopping.of(QUICK.baseline, CANDIDATE)
    assert ahead.reference(poor) == raised(CURVE, LEADER_MARGIN), "its own run is better now"


async def test_other_code_than_the_tasks_may_report_any_loss() -> None:
    """So no such run leads, here or at friends', and none is held against the best."""
    lab, other = Befriended(QUICK), {path: b"#\n" + code for path, code in CANDIDATE.items()}
    stopping = Stopping(QUICK, lab, enabled=True, uniform=lambda: 0.5)
    stopping.saw(other, [finished(1)])
    assert lab.told_leads == [] and stopping.of(QUICK.baseline, CANDIDATE).leader == ()
    stopping.saw(CANDIDATE, [finished(1)])
    assert stopping.of(QUICK.baseline, CANDIDATE).leader != ()
    assert stopping.of(other, other).leader == ()


async def test_friends_are_told_of_the_best_run_as_long_as_it_is_that() -> None:
    lab = Befriended(QUICK)
    stopping = Stopping(QUICK, lab, enabled=True, uniform=lambda: 0.5)
    stopping.saw(CANDIDATE, [finished(3_000_000_000), finished(4_000_000_000)])
    told = (3_000_000_000, ((4096, 2_500_000_000), (8192, 2_000_000_000)))
    assert lab.told_leads == [told]
    lab.heard_leads = [lead(FRIEND, 1_000_000_000, 1.0)]
    stopping.saw(CANDIDATE, [finished(2_000_000_000)])
    assert lab.told_leads[-1] == (2_000_000_000, ()), "a friend's is better"
    lab.heard_leads = []
    stopping.saw(CANDIDATE, [])
    assert lab.told_leads[-1] == (2_000_000_000, told[1]), "the friend has left"
    for loss in (2e6, 1e-10):
        stopping.saw(CANDIDATE, [finished(1, ((4096, loss), (8192, 1.0)))])
        assert lab.told_leads[-1] == (1, ()), "nobody would take such losses"


async def test_a_node_without_friends_tells_nobody() -> None:
    alone = Lab(QUICK)
    Stopping(QUICK, alone, enabled=True, uniform=lambda: 0.5).saw(CANDIDATE, [finished(1)])
    assert alone.told_leads == []

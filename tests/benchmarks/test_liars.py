"""The swarm with liars: small, and that its count would notice what it looks for."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio
import trio.testing

from benchmarks.bench_liars import Both, figures
from benchmarks.liars.honest import Honest
from benchmarks.liars.liar import Coalition
from benchmarks.liars.swarm import Outcome, Size, outcome, simulate
from benchmarks.liars.world import World, simulated_task
from benchmarks.virtual.wire import Wire
from experiments.run import HOLDOUT, VALIDATION, RunRequest, RunStatus, challenge
from swarm.diff import make_diff
from swarm.records import Environment, Pair, RecordId, Win
from swarm.settings_block import write_settings
from swarm.tree import tree_hash

TASK = simulated_task()


def test_a_small_swarm_lies_finds_and_is_counted() -> None:
    """Twenty minutes of three honest nodes and two liars."""
    world = World.of(TASK, 3)
    lying = simulate(world, Size(3, 2, 20.0))
    honest = simulate(world, Size(3, 0, 20.0))
    assert lying.lies > 0 and lying.records > 0
    assert honest.lies == honest.fabrications == honest.refused == 0
    assert honest.experiments > 3 and lying.experiments > 3
    assert honest.liars_minutes == 0.0 < honest.own_minutes <= 60.0
    found = figures([Both(3, lying, honest)])
    assert found["runs"] == 1 and found["fabrications"] == lying.fabrications


async def test_the_machine_measures_like_a_real_one(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """The same run again gives the same; every exam a score; the pair differs by its truth."""
    world = World.of(TASK, 1)
    better = min(world.effects, key=world.effects.__getitem__)
    tree = {"train.py": write_settings(TASK.baseline["train.py"], {better[0]: better[1]})}
    async with trio.open_nursery() as nursery:
        peer = Honest(world, Wire(nursery, random.random), "node", tmp_path, speed=1.0)
        exams = (VALIDATION, challenge(5), HOLDOUT)
        async with peer.runner as runner:
            gains: list[float] = []
            for seed in range(40):
                one, two = [
                    await runner.run(RunRequest(each, tree_hash(each), seed, False, exams))
                    for each in (TASK.baseline, tree)
                ]
                assert one.status is RunStatus.COMPLETED
                assert [score.exam for score in one.scores] == list(exams)
                gains.append((one.scores[1].value_nano - two.scores[1].value_nano) / 1e9)
        mean = sum(gains) / len(gains)
        assert abs(mean + world.effects[better]) < 4 * TASK.sigma / 40**0.5 + TASK.min_effect
        nursery.cancel_scope.cancel()


async def test_an_adopted_fabrication_would_be_counted(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    """An honest node that builds on a lie is seen by the count, which nobody else makes."""
    world = World.of(TASK, 2)
    async with trio.open_nursery() as nursery:
        wire = Wire(nursery, random.Random(1).random)
        peer = Honest(world, wire, "node", tmp_path, speed=1.0)
        coalition = Coalition(world, wire, 3)
        nursery.start_soon(peer.door.run)
        for _ in range(8):
            coalition.claim_the_best_ever(coalition.identities[0])
        await trio.sleep(2)
        before = counted(world, peer, coalition)
        assert before.fabrications > 0 and before.adopted == 0
        assert before.board_replicated > 0, "its names confirm each other"
        for record in peer.board.wins:
            await peer.publish(win_on(record, peer))
        assert counted(world, peer, coalition).adopted == before.fabrications
        nursery.cancel_scope.cancel()


def counted(world: World, peer: Honest, coalition: Coalition) -> Outcome:
    return outcome(world, [peer], coalition)


def win_on(parent: RecordId, peer: Honest) -> Win:
    """A win of a node that folds another win in, whatever it is worth."""
    tree = {"train.py": TASK.baseline["train.py"] + parent.encode().join([b"# ", b"\n"])}
    return Win(
        author=peer.peer_id,
        nickname="",
        topic=TASK.topic,
        task=TASK.id,
        created_at_ms=1,
        base=None,
        parents=(parent,),
        diff=make_diff(TASK.baseline, tree),
        tree=tree_hash(tree),
        title="Fold in: the best ever",
        rationale="",
        family="fold",
        proposer="fold",
        pairs=(Pair(1, 3, 2),),
        blocks=(),
        environment=Environment("cpu-laptop", "cpu", "2", 1, 1, "none"),
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_worlds_differ_and_hold_something_to_find(seed: int) -> None:
    effects = World.of(TASK, seed).effects
    assert min(effects.values()) < -TASK.min_effect < 0 < max(effects.values())
    assert effects != World.of(TASK, seed + 1).effects

"""Each proposer lands a real win: real runs of a small command task, from start to record."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from experiments.history import History
from experiments.proposers import Proposer, Situation, hypothesis
from experiments.proposers.fold import FoldProposer
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.revisit import RevisitProposer
from experiments.proposers.simplify import SimplifyProposer
from experiments.research import Research
from experiments.run_cache import RunCache
from experiments.runner import open_runner
from experiments.sandbox import best_sandbox
from experiments.task_folder import LoadedTask, load_task
from swarm.families import FAMILIES
from swarm.hypothesis import Hypothesis
from swarm.records import PeerId, Trial, Win
from swarm.settings import SearchSettings
from swarm.settings_block import read_settings
from swarm.turning import turned
from tests.experiments.lab import Lab

TASK = """
name = "context"
title = "What a change is worth depends on what it is put on"
harness = "command"
editable = ["train.py"]
steps = ["python3 train.py"]
min_effect = 0.02
sigma = 0.01

[metric]
name = "loss"
direction = "minimize"
unit = "points"

[budget]
seconds = 60

[knobs.RATE]
family = "learning_rate"
choices = [1, 2, 3]

[knobs.PLACE]
family = "norm"
choices = ["post", "pre"]

[knobs.TURBO]
family = "optimizer"
choices = [false, true]

[knobs.CLIP]
family = "regularisation"
when = { PLACE = ["pre"] }
choices = [0, 1]
"""

TRAIN = '''"""TURBO hurts with PLACE at post and helps with pre; CLIP does nothing."""

import os
import random

# --- settings: one NAME = value per line ---
RATE = 1
PLACE = "post"
TURBO = False
CLIP = 0
# --- end of settings ---

seed = int(os.environ["SWARM_SEED"])
loss = 3.0 + random.Random(seed).gauss(0, 0.05)
loss += random.Random(f"{seed}/{RATE}/{PLACE}/{TURBO}").gauss(0, 0.002)
loss -= 0.1 * RATE
loss -= 0.1 if PLACE == "pre" else 0.0
loss -= (0.1 if PLACE == "pre" else -0.1) if TURBO else 0.0
print(f"loss: {loss}")
'''


class Trusting(Lab):
    """A node whose owner named everybody."""

    def anchors(self) -> frozenset[PeerId]:
        return super().anchors() | {win.author for win in self.wins.values()}


@dataclass
class Place:
    """A node that researches in steps, each with a proposer and families of its own."""

    folder: Path
    loaded: LoadedTask
    lab: Lab
    seed: int = 1
    told: list[object] = field(default_factory=list[object])

    async def research(
        self, proposers: Sequence[Proposer], families: Collection[str], limit: int
    ) -> list[Trial]:
        """Some experiments in some families; their notes."""
        task = self.loaded.task
        history = History(self.folder / f"history{self.seed}", task.id)
        before = history.count()
        search = SearchSettings(
            promotion_pairs=3,
            replicate_share=0.0,
            fold_share=1.0,
            exclude_families=tuple(each for each in FAMILIES if each not in families),
        )
        runner = open_runner(
            self.loaded,
            cache=self.folder / "cache",
            scratch=self.folder / f"scratch{self.seed}",
            runs=RunCache(self.folder / "runs.sqlite"),
            workers=2,
            sandbox=best_sandbox(task.harness),
            niceness=0,
        )
        async with runner:
            await Research(
                task,
                runner,
                history,
                proposers,
                self.lab,
                self.lab.author,
                search,
                workers=1,
                limit=limit,
                report=self.told.append,
                uniform=random.Random(3).random,
            ).run(trio.Event)
        trials = history.all()[before:]
        history.close()
        return trials

    @property
    def wins(self) -> list[Win]:
        """What was published, in order."""
        return [record for record in self.lab.published if isinstance(record, Win)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "task.toml").write_text(TASK)
    (folder / "train.py").write_text(TRAIN)
    loaded = load_task(str(folder))
    return Place(tmp_path, loaded, Lab(loaded.task))


async def test_knobs_and_revisit(place: Place) -> None:
    """A turn that helps is a win; one discarded on the baseline is a win on the next base."""
    (discard,) = await place.research([KnobProposer()], {"optimizer"}, 1)
    assert (discard.outcome, discard.knobs) == ("no_gain", (("TURBO", "True"),))
    assert (await place.research([KnobProposer()], {"norm"}, 1))[0].outcome == "win"
    await place.research([RevisitProposer()], {"optimizer"}, 1)
    assert [(win.proposer, win.title) for win in place.wins] == [
        ("knobs", "PLACE post → pre"),
        ("revisit", "Again: TURBO False → True"),
    ]


async def test_fold_of_several_wins_at_once(place: Place) -> None:
    """Two friends' wins that go together are one experiment here; then what they prove is built."""
    mine = place.lab = Trusting(place.loaded.task)
    for seed, family in ((2, "learning_rate"), (3, "norm")):
        place.lab, place.seed = Lab(mine.task, seed=seed), seed
        await place.research([KnobProposer()], {family}, 1)
        mine.hear(*place.wins)
    peers = list(mine.wins)
    assert len(peers) == 2
    place.lab, place.seed = mine, 1
    both, adopted, folded = await place.research([FoldProposer()], {"fold"}, 3)
    assert (both.outcome, set(both.parents)) == ("promising", set(peers)), "it is slept on"
    assert (adopted.outcome, folded.base) == ("win", adopted.parents[0]), "proven by a friend"
    assert {*adopted.parents, *folded.parents} == set(peers)


async def test_simplify(place: Place) -> None:
    """A setting that does nothing goes back to its default, as a win without a gain."""
    await place.research([Person()], {"learning_rate"}, 1)
    (trial,) = await place.research([SimplifyProposer()], {"simplify"}, 1)
    rich, simple = place.wins
    assert trial.outcome == "win" and (simple.family, simple.proposer) == ("simplify", "simplify")
    assert simple.title == "Simpler: CLIP 1 → 0"
    assert "as good as its base, with 1 setting back at the default" in str(place.told)
    gains = [pair.base_nano - pair.candidate_nano for pair in simple.pairs]
    assert gains == [0] * 3
    tree = place.lab.tree_of(list(place.lab.wins)[-1])
    assert read_settings(tree["train.py"])["CLIP"] == 0
    assert rich.tree != simple.tree


class Person:
    """Turns a knob that helps, and by the way one that does nothing."""

    name = "person"

    def families(self, situation: Situation) -> Collection[str]:
        return {"learning_rate"}

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        tree = turned(situation.champion.tree, {"RATE": 3, "CLIP": 1})
        return hypothesis(
            situation, tree, title="RATE and CLIP", rationale="", family=family, proposer=self.name
        )

"""
The world that the nodes of a simulated swarm measure.

Every setting of a small `train.py` has a true effect, drawn at random; effects add
up. A run gives the truth of its tree, plus what seed, text and machine add, plus noise
shaped like that of real pairs (`benchmarks/null_pairs.py`) and as large as the task says.

Law: what a run gives follows from tree, seed, text and machine, so running it again
gives the same. Only `truth` knows the truth; no node is given this object, just a
harness that measures.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import trio

from benchmarks.bench_false_wins import standardised
from benchmarks.null_pairs import read_pairs
from experiments.harness import Caps, ReportProgress
from experiments.run import Exam, RunRequest, RunResult, RunStatus, Score
from experiments.task_folder import load_task
from swarm.families import FAMILIES
from swarm.settings_block import END, START, Scalar, read_settings
from swarm.task import Task, parse_task
from swarm.tree import Tree

MEASURED_LIKE = "tinypy"
"""The task whose noise and smallest effect the simulated one has."""

SEARCHED = tuple(family for family in FAMILIES if family not in ("simplify", "fold", "code"))
CHOICES = 6
START_VALUE = 3.5
SEED_SIGMA = 0.02
MACHINE_SIGMA = 0.02
EVAL_BYTES = 500_000


def simulated_task() -> Task:
    """One knob a family, with the noise of the built-in task."""
    like = load_task(MEASURED_LIKE).task
    lines = [f"{family.upper()} = 0" for family in SEARCHED]
    source = "\n".join([START, *lines, END, "", "def train():", "    return 0", ""])
    knobs = "\n".join(
        f'[knobs.{family.upper()}]\nfamily = "{family}"\nchoices = {list(range(CHOICES))}'
        for family in SEARCHED
    )
    manifest = f"""
name = "simulated"
title = "A curve that nobody sees"
harness = "stream"
editable = ["train.py"]
frozen = ["prepare.py"]
context = 128
eval_bytes = {EVAL_BYTES}
min_effect = {like.min_effect}
sigma = {like.sigma}
alpha = {like.alpha}
[metric]
name = "val_bpb"
direction = "minimize"
unit = "bits per byte"
[budget]
tokens = 1048576
[corpus]
val = "{"0" * 64}"
{knobs}
"""
    return parse_task(manifest.encode(), {"train.py": source.encode(), "prepare.py": b""})


@dataclass(frozen=True, slots=True)
class World:
    """
    The truth of one simulated swarm.

    Attributes:
        effects: By setting and value, what it adds to the metric; lower is better.
        minutes: By setting and value, the factor on a run's length.
        noise: Differences of null pairs, of mean zero and variance one.
    """

    task: Task
    seed: int
    effects: Mapping[tuple[str, Scalar], float]
    minutes: Mapping[tuple[str, Scalar], float]
    noise: tuple[float, ...]

    @classmethod
    def of(cls, task: Task, seed: int) -> World:
        """A world of its own for each seed: half of all values harm, a quarter help."""
        draw = random.Random(f"world {seed}")
        effects: dict[tuple[str, Scalar], float] = {}
        minutes: dict[tuple[str, Scalar], float] = {}
        for family in SEARCHED:
            for value in range(1, CHOICES):
                kind = draw.random()
                size = task.sigma * draw.lognormvariate(0.7, 0.8)
                harm = size if kind < 0.5 else 0.0
                effects[family.upper(), value] = -size if kind > 0.75 else harm
                minutes[family.upper(), value] = draw.uniform(0.8, 1.3)
        return cls(task, seed, effects, minutes, tuple(standardised(read_pairs()).tolist()))

    def truth(self, tree: Tree) -> float:
        """What a tree is worth, without any noise."""
        settings = read_settings(tree["train.py"])
        return START_VALUE + sum(self.effects.get(each, 0.0) for each in settings.items())

    def measure(self, tree: Tree, tree_hash: str, seed: int, exam: Exam, machine: str) -> float:
        """What a run of a tree gives on one text."""
        run = self.noise[self._number(tree_hash, seed, machine) % len(self.noise)]
        text = self._normal(tree_hash, exam.split, exam.slice_seed)
        return (
            self.truth(tree)
            + SEED_SIGMA * self._normal("seed", seed)
            + MACHINE_SIGMA * self._normal("machine", machine)
            + MACHINE_SIGMA * self._normal("slice", exam.split, exam.slice_seed)
            + self.task.min_effect / 3 * text / 2**0.5
            + self.task.sigma * run / 2**0.5
        )

    def length(self, tree: Tree) -> float:
        """How many minutes a run of a tree takes on a machine of speed one."""
        minutes = 1.0
        for each in read_settings(tree["train.py"]).items():
            minutes *= self.minutes.get(each, 1.0)
        return minutes

    def _normal(self, *about: object) -> float:
        return random.Random(self._number(*about)).gauss()

    def _number(self, *about: object) -> int:
        text = repr((self.seed, *about))
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


class SimulatedHarness:
    """
    Measures in a world, in virtual time: an `experiments.harness.Harness`.

    Attributes:
        busy_minutes: What all runs took so far.
    """

    isolation = "simulated"
    isolates = True

    def __init__(self, world: World, machine: str, speed: float) -> None:
        self._world = world
        self._machine = machine
        self._speed = speed
        self.busy_minutes = 0.0

    async def execute(
        self, work: Path, scratch: Path, request: RunRequest, caps: Caps, progress: ReportProgress
    ) -> RunResult:
        """Wait as long as the run would take, and give what it would give."""
        minutes = self._world.length(request.tree) / self._speed
        await trio.sleep(minutes)
        self.busy_minutes += minutes
        scores = tuple(self._score(request, exam) for exam in request.exams)
        milliseconds = round(minutes * 60_000)
        return RunResult(
            status=RunStatus.COMPLETED,
            value_nano=scores[0].value_nano,
            blocks=scores[0].blocks,
            cpu_milliseconds=milliseconds,
            wall_milliseconds=milliseconds,
            work_milliseconds=milliseconds,
            peak_memory_bytes=1 << 29,
            isolation=self.isolation,
            log_tail="",
            scores=scores,
        )

    async def aclose(self) -> None:
        """Nothing to end."""

    def _score(self, request: RunRequest, exam: Exam) -> Score:
        value = self._world.measure(
            request.tree, request.tree_hash, request.seed, exam, self._machine
        )
        nano = round(value * 1e9)
        return Score(exam, nano, ((EVAL_BYTES, nano * EVAL_BYTES),))

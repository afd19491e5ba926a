"""
The same budget spent without a swarm: a plain loop, Optuna, and chance.

Each is given the knobs that nodes turn, with the same values, and one run for each idea,
as their users run them: nothing is measured twice.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from benchmarks.headline.training import Tokens, Trainer, trained_on
from experiments.proposers.grid import grid
from experiments.run import RunRequest
from swarm.bounds import same
from swarm.grade import grade
from swarm.knob import Knob
from swarm.records import TreeHash
from swarm.settings_block import Scalar
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of, turned

if TYPE_CHECKING:
    import optuna

Space = Mapping[str, Sequence[Scalar]]


@dataclass(slots=True)
class Found:
    """
    What a search ended with.

    Attributes:
        best: The tree it calls best.
        said: What it says that tree is worth.
        experiments: Ideas it tried.
        repeated: Of these, how many it had tried before.
        kept: Every tree that was once its best, the first first.
        reached: Tokens spent and the value it believed in, at each step down.
    """

    best: Tree
    said: float
    experiments: int = 0
    repeated: int = 0
    kept: list[Tree] = field(default_factory=list[Tree])
    reached: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])


class Tries:
    """Runs ideas one after the other, keeps what is strictly lower, and pays."""

    def __init__(self, training: Trainer, tokens: Tokens) -> None:
        self._training = training
        self._tokens = tokens
        self._baseline = tree_hash(training.loaded.task.baseline)
        self._tried = set[TreeHash]()
        self.found = Found(training.loaded.task.baseline, float("inf"))

    @property
    def over(self) -> bool:
        """Whether the tokens are spent."""
        return self._tokens.over

    def run(self, tree: Tree, seed: int) -> float | None:
        """The validation metric of a tree; None where it does not complete."""
        request = RunRequest(tree, tree_hash(tree), seed, code=False)
        result = self._training.run(request)
        self._tokens.pay(request, trained_on(result, self._training.budget_tokens), self._baseline)
        self.found.experiments += 1
        self.found.repeated += request.tree_hash in self._tried
        self._tried.add(request.tree_hash)
        value = None if result.value_nano is None else result.value_nano / 1e9
        if value is not None and value < self.found.said:
            self.found.best, self.found.said = tree, value
            self.found.kept.append(tree)
            self.found.reached.append((self._tokens.spent, value))
        return value


def space_of(task: Task) -> Space:
    """Every knob with the values that nodes turn it to."""
    return {knob.name: grid(knob) for knob in task.knobs}


def plain_loop(training: Trainer, tokens: Tokens, seed: int, workers: int = 1) -> Found:
    """
    One change of the best for each worker at a time, one run each, kept if strictly lower.

    Workers wait for each other, so that all go on from the best of a round: on 35 machines
    that found more than if each took its next change as soon as it was free.
    """
    draw, tries, task = (
        random.Random(f"{'plain' if workers == 1 else 'parallel'} {seed}"),
        Tries(training, tokens),
        training.loaded.task,
    )
    tries.run(task.baseline, seed)
    tried = {tree_hash(task.baseline)}
    while not tries.over:
        ideas = [tree for tree in _turns(task, tries.found.best) if tree_hash(tree) not in tried]
        if not ideas:
            break
        for idea in draw.sample(ideas, min(workers, len(ideas))):
            tried.add(tree_hash(idea))
            if not tries.over:
                tries.run(idea, seed)
    return tries.found


def random_search(training: Trainer, tokens: Tokens, seed: int) -> Found:
    """Every knob drawn anew each time."""
    draw, tries, task = (
        random.Random(f"random {seed}"),
        Tries(training, tokens),
        training.loaded.task,
    )
    space = space_of(task)
    tries.run(task.baseline, seed)
    while not tries.over:
        settings = {name: draw.choice(list(values)) for name, values in space.items()}
        tries.run(_tree(task, settings), seed)
    return tries.found


def optuna_tpe(training: Trainer, tokens: Tokens, seed: int, workers: int) -> Found:
    """Optuna's TPE with shared storage; each worker asks anew when its last trial has run."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    task, tries = training.loaded.task, Tries(training, tokens)
    space = space_of(task)
    study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(constant_liar=True, seed=seed), direction="minimize"
    )
    study.enqueue_trial({name: _place(task, name, values) for name, values in space.items()})
    running = deque[tuple[optuna.trial.Trial, Tree]]()
    while not tries.over:
        while len(running) < workers:
            trial = study.ask()
            running.append((trial, _tree(task, _suggested(trial, space))))
        trial, tree = running.popleft()
        value = tries.run(tree, seed)
        state = None if value is not None else optuna.trial.TrialState.FAIL
        study.tell(trial, value, state=state)
    return tries.found


def _suggested(trial: optuna.trial.Trial, space: Space) -> dict[str, Scalar]:
    """All settings of a trial, before it runs: TPE chooses each when it is asked for it."""
    return {
        name: values[trial.suggest_int(name, 0, len(values) - 1)] if len(values) > 1 else values[0]
        for name, values in space.items()
    }


def _place(task: Task, name: str, values: Sequence[Scalar]) -> int:
    """Where the baseline's setting stands among the values, or the nearest end."""
    at = settings_of(task.baseline)[name]
    return next((place for place, value in enumerate(values) if same(value, at)), 0)


def _tree(task: Task, settings: Mapping[str, Scalar]) -> Tree:
    return turned(task.baseline, settings)


def _turns(task: Task, tree: Tree) -> Iterator[Tree]:
    """The tree with one knob that matters turned to another value."""
    settings = settings_of(tree)
    for knob in _knobs_that_matter(task, settings):
        for value in grid(knob):
            if not same(value, settings[knob.name]):
                changed = turned(tree, {knob.name: value})
                if grade(task.baseline, changed, task) == "knob":
                    yield changed


def _knobs_that_matter(task: Task, settings: Mapping[str, Scalar]) -> list[Knob]:
    return [knob for knob in task.knobs if knob.matters(settings)]

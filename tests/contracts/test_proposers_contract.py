"""What every proposer promises, whatever peers say and whatever a person allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.findings import trial_of, trials_record
from experiments.measure import Measured
from experiments.proposers import Champion, KnownWin, Proposer, Situation
from experiments.proposers.combine import CombineProposer
from experiments.proposers.fold import FoldProposer
from experiments.proposers.follow import FollowProposer
from experiments.proposers.grid import grid
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.llm import LlmProposer
from experiments.proposers.llm_answer import Answer, AnswerError, Edit
from experiments.proposers.mixed import every_proposer
from experiments.proposers.revisit import RevisitProposer
from experiments.proposers.simplify import SimplifyProposer
from experiments.task_folder import load_task
from swarm.bounds import Bounds, KnobBounds, same
from swarm.diff import apply_diff
from swarm.families import FAMILIES
from swarm.grade import grade
from swarm.hypothesis import Hypothesis
from swarm.records import MAX_PARENTS, OUTCOMES, Pair, RecordId, Trial, encode
from swarm.seen import SeenTrial
from swarm.settings_block import Scalar
from swarm.task import Task
from swarm.tree import Tree, tree_hash
from swarm.turning import settings_of, turned
from tests.experiments.lab import Lab
from tests.processes import TOY


class AnsweredLlm:
    """A model's proposer to which a model has answered this and that of the script it is shown."""

    name = "llm"

    def __init__(self) -> None:
        self._proposer = LlmProposer()
        self._answered: set[str] = set()

    def families(self, situation: Situation) -> Collection[str]:
        self._answer(situation)
        return self._proposer.families(situation)

    def propose(self, situation: Situation, family: str) -> Hypothesis | None:
        self._answer(situation)
        return self._proposer.propose(situation, family)

    def _answer(self, situation: Situation) -> None:
        if (base := tree_hash(situation.champion.tree)) in self._answered:
            return
        self._answered.add(base)
        for answer in answers(situation):
            with suppress(AnswerError):
                self._proposer.take(situation, answer)


def answers(situation: Situation) -> Iterator[Answer]:
    """Turns of each knob, code, and what does not fit, from a model that calls it anything."""
    script = situation.champion.tree["train.py"].decode()
    for number, knob in enumerate(situation.task.knobs[:3]):
        family = FAMILIES[3 * number]
        start = script.find(f"\n{knob.name} = ")
        line = script[start : script.find("\n", start + 1)]
        for value in grid(knob)[:1]:
            edit = Edit("train.py", line, f"\n{knob.name} = {value!r}")
            yield Answer(f"{knob.name} at {value}", "it may help", family, (edit,))
    for edit in (
        Edit("train.py", "import math", "import math  # a comment"),
        Edit("train.py", "import math", "import ("),
        Edit("../train.py", "import math", ""),
        Edit("train.py", "no such text", ""),
    ):
        yield Answer("an idea", "", "code", (edit,))


PROPOSERS: Mapping[str, Callable[[], Proposer]] = {
    "knobs": KnobProposer,
    "fold": FoldProposer,
    "simplify": SimplifyProposer,
    "revisit": RevisitProposer,
    "llm": AnsweredLlm,
    "combine": CombineProposer,
    "follow": FollowProposer,
    "mixed": lambda: every_proposer()[1],
}
TASKS = (load_task("quick").task, load_task(TOY).task)
EXTRA = b"\n\ndef nobody_calls_this(x):\n" + b"    x = [x * 2 for x in range(9) if x]\n" * 40
GARBAGE: tuple[Tree, ...] = (
    {},
    {"train.py": b""},
    {"train.py": b"\xff\x00" * 50},
    {"train.py": b"# --- settings: one NAME = value per line ---\n" * 3},
    {"train.py": b"x = 1\n" * 20_000},
    {"other.py": b"pass\n"},
)

each_proposer = pytest.mark.parametrize("make", PROPOSERS.values(), ids=PROPOSERS)
examples = settings(max_examples=6, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32)


def situations(seed: int) -> Situation:
    """A champion, peers' wins and trials, honest and not, all drawn from one number."""
    draw = random.Random(seed)
    task = draw.choice(TASKS)
    champion = changed(task, task.baseline, draw, draw.randrange(4))
    if draw.random() < 0.3:
        champion = {"train.py": champion["train.py"] + EXTRA}
    return Situation(
        task=task,
        champion=Champion(None, champion, draw.choice([None, 2.7])),
        wins=[win(task, champion, draw, number) for number in range(draw.randrange(6))],
        code_allowed=draw.random() < 0.7,
        tried=lambda base, tree: False,
        uniform=random.Random(seed).random,
        trials=[trial(task, champion, draw) for _ in range(draw.randrange(30))],
        sweep=draw.choice(["", "LEARNING_RATE", "no such knob"]),
        friends=frozenset(draw.sample(["peer", "own", "friend"], draw.randrange(3))),
        tree_of=partial(_any_tree, {None: task.baseline}, draw.random()),
    )


def _any_tree(
    trees: Mapping[RecordId | None, Tree], lot: float, record: RecordId | None
) -> Tree | None:
    """Mostly what it is, else garbage or nothing."""
    odd = random.Random(f"{record} {lot}").choice([*GARBAGE, None])
    return trees.get(record) if lot < 0.7 else odd


def changed(task: Task, tree: Tree, draw: random.Random, count: int) -> Tree:
    here = settings_of(tree)
    for knob in draw.sample(task.knobs, min(count, len(task.knobs))):
        here[knob.name] = draw.choice(grid(knob))
    return turned(tree, here)


def win(task: Task, champion: Tree, draw: random.Random, number: int) -> KnownWin:
    base = draw.choice([task.baseline, champion])
    tree = changed(task, base, draw, 1)
    if draw.random() < 0.3:
        base, tree = draw.choice([*GARBAGE, base]), draw.choice([*GARBAGE, tree])
    effect = draw.choice([-0.1, -0.3, 0.1, -1e300, float("-inf"), float("nan")])
    value = draw.choice([2.5, 2.9, -1e300, float("nan")])
    flags = draw.random() < 0.3, draw.random() < 0.3
    return KnownWin(f"b{number}", "Fold in: " * 12, "", base, tree, effect, value, *flags)


def trial(task: Task, champion: Tree, draw: random.Random) -> SeenTrial:
    knob = draw.choice(task.knobs)
    literal = draw.choice([repr(draw.choice(grid(knob))), "1e999", "__import__('os')", "", "True"])
    name = draw.choice([knob.name, knob.name, knob.name, "NO_SUCH_KNOB"])
    base = draw.choice([tree_hash(champion), "0" * 64, "1" * 64])
    values = [draw.choice([0, 2_700_000_000, -(2**62), 2**62]) for _ in range(2)]
    pairs = (Pair(1, *values),) * draw.randrange(3)
    tree = f"{draw.getrandbits(256):064x}"
    values = [each for each in grid(knob) if repr(each) == literal and name == knob.name]
    tree = tree_hash(turned(champion, {name: values[0]})) if values else tree
    note = Trial(
        base=None,
        base_tree=base,
        tree=tree,
        title="x",
        family=draw.choice([knob.family, "no such family"]),
        proposer="knobs",
        parents=(),
        knobs=((name, literal),),
        pairs=pairs,
        outcome=draw.choice(OUTCOMES),
        milliseconds=draw.choice([0, 2**60]),
        finished_at_ms=0,
    )
    return SeenTrial("peer", "cpu-laptop", draw.random() < 0.5, note)


@each_proposer
@examples
@given(seed=seeds)
def test_what_is_offered_is_there_and_can_be_run(make: Callable[[], Proposer], seed: int) -> None:
    """Each family has a proposal: it applies, gives its tree, may run, and fits a record."""
    place, proposer = situations(seed), make()
    task, base = place.task, place.champion.tree
    families = proposer.families(place)
    assert set(families) <= set(FAMILIES)
    for family in FAMILIES:
        found = proposer.propose(place, family)
        assert (found is not None) == (family in families)
        if found is None:
            continue
        tree = apply_diff(base, found.diff, task.editable)
        assert (found.family, found.base_tree) == (family, tree_hash(base))
        assert found.tree == tree_hash(tree) != found.base_tree
        assert found.code == (grade(task.baseline, tree, task) == "code")
        assert place.code_allowed or not found.code
        assert len(set(found.parents)) == len(found.parents) <= MAX_PARENTS
        now = settings_of(tree)
        assert all(repr(now[name]) == literal for name, literal in found.knobs)
        fit = replace(found, parents=())
        encode(trials_record(Lab(task).author, [trial_of(fit, Measured(), 1)]))
    assert proposer.propose(place, "no such family") is None


@each_proposer
@examples
@given(seed=seeds)
def test_a_proposal_is_a_function_of_the_situation(make: Callable[[], Proposer], seed: int) -> None:
    """The same situation and the same draws: the same ideas, also from one that is not new."""
    used = make()
    used.families(situations(seed + 1))
    for family in used.families(situations(seed)):
        first = make().propose(situations(seed), family)
        assert used.propose(situations(seed), family) == first


@each_proposer
@examples
@given(seed=seeds)
def test_nothing_is_proposed_twice_on_a_base(make: Callable[[], Proposer], seed: int) -> None:
    """What was tried never comes again, and a family that is offered is not empty."""
    tried: set[tuple[str, str]] = set()

    def is_tried(base: str, tree: str) -> bool:
        return (base, tree) in tried

    place = replace(situations(seed), tried=is_tried)
    proposer = make()
    for _ in range(8):
        if not (families := sorted(proposer.families(place))):
            break
        found = proposer.propose(place, random.Random(seed).choice(families))
        assert found is not None
        assert (found.base_tree, found.tree) not in tried
        tried.add((found.base_tree, found.tree))


@each_proposer
@examples
@given(seed=seeds)
def test_a_persons_bounds_hold(make: Callable[[], Proposer], seed: int) -> None:
    """A bounded setting stays as it is or goes to a value that its bounds admit."""
    draw = random.Random(seed)
    place = situations(seed)
    bounded = {knob.name: bounds(grid(knob), draw) for knob in place.task.knobs[::2]}
    place = replace(place, bounds=Bounds(bounded))
    before = settings_of(place.champion.tree)
    proposer = make()
    for family in sorted(proposer.families(place)):
        found = proposer.propose(place, family)
        assert found is not None
        after = settings_of(apply_diff(place.champion.tree, found.diff, place.task.editable))
        for name, limit in bounded.items():
            assert same(before[name], after[name]) or limit.admits(after[name])


def bounds(values: list[Scalar], draw: random.Random) -> KnobBounds:
    match draw.randrange(4):
        case 0:
            return KnobBounds(exclude=True)
        case 1:
            return KnobBounds(pin=draw.choice(values))
        case 2:
            return KnobBounds(low=0.01, high=0.5)
        case _:
            return KnobBounds(values=tuple(draw.sample(values, 2)))

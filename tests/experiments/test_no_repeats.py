"""No repeats: nothing twice, what others have seldom, and sweeps where the hardware is for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from experiments.choosing import Chooser
from experiments.history import History
from experiments.memory import Memory
from experiments.opinions import Opinions
from experiments.proposers import Champion, Proposer
from experiments.proposers.knobs import KnobProposer
from swarm.hypothesis import Hypothesis
from swarm.newcomers import Spending
from swarm.records import Trial
from swarm.repeats import STRANGERS_ODDS
from swarm.seen import SeenTrial
from swarm.settings import SearchSettings
from swarm.signals import Claim, Idea
from tests.experiments.lab import NOW_MS, Lab, toy

FAMILIES = {"learning_rate", "init", "width_depth"}


def chooser_of(
    folder: Path,
    lab: Lab,
    *,
    hardware_class: str = "cpu-laptop",
    workers: int = 1,
    seed: int = 1,
    proposers: Sequence[Proposer] = (),
) -> Chooser:
    """The chooser of a node on the toy task, with the knobs proposer alone or with these."""
    return Chooser(
        lab.task,
        History(folder / f"history{seed}.sqlite", lab.task.id),
        proposers or (KnobProposer(),),
        lab,
        Memory(lab, lab.task.baseline),
        replace(lab.author, hardware_class=hardware_class),
        SearchSettings(),
        Opinions(lab.task, lab),
        Spending(),
        code_allowed=True,
        workers=workers,
        uniform=random.Random(seed).random,
    )


def baseline(lab: Lab) -> Champion:
    return Champion(None, lab.task.baseline, 2.6)


def first(chooser: Chooser, lab: Lab, count: int) -> list[Hypothesis]:
    """The first hypotheses it chooses on the baseline, as many as there are."""
    chosen = (chooser.next(baseline(lab)) for _ in range(count))
    return [each[0] for each in chosen if each is not None]


def tried_by_a_peer(hypothesis: Hypothesis) -> SeenTrial:
    trial = Trial(
        base=hypothesis.base,
        base_tree=hypothesis.base_tree,
        tree=hypothesis.tree,
        title=hypothesis.title,
        family=hypothesis.family,
        proposer=hypothesis.proposer,
        parents=(),
        knobs=hypothesis.knobs,
        pairs=(),
        outcome="no_gain",
        milliseconds=1,
        finished_at_ms=NOW_MS,
    )
    return SeenTrial("somebody", "cpu-laptop", False, trial)


def keys(hypotheses: list[Hypothesis]) -> list[tuple[str, str]]:
    return [(each.base_tree, each.tree) for each in hypotheses]


def test_nothing_is_chosen_twice(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    chosen = keys(first(chooser_of(tmp_path, lab), lab, 12))
    assert len(chosen) == len(set(chosen)) == 12


def test_what_peers_have_tried_or_try_now_is_left_to_them(tmp_path: Path) -> None:
    """Most of it, and most of the time: each idea keeps its bounded odds."""
    lab = Lab(toy().task)
    every = first(chooser_of(tmp_path, lab, seed=99), lab, 12)
    tried, claimed = every[:4], every[4:8]
    lab.seen += [tried_by_a_peer(each) for each in tried]
    lab.heard.append(
        Claim("other", lab.task.topic, lab.task.id, NOW_MS, tuple(map(Idea.of, claimed)))
    )
    held = {*keys(tried), *keys(claimed)}
    early = [
        key
        for seed in range(16)
        for key in keys(first(chooser_of(tmp_path, lab, seed=seed), lab, 3))
    ]
    taken = sum(key in held for key in early) / len(early)
    assert taken < 1.5 * STRANGERS_ODDS


def test_a_lie_takes_no_idea_away(tmp_path: Path) -> None:
    """With everything claimed by others, a node tries all the same things in the end."""
    lab, free = Lab(toy().task), Lab(toy().task)
    every = first(chooser_of(tmp_path, free, seed=98), free, 40)
    lab.seen += [tried_by_a_peer(each) for each in every]
    honest = set(keys(first(chooser_of(tmp_path, free, seed=2), free, 15)))
    lied_to = set(keys(first(chooser_of(tmp_path, lab, seed=3), lab, 15)))
    assert len(honest) == len(lied_to) == 15


def test_a_datacentre_gpu_starts_several_ideas_of_a_family_at_once(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    chooser = chooser_of(tmp_path, lab, hardware_class="gpu-datacenter", workers=4)
    chosen = first(chooser, lab, 4)
    assert len({each.family for each in chosen}) == 1 and chosen[0].family == "learning_rate"
    assert len(set(keys(chosen))) == 4
    assert chooser.waiting == []
    assert chooser_of(tmp_path, lab, workers=4, seed=5).next(baseline(lab)) is not None


def test_a_laptop_with_many_workers_sweeps_nothing(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    chooser = chooser_of(tmp_path, lab, workers=4)
    chooser.next(baseline(lab))
    assert chooser.waiting == []


def test_a_sweep_ends_with_its_base(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    chooser = chooser_of(tmp_path, lab, hardware_class="gpu-datacenter", workers=4)
    begun = chooser.next(baseline(lab))
    assert begun is not None and len(chooser.waiting) == 3
    left = [hypothesis for hypothesis, _ in chooser.waiting]
    other = chooser.waiting[0][0]
    tree = {"train.py": lab.task.baseline["train.py"].replace(b"SLOPE = 0.1", b"SLOPE = 0.2")}
    after = chooser.next(Champion("b-record", tree, 2.5))
    assert after is not None and after[0].base == "b-record" != other.base
    back = keys(first(chooser, lab, 60))
    assert {*keys(left)} <= {*back}, "what was let go may be tried again on its base"


def test_the_outlook_explains_every_family_on_offer(tmp_path: Path) -> None:
    lab = Lab(toy().task)
    chooser = chooser_of(tmp_path, lab)
    lab.seen.append(tried_by_a_peer(first(chooser_of(tmp_path, lab, seed=97), lab, 1)[0]))
    outlook = chooser.outlook(baseline(lab))
    assert {each.family for each in outlook} == FAMILIES
    assert abs(sum(each.probability for each in outlook) - 1) < 1e-9
    assert outlook[0].family == "init", "the only one of the laptop's favourites here"
    assert sum(each.peer_trials for each in outlook) == 1
    assert all(each.why.endswith(".") and each.trials == 0 for each in outlook)

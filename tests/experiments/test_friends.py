"""Friends prove each other's finds: real runs of a small task, from a find to what is built on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from experiments.history import History
from experiments.measure import Measured
from experiments.proposers import Champion, hypothesis
from experiments.proposers.follow import FollowProposer
from experiments.proposers.knobs import KnobProposer
from experiments.proposers.simplify import SimplifyProposer
from experiments.run import SPARE, allowed
from experiments.runner import Runner, RunRequest, RunResult
from experiments.worth import SLEEP, Worth
from swarm.hypothesis import Hypothesis
from swarm.records import Pair, PeerId, Trial
from swarm.seen import SeenTrial
from swarm.turning import turned
from tests.experiments.lab import Lab, toy
from tests.experiments.test_landing import (
    Person,
    Place,
    place,  # noqa: F401  # pyright: ignore[reportUnusedImport]
)
from tests.experiments.test_proposers import situation


@dataclass
class Friendly(Lab):
    """A node whose owner named some peers."""

    friends: frozenset[PeerId] = field(default_factory=frozenset[PeerId])

    def anchors(self) -> frozenset[PeerId]:
        return super().anchors() | self.friends


def told(lab: Lab, trial: Trial) -> SeenTrial:
    return SeenTrial(lab.identity.peer_id, "cpu-laptop", False, trial)


async def test_a_find_is_proven_by_a_friend_with_one_pair_and_adopted_without_a_run(
    place: Place,  # noqa: F811
) -> None:
    task = place.loaded.task
    finder, friend = Friendly(task, seed=1), Friendly(task, seed=2)
    finder.friends, friend.friends = (
        frozenset({each.identity.peer_id}) for each in (friend, finder)
    )
    place.lab, place.seed = finder, 1
    (find,) = await place.research([KnobProposer()], {"norm"}, 1)
    assert (find.outcome, len(find.pairs), finder.published) == ("promising", 1, [])

    place.lab, place.seed = friend, 2
    friend.seen.append(told(finder, find))
    (proof,) = await place.research([FollowProposer()], {"fold"}, 1)
    (win,) = place.wins
    assert (proof.outcome, proof.proposer, len(win.pairs)) == ("win", "follow", 1)
    assert win.tree == find.tree and win.pairs[0].seed != find.pairs[0].seed, "its seeds are fresh"

    place.lab, place.seed = finder, 1
    finder.hear(win)
    (later,) = await place.research([KnobProposer()], {"learning_rate"}, 1)
    assert later.base == next(iter(finder.wins)), "it builds on what it had measured already"


async def test_a_new_idea_leaves_some_of_the_compute_cap_and_who_follows_has_it_all(
    place: Place,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, asked = Runner.run, list[RunRequest]()

    async def noting(runner: Runner, request: RunRequest, *rest: Any) -> RunResult:
        asked.append(request)
        return await run(runner, request, *rest)

    monkeypatch.setattr(Runner, "run", noting)
    task = place.loaded.task
    finder = Friendly(task, seed=1, friends=frozenset({"x"}))
    place.lab, place.seed = finder, 1
    (find,) = await place.research([KnobProposer()], {"norm"}, 1)
    assert {each.spare for each in asked if each.tree_hash == find.tree} == {SPARE}
    assert {each.spare for each in asked if each.tree_hash == find.base_tree} == {0.0}

    asked.clear()
    friend = Friendly(task, seed=2, friends=frozenset({finder.identity.peer_id}))
    friend.seen.append(told(finder, find))
    place.lab, place.seed = friend, 2
    await place.research([FollowProposer()], {"fold"}, 1)
    assert {each.spare for each in asked if each.tree_hash == find.tree} == {0.0}
    assert allowed(3.0) == pytest.approx(2.7) and allowed(3.0, 0.0) == 3.0
    assert allowed(1.1) > 1.0, "what costs what the baseline does always fits"


async def test_only_friends_are_followed(place: Place) -> None:  # noqa: F811
    finder = Friendly(place.loaded.task, seed=1, friends=frozenset({"x"}))
    place.lab = finder
    (find,) = await place.research([KnobProposer()], {"norm"}, 1)
    champion = Champion(None, finder.task.baseline, 2.9)
    here = replace(
        situation(finder.task),
        champion=champion,
        trials=[told(finder, find)],
        tree_of=finder.tree_of,
    )
    assert not FollowProposer().families(here)
    friendly = replace(here, friends=frozenset({finder.identity.peer_id}))
    assert FollowProposer().families(friendly) == {"fold"}


def found(lab: Lab, gain: float) -> tuple[Hypothesis, Measured]:
    """A turn of a knob that gained so much on one pair."""
    task = lab.task
    tree = turned(task.baseline, {task.knobs[0].name: 2.0 + gain})
    idea = hypothesis(situation(task), tree, title="a find", rationale="", family="x", proposer="p")
    pair = Pair(1, 3_000_000_000, 3_000_000_000 - round(gain * 1e9))
    return idea, Measured(outcome="win", pairs=[pair])


@pytest.fixture
def lab() -> Friendly:
    return Friendly(toy().task, friends=frozenset({"friend"}))


def worth_of(lab: Lab, path: Path) -> Worth:
    history = History(path / "history.sqlite", lab.task.id)
    return Worth(lab.task, lab, history, lab.identity.peer_id)


def test_a_find_is_slept_on_and_proven_here_if_nobody_else_does(
    lab: Friendly, tmp_path: Path
) -> None:
    worth, champion = worth_of(lab, tmp_path), Champion(None, lab.task.baseline, 3.0)
    idea, measured = found(lab, 0.5)
    assert worth.sleep_on(idea, measured, 4)
    assert worth.due(champion, 3 + SLEEP) is None
    due = worth.due(champion, 4 + SLEEP)
    assert due is not None and due.hypothesis == idea
    assert worth.due(champion) is None, "once"


def test_without_friends_nothing_is_slept_on(lab: Friendly, tmp_path: Path) -> None:
    alone = Lab(lab.task)
    assert not worth_of(alone, tmp_path).sleep_on(*found(alone, 0.5), 1)


def test_what_a_friend_beats_is_set_aside_and_what_a_stranger_says_is_not_heard(
    lab: Friendly, tmp_path: Path
) -> None:
    worth, (idea, measured) = worth_of(lab, tmp_path), found(lab, 0.5)
    better = Trial(
        base=None,
        base_tree="0" * 64,
        tree="1" * 64,
        title="a better one",
        family="x",
        proposer="p",
        parents=(),
        knobs=(),
        pairs=(Pair(1, 3_000_000_000, 2_000_000_000),),
        outcome="promising",
        milliseconds=1,
        finished_at_ms=1,
    )
    lab.seen.append(SeenTrial("stranger", "cpu-laptop", False, better))
    assert worth.overtaken(idea, measured) is None
    lab.seen.append(SeenTrial("friend", "cpu-laptop", False, better))
    assert "a better one" in str(worth.overtaken(idea, measured))
    assert worth.left_behind(idea, measured) is not None


async def test_what_looked_like_a_small_gain_is_not_built_on_for_a_friends_word(
    place: Place,  # noqa: F811
) -> None:
    task = place.loaded.task
    finder, friend = Friendly(task, seed=1), Friendly(task, seed=2)
    finder.friends = frozenset({friend.identity.peer_id})
    place.lab, place.seed = friend, 2
    await place.research([KnobProposer()], {"norm"}, 1)
    place.lab, place.seed = finder, 1
    (find,) = await place.research([KnobProposer()], {"norm"}, 1)
    small = find.pairs[0]._replace(candidate_nano=find.pairs[0].base_nano - 30_000_000)
    history = History(place.folder / "history1", task.id)
    history.add(replace(find, pairs=(small,)))
    history.close()
    finder.hear(*friend.wins.values())
    (later,) = await place.research([KnobProposer()], {"learning_rate"}, 1)
    assert finder.wins and (find.outcome, later.base) == ("promising", None)


async def test_what_is_simpler_is_not_slept_on(place: Place) -> None:  # noqa: F811
    mine = place.lab = Friendly(place.loaded.task)
    await place.research([Person()], {"learning_rate"}, 1)
    mine.friends = frozenset({"somebody"})
    (trial,) = await place.research([SimplifyProposer()], {"simplify"}, 1)
    assert trial.outcome == "win", "its gain is none: no friend will follow it"

"""Strategy: it begins by hardware, learns what pays, forgets, never gives up and never chokes."""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.priors import load_priors
from swarm.evidence import Arm, Evidence, evidence_of
from swarm.families import FAMILIES
from swarm.hardware import HARDWARE_CLASSES, Device, Probe, hardware_class
from swarm.priors import Prior, prior_of
from swarm.seen import SeenTrial
from swarm.strategy import UNIFORM_SHARE, Choice, choose, odds, reason
from tests.swarm.test_evidence import HERE, evidence, own, said, seen_trials, trial

SEARCHABLE = [family for family in FAMILIES if family not in ("fold", "code")]
GIB = 1 << 30
LAPTOP = Probe("Intel(R) Core(TM) i5-7200U", 2, 8 * GIB)
H100 = Probe("Xeon", 32, 512 * GIB, (Device("cuda", "NVIDIA H100 80GB HBM3", 80 * GIB),))
PLAIN = Prior()
STRUCTURE = {"init", "norm", "activation", "position", "simplify"}
SWEEPS = {"learning_rate", "batch", "schedule"}


def prior(probe: Probe) -> Prior:
    """Where a machine begins, from the priors that come with the program."""
    return prior_of(load_priors(), hardware_class(probe))


def picked(
    available: Collection[str],
    known: Evidence,
    where: Prior = PLAIN,
    *,
    times: int = 1000,
    seed: int = 5,
) -> list[Choice]:
    uniform = random.Random(seed).random
    return [choose(available, known, where, fold_share=0.25, uniform=uniform) for _ in range(times)]


def picks(
    available: Collection[str], known: Evidence, where: Prior = PLAIN, *, times: int = 1000
) -> Counter[str]:
    return Counter(each.family for each in picked(available, known, where, times=times))


@pytest.mark.parametrize("seed", range(20))
def test_a_datacentre_gpu_begins_with_sweeps_run_several_at_once(seed: int) -> None:
    """Without evidence, most of its first 20 picks are rates, batches and schedules."""
    first = picked(SEARCHABLE, Evidence(), prior(H100), times=20, seed=seed)
    sweeps = [each for each in first if each.family in SWEEPS]
    assert len(sweeps) > 10
    assert all(each.at_once > 1 for each in sweeps)


@pytest.mark.parametrize("seed", range(20))
def test_two_cores_begin_with_changes_of_structure(seed: int) -> None:
    """Without evidence, most of its first 20 picks are init, norm, activation and the like."""
    first = picked(SEARCHABLE, Evidence(), prior(LAPTOP), times=20, seed=seed)
    assert sum(each.family in STRUCTURE for each in first) > 10
    assert {each.at_once for each in first} == {1}


def test_every_class_has_a_prior_for_every_family() -> None:
    assert len(set(FAMILIES)) == 14
    for name in (*HARDWARE_CLASSES, "unheard-of"):
        found = prior_of(load_priors(), name)
        assert set(found.weights) == set(FAMILIES) and found.why.endswith(".")


def test_evidence_moves_the_odds() -> None:
    """Against the prior, towards what gained here and away from what did not."""
    uniform = random.Random(3).random
    history = own(*[trial("optimizer", 0.4), trial("init"), trial("norm"), trial("activation")] * 3)

    def chances(known: Evidence) -> dict[str, float]:
        found = odds(SEARCHABLE, known, prior(LAPTOP), fold_share=0.25, uniform=uniform)
        return dict(found)

    before, after = chances(Evidence()), chances(evidence(history))
    assert after["optimizer"] > 0.25 > 5 * before["optimizer"]
    assert after["init"] < before["init"] / 2
    assert sum(before.values()) == pytest.approx(1.0)


def test_peers_of_the_same_kind_move_the_odds_more_than_others() -> None:
    mine = own(*[trial("batch")] * 8)

    def schedule(hardware: str) -> int:
        win = said(trial("schedule", 0.3), hardware=hardware)
        return picks(SEARCHABLE, evidence([*win, *mine]))["schedule"]

    nobody = picks(SEARCHABLE, evidence(mine))["schedule"]
    assert schedule("cpu-laptop") > schedule("gpu-datacenter") > 1.2 * nobody


def test_a_lie_cannot_close_a_family() -> None:
    """A crowd that says a family never works lowers its odds within bounds, no further."""
    crowd = [
        seen for n in range(100) for seen in said(*[trial("schedule")] * 50, author=f"liar{n}")
    ]
    for count in (0, 4, 20):
        mine = own(*[trial("batch", 0.05)] * count)
        honest = picks(SEARCHABLE, evidence(mine))["schedule"]
        censored = picks(SEARCHABLE, evidence([*crowd, *mine]))["schedule"]
        assert censored > max(1000 * UNIFORM_SHARE / len(SEARCHABLE) / 2, 0.2 * honest)


def test_a_lie_cannot_take_over_either() -> None:
    """A crowd that boasts of a family cannot make this node try nothing else."""
    crowd = [
        seen for n in range(100) for seen in said(*[trial("code", 3.0)] * 50, author=f"liar{n}")
    ]
    mine = own(*[trial("optimizer", 0.4)] * 5, *[trial("code")] * 5)
    counts = picks([*SEARCHABLE, "code"], evidence([*crowd, *mine]))
    assert counts["code"] < 0.7 * counts.total()


def test_the_reason_says_what_earlier_ideas_brought() -> None:
    """A share of the headroom is named as one, and no gain is not called a gain of 0 %."""

    def why(*trials: SeenTrial) -> str:
        known = evidence_of(trials, replace(HERE, goal=1.6))
        return reason("position", known, prior(LAPTOP))

    assert "not helped here yet; one more" in why(*own(trial("position")))
    assert "brought 10.0% of the way to the goal" in why(*own(trial("position", 0.2)))
    assert "helped peers" in why(*said(trial("position", 0.2)))
    assert "have not helped peers" in why(*said(trial("position")))
    assert "though they helped peers" in why(*own(trial("position")), *said(trial("position", 0.2)))
    assert "good first look" in why()


def test_gain_counts_per_second() -> None:
    history = own(*[trial("attention", 0.3, 600_000), trial("batch", 0.3, 60_000)] * 4)
    counts = picks(["attention", "batch"], evidence(history))
    assert counts["batch"] > 3 * counts["attention"]


def test_nothing_is_ever_given_up() -> None:
    hopeless = Evidence(
        {"schedule": Arm(20.0, 0.0, 0.0, 2000.0), "batch": Arm(20.0, 8.0, 20.0, 200.0)}
    )
    counts = picks(["batch", "schedule"], hopeless, times=4000)
    assert counts["schedule"] > 4000 * UNIFORM_SHARE / 2 * 0.7


def test_a_waiting_win_is_attractive() -> None:
    assert picks([*SEARCHABLE, "fold"], Evidence(), prior(LAPTOP))["fold"] > 450


def test_folds_take_no_more_than_their_share() -> None:
    """Every fold pays and one always waits; still the share holds, give or take one fold."""
    uniform = random.Random(2).random
    history: list[SeenTrial] = []
    for _ in range(100):
        known = evidence(history)
        family = choose(FAMILIES, known, prior(LAPTOP), fold_share=0.25, uniform=uniform).family
        history += own(trial(family, 0.3 if family == "fold" else 0.0))
    assert 15 <= sum(each.trial.family == "fold" for each in history) <= 30


def test_a_fold_that_is_all_there_is_is_taken() -> None:
    known = evidence(own(*[trial("fold")] * 5))
    assert picks(["fold"], known, times=20) == {"fold": 20}


def test_no_family_no_choice() -> None:
    with pytest.raises(ValueError, match="no family has anything left"):
        choose([], Evidence(), PLAIN, fold_share=0.25, uniform=lambda: 0.5)
    assert odds([], Evidence(), PLAIN, fold_share=0.25, uniform=lambda: 0.5) == {}


@pytest.mark.parametrize("numbers", [[0.0], [1 - 2**-53], [0.5], [0.0, 1 - 2**-53]])
def test_any_source_of_numbers_ends_in_a_choice(numbers: list[float]) -> None:
    uniform: Callable[[], float] = cycle(numbers).__next__
    known = evidence(own(trial("norm", 0.1), trial("fold", 3.6)))
    choice = choose(FAMILIES, known, prior(LAPTOP), fold_share=0.25, uniform=uniform)
    assert choice.family in FAMILIES
    assert choice.why.endswith(".")


@given(
    st.lists(seen_trials, max_size=30),
    st.sets(st.sampled_from(FAMILIES), min_size=1),
    st.floats(0, 1, exclude_max=True),
)
def test_any_history_ends_in_a_choice(
    history: list[SeenTrial], available: set[str], number: float
) -> None:
    known = evidence_of(history, HERE)
    choice = choose(available, known, prior(H100), fold_share=0.25, uniform=lambda: number)
    assert choice.family in available

"""Strategy: it learns what pays, forgets, never gives up and never chokes."""

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.hardware import HARDWARE_CLASSES
from swarm.records import OUTCOMES, Pair, Trial
from swarm.strategy import FAMILIES, UNIFORM_SHARE, Arm, Evidence, choose, evidence_of, priors
from tests.swarm.record_samples import TRIAL

SEARCHABLE = [family for family in FAMILIES if family not in ("fold", "code")]


def trial(family: str, gain: float = 0.0, milliseconds: int = 60_000) -> Trial:
    """A finished experiment of three pairs around 3.6 bits per byte."""
    pairs = tuple(Pair(seed, 3_600_000_000, round((3.6 - gain) * 1e9)) for seed in range(3))
    outcome = "win" if gain > 0 else "no_gain"
    return replace(TRIAL, family=family, pairs=pairs, outcome=outcome, milliseconds=milliseconds)


def picks(
    available: Collection[str],
    evidence: Evidence,
    hardware_class: str = "cpu-laptop",
    *,
    fold_share: float = 0.25,
    times: int = 2000,
) -> Counter[str]:
    uniform = random.Random(5).random
    return Counter(
        choose(available, evidence, hardware_class, fold_share=fold_share, uniform=uniform).family
        for _ in range(times)
    )


def test_the_families_are_those_of_the_design() -> None:
    assert len(set(FAMILIES)) == 14
    for hardware_class in (*HARDWARE_CLASSES, "unheard-of"):
        assert set(priors(hardware_class)) == set(FAMILIES)


def test_a_laptop_starts_elsewhere_than_a_data_centre() -> None:
    laptop = picks(SEARCHABLE, Evidence())
    centre = picks(SEARCHABLE, Evidence(), "gpu-datacenter")
    first = {"init", "norm", "activation", "position"}
    wide = {"learning_rate", "batch", "schedule"}
    assert {family for family, _ in laptop.most_common(4)} == first
    assert {family for family, _ in centre.most_common(3)} == wide
    assert sum(laptop[each] for each in wide) < sum(centre[each] for each in wide) / 2


def test_what_gained_here_is_tried_more_and_what_did_not_less() -> None:
    history = [trial("optimizer", 0.4), trial("init"), trial("norm"), trial("activation")] * 3
    counts = picks(SEARCHABLE, evidence_of(history, "minimize"))
    assert counts.most_common(1)[0][0] == "optimizer"
    assert counts["optimizer"] > 4 * counts["init"]


def test_the_reason_says_what_earlier_ideas_brought() -> None:
    """A share of the headroom is named as one, and no gain is not called a gain of 0 %."""

    def why(history: list[Trial]) -> str:
        evidence = evidence_of(history, "minimize", goal=1.6)
        return choose(
            ["position"], evidence, "cpu-laptop", fold_share=0.25, uniform=lambda: 0.5
        ).why

    assert (
        why([trial("position")]) == "Ideas about position have not helped here yet; one more look."
    )
    assert "brought 10.0% of the way to the goal" in why([trial("position", 0.2)])


def test_gain_counts_per_second() -> None:
    history = [trial("attention", 0.3, 600_000), trial("batch", 0.3, 60_000)] * 4
    counts = picks(["attention", "batch"], evidence_of(history, "minimize"))
    assert counts["batch"] > 3 * counts["attention"]


def test_a_quick_crash_is_not_cheap() -> None:
    """Families that fail at once cost at least a run each, and so are not preferred."""
    crash = replace(trial("init", 0.0, 10), outcome="crashed", pairs=())
    evidence = evidence_of([trial("norm"), *[crash] * 4], "minimize")
    assert evidence.run_seconds == 10.0
    assert evidence.arm("init").seconds / evidence.arm("init").trials == pytest.approx(10.0)
    counts = picks(["init", "norm"], evidence)
    assert counts["norm"] > counts["init"] / 2


def test_old_experiments_are_forgotten() -> None:
    early = evidence_of([trial("batch", 0.4), *[trial("init")] * 100], "minimize")
    late = evidence_of([*[trial("init")] * 100, trial("batch", 0.4)], "minimize")
    assert early.arm("batch").gain < 0.01 * late.arm("batch").gain
    assert late.total.trials < 1 / (1 - 0.95) + 1


def test_nothing_is_ever_given_up() -> None:
    hopeless = Evidence(
        {"schedule": Arm(20.0, 0.0, 0.0, 2000.0), "batch": Arm(20.0, 8.0, 20.0, 200.0)}
    )
    counts = picks(["batch", "schedule"], hopeless, times=4000)
    assert counts["schedule"] > 4000 * UNIFORM_SHARE / 2 * 0.7


def test_a_waiting_win_is_attractive() -> None:
    assert picks([*SEARCHABLE, "fold"], Evidence())["fold"] > 1000


def test_folds_take_no_more_than_their_share() -> None:
    """Every fold pays and one always waits; still the share holds, give or take one fold."""
    uniform = random.Random(2).random
    history: list[Trial] = []
    for _ in range(100):
        evidence = evidence_of(history, "minimize")
        family = choose(FAMILIES, evidence, "cpu-laptop", fold_share=0.25, uniform=uniform).family
        history.append(trial(family, 0.3 if family == "fold" else 0.0))
    assert 15 <= sum(each.family == "fold" for each in history) <= 30


def test_a_fold_that_is_all_there_is_is_taken() -> None:
    evidence = evidence_of([trial("fold")] * 5, "minimize")
    assert picks(["fold"], evidence, times=20) == {"fold": 20}


def test_gains_are_shares_of_the_headroom() -> None:
    history = [trial("batch", 0.36)]
    assert evidence_of(history, "minimize").arm("batch").gain == pytest.approx(0.1)
    assert evidence_of(history, "minimize", 1.8).arm("batch").gain == pytest.approx(0.2)
    assert evidence_of(history, "maximize").arm("batch").gain == 0.0


def test_no_family_no_choice() -> None:
    with pytest.raises(ValueError, match="no family has anything left"):
        choose([], Evidence(), "cpu-laptop", fold_share=0.25, uniform=lambda: 0.5)


@pytest.mark.parametrize("numbers", [[0.0], [1 - 2**-53], [0.5], [0.0, 1 - 2**-53]])
def test_any_source_of_numbers_ends_in_a_choice(numbers: list[float]) -> None:
    uniform: Callable[[], float] = cycle(numbers).__next__
    evidence = evidence_of([trial("norm", 0.1), trial("fold", 3.6)], "minimize")
    choice = choose(FAMILIES, evidence, "cpu-laptop", fold_share=0.25, uniform=uniform)
    assert choice.family in FAMILIES
    assert choice.why.endswith(".")


trials = st.builds(
    replace,
    st.builds(
        trial,
        st.sampled_from(FAMILIES),
        st.floats(-1e9, 1e9),
        st.sampled_from([0, 1, 60_000, 2**63 - 1]),
    ),
    outcome=st.sampled_from(OUTCOMES),
)


@given(
    st.lists(trials, max_size=30),
    st.sets(st.sampled_from(FAMILIES), min_size=1),
    st.floats(0, 1, exclude_max=True),
    st.sampled_from(["minimize", "maximize"]),
)
def test_any_history_ends_in_a_choice(
    history: list[Trial], available: set[str], number: float, direction: str
) -> None:
    evidence = evidence_of(history, "minimize" if direction == "minimize" else "maximize", number)
    choice = choose(available, evidence, "gpu-small", fold_share=0.25, uniform=lambda: number)
    assert choice.family in available

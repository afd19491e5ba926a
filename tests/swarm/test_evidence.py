"""Evidence: it fades with use, age and context, and peers never outweigh this node."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.evidence import (
    DISCOUNT,
    OTHER_BASE,
    OTHER_CLASS,
    PEER_HALF_LIFE_MS,
    UNTRIED_TRIALS,
    Evidence,
    Standpoint,
    evidence_of,
    total_of,
)
from swarm.families import FAMILIES
from swarm.records import OUTCOMES, Pair, Trial
from swarm.seen import SeenTrial
from tests.swarm.record_samples import NOW_MS, TRIAL

BASE = "0b" * 32
HERE = Standpoint(BASE, "cpu-laptop", NOW_MS, "minimize")


def trial(family: str, gain: float = 0.0, milliseconds: int = 60_000) -> Trial:
    """A finished experiment of three pairs around 3.6 bits per byte, on `BASE`, just now."""
    pairs = tuple(Pair(seed, 3_600_000_000, round((3.6 - gain) * 1e9)) for seed in range(3))
    return replace(
        TRIAL,
        base_tree=BASE,
        family=family,
        pairs=pairs,
        outcome="win" if gain > 0 else "no_gain",
        milliseconds=milliseconds,
        finished_at_ms=NOW_MS,
    )


def own(*trials: Trial) -> list[SeenTrial]:
    """This node's experiments."""
    return [SeenTrial("me", "cpu-laptop", True, each) for each in trials]


def said(*trials: Trial, author: str = "peer", hardware: str = "cpu-laptop") -> list[SeenTrial]:
    """A peer's experiments."""
    return [SeenTrial(author, hardware, False, each) for each in trials]


def evidence(trials: Sequence[SeenTrial]) -> Evidence:
    return evidence_of(trials, HERE)


def test_old_experiments_are_forgotten() -> None:
    early = evidence(own(trial("batch", 0.4), *[trial("init")] * 100))
    late = evidence(own(*[trial("init")] * 100, trial("batch", 0.4)))
    assert early.own["batch"].gain < 0.01 * late.own["batch"].gain
    assert total_of(late.own).trials < 1 / (1 - DISCOUNT) + 1


def test_gains_are_shares_of_the_headroom() -> None:
    history = own(trial("batch", 0.36))
    assert evidence(history).own["batch"].gain == pytest.approx(0.1)
    halfway = evidence_of(history, replace(HERE, goal=1.8))
    assert halfway.own["batch"].gain == pytest.approx(0.2)
    upwards = evidence_of(history, replace(HERE, direction="maximize"))
    assert upwards.own["batch"].gain == 0.0


def test_a_quick_crash_is_not_cheap() -> None:
    """It counts as long as one run here."""
    crash = replace(trial("init", 0.0, 10), outcome="crashed", pairs=())
    found = evidence(own(trial("norm"), *[crash] * 4))
    assert found.run_seconds == 10.0
    assert found.own["init"].seconds / found.own["init"].trials == pytest.approx(10.0)


def test_a_trial_on_another_base_counts_less() -> None:
    elsewhere = replace(trial("norm"), base_tree="0d" * 32)
    found = evidence(own(elsewhere, trial("init")))
    assert found.own["norm"].trials == pytest.approx(OTHER_BASE * DISCOUNT)
    assert found.own["init"].trials == 1.0


def test_a_peer_counts_by_class_age_and_base() -> None:
    """The four reasons to count a peer's word less, one at a time; enough of one's own to hear."""
    mine = own(*[trial("norm")] * 10)

    def weight(trials: Sequence[SeenTrial]) -> float:
        return evidence([*trials, *mine]).peers["norm"].trials

    old = replace(trial("norm"), finished_at_ms=NOW_MS - PEER_HALF_LIFE_MS)
    elsewhere = replace(trial("norm"), base_tree="0d" * 32)
    assert weight(said(trial("norm"))) == pytest.approx(1.0)
    assert weight(said(trial("norm"), hardware="gpu-large")) == pytest.approx(OTHER_CLASS)
    assert weight(said(old)) == pytest.approx(0.5)
    assert weight(said(elsewhere)) == pytest.approx(OTHER_BASE)
    assert weight(said(trial("norm"), trial("init"))) == pytest.approx(DISCOUNT)


def test_what_an_idea_costs_is_read_from_own_experiments() -> None:
    found = evidence([*own(trial("norm", 0.0, 60_000)), *said(trial("norm", 0.1, 1))])
    assert found.own["norm"].seconds == 60.0
    assert found.peers["norm"].seconds == 0.0
    assert found.peers["norm"].gain > 0


def test_peers_never_outweigh_this_node() -> None:
    crowd = [seen for n in range(50) for seen in said(*[trial("schedule")] * 20, author=f"peer{n}")]
    for count in (0, 1, 5, 40):
        found = evidence([*crowd, *own(*[trial("schedule")] * count)])
        mine = total_of(found.own).trials
        assert found.peers["schedule"].trials == pytest.approx(max(mine, UNTRIED_TRIALS))


def test_recent_compute_is_accounted_without_regard_to_the_base() -> None:
    history = own(replace(trial("fold"), base_tree="0d" * 32), trial("init"))
    spent = evidence(history).spent
    assert spent.fold_seconds == pytest.approx(60.0 * DISCOUNT)
    assert spent.seconds == pytest.approx(60.0 + 60.0 * DISCOUNT)


seen_trials = st.builds(
    SeenTrial,
    st.sampled_from(["me", "a", "b"]),
    st.sampled_from(["cpu-laptop", "gpu-large", "?"]),
    st.booleans(),
    st.builds(
        replace,
        st.builds(
            trial,
            st.sampled_from([*FAMILIES, "no such family"]),
            st.floats(-1e9, 1e9),
            st.sampled_from([0, 1, 60_000, 2**63 - 1]),
        ),
        outcome=st.sampled_from(OUTCOMES),
        base_tree=st.sampled_from([BASE, "0d" * 32]),
        finished_at_ms=st.integers(0, 253_402_300_799_999),
    ),
)


@given(st.lists(seen_trials, max_size=30), st.sampled_from(["minimize", "maximize"]))
def test_any_experiments_make_bounded_evidence(trials: list[SeenTrial], direction: str) -> None:
    here = replace(HERE, direction="minimize" if direction == "minimize" else "maximize")
    found = evidence_of(trials, here)
    for arms in (found.own, found.peers):
        for arm in arms.values():
            assert 0 <= arm.reward <= arm.trials + 1e-9
    for family, arm in found.peers.items():
        mine = found.own[family].trials if family in found.own else 0.0
        assert arm.trials <= max(mine, UNTRIED_TRIALS) + 1e-9

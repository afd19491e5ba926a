"""Verdicts: what counts, and by simulation how often they are wrong."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtr

from swarm.challenge import select
from swarm.cid import cid_of
from swarm.records import RecordId
from swarm.statistics import CRITICAL, LOOKS, Decision, Rule, decide
from swarm.validation import challenge_message
from swarm.verdict import LEVEL, Evidence, Verdict, Yardstick, judge, verdict, voices
from tests.swarm.record_samples import REPLICATION, SOME_ID, Author

SIGMA, MIN_EFFECT = 0.002, 0.005
YARDSTICK = Yardstick("minimize", SIGMA, MIN_EFFECT, seeds=1_000_000)
MOST_VOICES = 6

ANN, BOB, CAT, DAN = (Author(seed) for seed in range(1, 5))

gain_rows = st.lists(st.lists(st.floats(-0.1, 0.1), min_size=3, max_size=3), min_size=1, max_size=6)


def replicated(
    author: Author, gain: float, win: RecordId = SOME_ID, base: float = 3.0
) -> tuple[RecordId, Evidence]:
    """A replication on the seeds its author must use; gains a millionth apart, by author."""
    signature = author.sign(challenge_message(win))
    own = int.from_bytes(author.public_key[:2], "big")
    base_nano = round(base * 1e9) + own
    pairs = tuple(
        (seed, base_nano, base_nano - round(gain * 1e9) + number * 1000)
        for number, seed in enumerate(select(signature, YARDSTICK).seeds)
    )
    evidence = Evidence(author.peer_id, win, signature, pairs, (), (), None)
    return cid_of(repr(evidence).encode()), evidence


def of(*replications: tuple[RecordId, Evidence], authors: Sequence[Author] = (ANN,)) -> Verdict:
    counted = voices(replications, [author.peer_id for author in authors], YARDSTICK)
    return verdict(counted, YARDSTICK)


# --- what counts ------------------------------------------------------------------


def test_a_replication_gives_its_evidence() -> None:
    evidence = Evidence.of(REPLICATION)
    assert evidence.pairs == ((9, 3_651_000_000, -1),)
    assert evidence.validation == ((7, 3_651_000_000, 3_030_000_000),)
    assert evidence.baseline == REPLICATION.baseline
    assert evidence.holdout_nano == REPLICATION.holdout_nano


def test_two_others_who_see_the_gain_replicate_a_win() -> None:
    one = of(replicated(BOB, 0.05))
    assert (one.state, one.voices, one.confirming, one.p) == ("claimed", 1, 1, None)
    two = of(replicated(BOB, 0.05), replicated(CAT, 0.05))
    assert (two.state, two.voices, two.confirming) == ("replicated", 2, 2)
    assert two.effect is not None
    assert two.effect.mean == pytest.approx(-0.05, abs=1e-5)


def test_two_others_who_see_none_refute_it() -> None:
    found = of(replicated(BOB, -0.05), replicated(CAT, -0.06))
    assert (found.state, found.voices, found.confirming) == ("refuted", 2, 0)


def test_others_who_differ_leave_it_claimed() -> None:
    found = of(replicated(BOB, 0.05), replicated(CAT, -0.04))
    assert (found.state, found.voices, found.confirming) == ("claimed", 2, 1)


def test_a_real_gain_below_half_the_smallest_worth_keeping_is_not_replicated() -> None:
    small = 0.4 * MIN_EFFECT
    found = judge([[small, small + 1e-6, small - 1e-6]] * 20, YARDSTICK)
    assert found.p is not None
    assert found.p < 1e-9
    assert found.state == "claimed"


def test_an_authors_own_word_is_no_replication() -> None:
    both = (replicated(BOB, 0.05), replicated(CAT, 0.05))
    assert of(*both, authors=(ANN, BOB)).voices == 1
    assert of(*both, authors=(BOB, CAT)).voices == 0


def test_one_author_is_one_voice_the_lowest_id() -> None:
    first, second = sorted([replicated(BOB, 0.05), replicated(BOB, -0.07)])
    assert voices([second, first], (), YARDSTICK) == (first[1],)


def test_equal_measurements_count_once() -> None:
    """A sybil that copies the numbers adds nothing, though it signs them on its own seeds."""
    original, own = replicated(BOB, 0.05), replicated(CAT, 0.0)
    copied = tuple(
        (seed, base, candidate)
        for (seed, _, _), (_, base, candidate) in zip(
            own[1].pairs, reversed(original[1].pairs), strict=True
        )
    )
    sybil = (own[0], own[1]._replace(pairs=copied))
    assert of(original, sybil).voices == 1


def test_only_the_seeds_that_the_signature_selects_count() -> None:
    record, evidence = replicated(BOB, 0.05)
    (seed, base, candidate), *others = evidence.pairs
    for pairs in (
        (((seed + 1) % 1_000_000, base, candidate), *others),
        (*evidence.pairs, (1, base, candidate)),
        tuple(others),
        (),
    ):
        assert voices([(record, evidence._replace(pairs=pairs))], (), YARDSTICK) == ()
    other_challenge = evidence._replace(challenge=CAT.sign(b"another"))
    assert voices([(record, other_challenge)], (), YARDSTICK) == ()
    turned = evidence._replace(pairs=evidence.pairs[::-1])
    assert len(voices([(record, turned)], (), YARDSTICK)) == 1


@given(st.permutations([replicated(a, g) for a, g in ((BOB, 0.05), (CAT, 0.01), (DAN, 0.0))]))
def test_order_of_arrival_is_nothing(arrived: list[tuple[RecordId, Evidence]]) -> None:
    assert of(*arrived) == of(*sorted(arrived))


@given(gain_rows)
def test_directions_mirror_each_other(rows: list[list[float]]) -> None:
    upwards = judge(rows, replace(YARDSTICK, direction="maximize"))
    downwards = judge(rows, YARDSTICK)
    assert (upwards.state, upwards.p) == (downwards.state, downwards.p)
    assert upwards.effect is not None
    assert downwards.effect is not None
    assert upwards.effect.mean == -downwards.effect.mean


@given(gain_rows.filter(lambda rows: len(rows) > 1))
def test_p_is_that_of_scipy(rows: list[list[float]]) -> None:
    found = judge(rows, YARDSTICK)
    pooled = np.array(rows).ravel()
    seeds = max(pooled.std(ddof=1), SIGMA / 2) / len(pooled) ** 0.5
    error = np.hypot(seeds, MIN_EFFECT / 6 / len(rows) ** 0.5)
    assert found.p == pytest.approx(float(stdtr(len(pooled) - 1, -pooled.mean() / error)), abs=1e-9)
    above = (MIN_EFFECT / 2 - pooled.mean()) / error
    assert found.p_refuted == pytest.approx(float(stdtr(len(pooled) - 1, -above)), abs=1e-9)


# --- how often it is wrong --------------------------------------------------------


def test_the_levels_of_all_looks_sum_to_half() -> None:
    assert sum(LEVEL / (k * (k + 1)) for k in range(2, 100_000)) == pytest.approx(
        LEVEL / 2, rel=1e-4
    )


def states_of(
    effect: float, wins: int, *, text_noise: float = 0.0, seed: int = 0
) -> list[set[str]]:
    """
    Every state that each of some wins has while its replications come in.

    Args:
        effect: The true gain. Like `text_noise`, in the metric's unit.
        text_noise: How much the gain differs from slice to slice.
    """
    rng = np.random.default_rng(seed)
    gains = rng.normal(effect, SIGMA, (wins, MOST_VOICES, 3))
    gains += rng.normal(0, text_noise, (wins, MOST_VOICES, 1)) if text_noise else 0
    rows = gains.tolist()
    return [
        {judge(row[:count], YARDSTICK).state for count in range(2, MOST_VOICES + 1)} for row in rows
    ]


def share(seen: list[set[str]], state: str) -> float:
    return sum(state in states for states in seen) / len(seen)


@pytest.mark.parametrize("text_noise", [0.0, MIN_EFFECT / 3])
def test_a_null_is_hardly_ever_replicated(text_noise: float) -> None:
    """Judged anew after each of 2 … 6 replications; slices as noisy as a task may have them."""
    seen = states_of(0.0, 4000, text_noise=text_noise)
    assert share(seen, "replicated") < 0.01
    assert share(seen, "refuted") > 0.4


def test_without_the_levels_a_null_would_be_replicated_more_often() -> None:
    """What they are for: p < 0.05 at every look, and any gain will do."""
    rng = np.random.default_rng(5)
    gains = rng.normal(0, SIGMA, (5000, MOST_VOICES * 3))
    passed = np.zeros(len(gains), dtype=bool)
    for count in range(2, MOST_VOICES + 1):
        seen = gains[:, : 3 * count]
        t = seen.mean(axis=1) / (seen.std(axis=1, ddof=1) / (3 * count) ** 0.5)
        passed |= 1 - stdtr(3 * count - 1, t) < 0.05
    assert passed.mean() > 0.1


@pytest.mark.parametrize("effect", [MIN_EFFECT, 2 * MIN_EFFECT, 20 * MIN_EFFECT])
def test_real_gains_are_replicated_and_not_refuted(effect: float) -> None:
    seen = states_of(effect, 1000, seed=1)
    assert share(seen, "replicated") > 0.95
    assert share(seen, "refuted") < 0.01


@pytest.mark.parametrize("text_noise", [0.0, MIN_EFFECT / 3])
def test_fewer_than_one_in_a_hundred_replicated_wins_are_null(text_noise: float) -> None:
    """
    The whole way, where most experiments are of changes without effect.

    49 of 50 candidates are null. What the rule keeps is claimed, and a claim is no
    fact: some of them are null. Those are replicated by up to six others.
    """
    rng = np.random.default_rng(2)
    rule = Rule(LOOKS, CRITICAL[0.01], SIGMA, min_effect=SIGMA / 2)
    claimed = {
        effect: _kept(rng.normal(effect, SIGMA, (candidates, LOOKS[-1])), rule)
        for effect, candidates in ((0.0, 24_500), (MIN_EFFECT, 500))
    }
    assert 0.1 < claimed[0.0] / sum(claimed.values()) < 0.4
    found = {
        effect: sum("replicated" in seen for seen in states_of(effect, wins, text_noise=text_noise))
        for effect, wins in claimed.items()
    }
    assert found[MIN_EFFECT] > 0.7 * claimed[MIN_EFFECT]
    assert found[0.0] / sum(found.values()) < 0.01


def _kept(gains: np.ndarray, rule: Rule) -> int:
    return sum(decide(row.tolist(), rule, "maximize") is Decision.WIN for row in gains)

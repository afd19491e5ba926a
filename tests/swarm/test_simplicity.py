"""Simpler: shown to be no worse, and smaller by a count."""

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from swarm.settings_block import END, START
from swarm.simplicity import (
    Size,
    decide_either,
    decide_no_worse,
    is_simplification,
    size_of,
    why_simpler,
)
from swarm.statistics import CRITICAL, LOOKS, Decision, Rule
from swarm.verdict import Yardstick
from tests.swarm.win_samples import BASELINE, turned

SIGMA = 0.002
RULE = Rule(LOOKS, CRITICAL[0.01], sigma=SIGMA, min_effect=0.005)

ttest_1samp = cast("Any", stats).ttest_1samp
PLAIN = b"def double(x):\n    return x + x\n"


def nodes(source: bytes) -> int | None:
    return size_of({"train.py": source}, {}).nodes


def no_worse_share(loss: float, runs: int) -> float:
    """How often a change with this true loss, in `min_effect`, is taken to be no worse."""
    draws = np.random.default_rng(1).normal(loss * RULE.min_effect, SIGMA, (runs, LOOKS[-1]))
    decided = (decide_no_worse(row.tolist(), RULE, "minimize") for row in draws)
    return sum(each is Decision.WIN for each in decided) / runs


def test_no_loss_is_found_to_be_none_and_one_at_the_bound_is_not() -> None:
    assert no_worse_share(0, 1000) > 0.95
    assert no_worse_share(-1, 1000) > 0.95
    assert no_worse_share(1, 4000) < 0.01


def test_what_is_simpler_may_be_as_good_or_better() -> None:
    """One that is no simpler has to gain; each of the two is decided by itself."""
    same, better, worse = [0.0, 1e-4, -1e-4, 0.0, 1e-4], [-0.5, -0.51, -0.49], [0.5, 0.51, 0.49]
    assert decide_either(same, RULE, "minimize", simpler=True) == (Decision.WIN, True)
    assert decide_either(same, RULE, "minimize", simpler=False) == (Decision.FUTILE, False)
    assert decide_either(better, RULE, "minimize", simpler=True) == (Decision.WIN, False)
    assert decide_either(worse, RULE, "minimize", simpler=True) == (Decision.FUTILE, True)
    slightly = [-0.004, -0.0045, -0.003, -0.005, -0.004, -0.0045, -0.003, -0.005]
    assert decide_either(slightly, RULE, "minimize", simpler=False)[0] is not Decision.WIN
    assert decide_either(slightly, RULE, "minimize", simpler=True) == (Decision.WIN, True)
    up = [-each for each in slightly]
    assert decide_either(up, RULE, "maximize", simpler=True) == (Decision.WIN, True)
    assert decide_either(same[:1], RULE, "minimize", simpler=True)[0] is Decision.CONTINUE


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=5))
def test_a_win_says_by_its_pairs_what_it_claims(gains: list[int]) -> None:
    """Half of `min_effect` of gain and more claims a gain, also in the family of the simpler."""
    pairs = [(seed, 0, -gain * 1_000_000) for seed, gain in enumerate(gains)]
    mean = sum(gains) / len(gains) / 1000
    yardstick = Yardstick("minimize", SIGMA, 0.005, 9)
    assert is_simplification("simplify", pairs, yardstick) == (mean < 0.0025)
    assert not is_simplification("init", pairs, yardstick)


def test_not_significant_is_not_equal() -> None:
    """Pairs that scatter show no difference, and no equality either."""
    wild = [0.02, -0.021, 0.019, -0.02, 0.021, -0.019, 0.02, -0.02]
    assert ttest_1samp(wild, 0).pvalue > 0.9
    assert decide_no_worse(wild, RULE, "minimize") is not Decision.WIN


@given(st.lists(st.floats(-0.006, 0.006), min_size=8, max_size=8))
def test_it_is_a_one_sided_test(values: list[float]) -> None:
    """At the last look, scipy's test at that look's level says the same."""
    rule = Rule((8,), CRITICAL[0.01][2:], sigma=1e-12, min_effect=0.005)
    decided = decide_no_worse(values, rule, "minimize")
    if decided is Decision.FUTILE or np.std(values) < 1e-6:
        return
    below = ttest_1samp(values, rule.min_effect, alternative="less").statistic
    assert (decided is Decision.WIN) == (-below > rule.critical[0])


def test_a_clear_loss_stops_at_the_first_pair() -> None:
    assert decide_no_worse([0.5], RULE, "minimize") is Decision.FUTILE
    assert decide_no_worse([0.5], RULE, "maximize") is Decision.CONTINUE
    assert decide_no_worse([], RULE, "minimize") is Decision.CONTINUE


@pytest.mark.parametrize(
    "same",
    [
        b"# a comment\ndef double(x):  # another\n\n\n    return (x +\n        x)\n",
        b'"""Module."""\ndef double(x):\n    """Twice."""\n    return x + x\n',
        b'def double(x):\n    "a string nobody reads"\n    return x + x\n',
    ],
)
def test_comments_and_layout_count_nothing(same: bytes) -> None:
    assert nodes(same) == nodes(PLAIN)


def test_code_hidden_in_a_literal_still_counts() -> None:
    hidden = b"exec(" + repr(PLAIN.decode() * 20).encode() + b")\n"
    packed = b"x = 0x" + b"f" * 4000 + b"\n"
    assert (nodes(hidden) or 0) > 20
    assert (nodes(packed) or 0) > 200


@given(st.binary(max_size=200))
def test_any_bytes_have_a_size(source: bytes) -> None:
    size = size_of({"train.py": source}, {"train.py": source})
    assert size.nodes is None or size.nodes >= 1


@pytest.mark.parametrize(
    "source", [b"(" * 50_000, b"-" * 50_000 + b"1", b"\x00", b"x = 1" + b"0" * 5000]
)
def test_hostile_sources_are_not_counted(source: bytes) -> None:
    assert nodes(source) is None


def test_settings_off_their_default_are_counted_by_value() -> None:
    assert size_of(BASELINE, BASELINE).turned == 0
    assert size_of(turned(BASELINE, LR=1.0, LAYERS=4), BASELINE).turned == 2
    spelled = {"train.py": BASELINE["train.py"].replace(b"LR = 0.1", b"LR = 1e-1")}
    assert size_of(spelled, BASELINE).turned == 0
    added = {"train.py": f"{START}\nNEW = 1\n{END}\n".encode()}
    assert size_of(added, BASELINE).turned == 1


@pytest.mark.parametrize(
    ("base", "candidate", "why"),
    [
        (Size(1000, 500, 3), Size(950, 500, 3), "5% fewer parameters"),
        (Size(1000, 500, 3), Size(951, 500, 3), None),
        (Size(1000, 500, 3), Size(1000, 400, 3), "20% fewer syntax-tree nodes"),
        (Size(None, 500, 3), Size(None, 500, 2), "1 setting back at the default"),
        (Size(None, 500, 3), Size(None, 500, 0), "3 settings back at the default"),
        (Size(1000, 500, 3), Size(500, 600, 3), None),
        (Size(1000, 500, 3), Size(2000, 500, 0), None),
        (Size(1000, None, 3), Size(1000, None, 3), None),
        (Size(1000, 500, 3), Size(900, 500, 4), "10% fewer parameters"),
    ],
)
def test_simpler_is_smaller_by_a_count(base: Size, candidate: Size, why: str | None) -> None:
    assert why_simpler(base, candidate) == why

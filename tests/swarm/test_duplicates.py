"""How much was tried before: by whoever began it first, folds counted by themselves."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from swarm.duplicates import Repeated, repeated
from swarm.records import Trial, Trials
from swarm.repeats import left_to_others
from swarm.seen import SeenTrial
from tests.swarm.record_samples import NOW_MS, TRIAL, TRIALS
from tests.swarm.test_signals import CLAIM, IDEA


def trial(number: int, *, ended: int = 0, took: int = 1000, family: str = "norm") -> Trial:
    return replace(
        TRIAL,
        tree=f"{number:064x}",
        family=family,
        finished_at_ms=NOW_MS + ended,
        milliseconds=took,
    )


def batch(author: str, *trials: Trial) -> Trials:
    return replace(TRIALS, author=author, trials=trials)


def test_whoever_began_first_repeats_nobody() -> None:
    """The later one may end sooner; it had been claimed when it began."""
    slow, quick = trial(1, ended=5000, took=5000), trial(1, ended=3000, took=1000)
    found = repeated([batch("slow", slow), batch("quick", quick), batch("slow", trial(2))])
    assert found == Repeated(experiments=3, duplicates=1, refolds=0)
    assert found.rate == 1 / 3


def test_the_same_tree_on_another_base_is_another_idea() -> None:
    other = replace(trial(1), base_tree="0e" * 32)
    assert repeated([batch("a", trial(1)), batch("b", other)]).duplicates == 0


def test_what_is_told_twice_counts_once() -> None:
    assert repeated([batch("a", trial(1), trial(1)), batch("a", trial(1))]).experiments == 1


def test_folds_are_measured_again_on_purpose() -> None:
    folds = [batch(name, trial(1, ended=n, family="fold")) for n, name in enumerate("abc")]
    assert repeated(folds) == Repeated(experiments=3, duplicates=0, refolds=2)


def test_nothing_tried_nothing_repeated() -> None:
    assert repeated([]).rate == 0.0


batches = st.lists(
    st.builds(
        batch,
        st.sampled_from("abc"),
        st.builds(trial, st.integers(0, 5), ended=st.integers(0, 99), took=st.integers(0, 99)),
    ),
    max_size=12,
)


@given(batches, st.randoms())
def test_the_order_of_records_does_not_matter(records: list[Trials], order: random.Random) -> None:
    shuffled = sorted(records, key=lambda _: order.random())
    once = [each for n, each in enumerate(records) if each not in records[:n]]
    assert repeated(shuffled).duplicates == repeated(records).duplicates
    assert repeated(once) == repeated(records)


def test_a_choice_in_five_hears_no_stranger() -> None:
    """Nor one in fifty those who are known; own experiments are not what others hold."""
    mine, theirs = trial(1), trial(2)
    seen = [SeenTrial("me", "", True, mine), SeenTrial("b", "", False, theirs)]
    tried, claimed = (theirs.base_tree, theirs.tree), (IDEA.base_tree, IDEA.tree)

    def heard(known: set[str], lot: float) -> frozenset[tuple[str, str]]:
        return left_to_others(seen, [CLAIM], known, lot)

    assert heard(set(), 0.2) == {tried, claimed}
    assert heard(set(), 0.19) == frozenset()
    assert heard({"b"}, 0.19) == heard({"b"}, 0.02) == {tried}
    assert heard({CLAIM.author}, 0.1) == {claimed}
    assert heard({"b", CLAIM.author}, 0.01) == frozenset()

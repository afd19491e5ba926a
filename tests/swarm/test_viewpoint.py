"""Whose word counts: everyone's from the neutral viewpoint, else anchors and their friends."""

from hypothesis import given
from hypothesis import strategies as st

from swarm.viewpoint import NEUTRAL, Viewpoint, heard

ME, FRIEND, STRANGER = "me", "friend", "stranger"
MINE = Viewpoint(frozenset({ME}))
BAR, NOISE = 0.1, 0.05

gains = st.lists(
    st.dictionaries(st.sampled_from([ME, FRIEND, STRANGER]), st.floats(-1, 1)), max_size=8
)


def hears_stranger(rows: list[dict[str, float]], viewpoint: Viewpoint = MINE) -> bool:
    return STRANGER in (heard(viewpoint, rows, BAR, NOISE) or ())


@given(gains)
def test_the_neutral_viewpoint_hears_everyone(rows: list[dict[str, float]]) -> None:
    assert heard(NEUTRAL, rows, BAR, NOISE) is None


@given(gains)
def test_anchors_are_always_heard_and_order_is_nothing(rows: list[dict[str, float]]) -> None:
    found = heard(MINE, rows, BAR, NOISE)
    assert found is not None
    assert ME in found
    assert found == heard(MINE, rows[::-1], BAR, NOISE)


def test_a_stranger_is_heard_after_three_agreements() -> None:
    agreed = {ME: 0.3, STRANGER: 0.25}
    assert not hears_stranger([agreed] * 2)
    assert hears_stranger([agreed] * 3)
    assert hears_stranger([{ME: 0.0, STRANGER: 0.01}] * 3), "that there is nothing counts too"


def test_strangers_who_agree_with_each_other_are_not_heard() -> None:
    """Sybils may replicate one another's fabrications as often as they like."""
    assert not hears_stranger([{FRIEND: 0.5, STRANGER: 0.5}] * 100)


def test_an_anchor_named_by_the_owner_speaks_for_strangers_too() -> None:
    named = Viewpoint(frozenset({ME, FRIEND}))
    assert hears_stranger([{FRIEND: 0.3, STRANGER: 0.3}] * 3, named)


def test_a_lie_costs_ten_agreements() -> None:
    agreed, lied = {ME: 0.3, STRANGER: 0.3}, {ME: 0.0, STRANGER: 0.5}
    assert not hears_stranger([agreed] * 9 + [lied])
    assert hears_stranger([agreed] * 10 + [lied])


def test_near_the_bar_honest_noise_is_no_disagreement() -> None:
    agreed, close = {ME: 0.3, STRANGER: 0.3}, {ME: 0.09, STRANGER: 0.11}
    assert hears_stranger([agreed] * 3 + [close] * 5)

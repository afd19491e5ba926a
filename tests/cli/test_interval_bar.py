"""Effects as bars on one scale."""

from dataclasses import replace

import pytest

from cli.interval_bar import Scale
from swarm.leaderboard import Entry

ENTRY = Entry(
    *(1, "id", "author", "ann", "title", "init", "claimed", 0, 3.0, None),
    *(-0.4, -0.5, -0.3, 3, None, (), (), "cpu", "2026-11-23T00:00:00.000Z"),
)


def entry(effect: float, low: float | None, high: float | None, **more: str) -> Entry:
    """An entry with this effect and interval."""
    return replace(ENTRY, effect=effect, effect_low=low, effect_high=high, **more)


def test_mean_interval_and_zero_stand_where_they_are() -> None:
    rows = [entry(-0.4, -0.5, -0.3), entry(0.0, -0.1, 0.0), entry(-0.2, None, None)]
    scale = Scale.of(rows, "minimize")
    assert [scale.bar(row, 11).plain for row in rows] == [
        "━━●━━     │",
        "        ━━●",
        "      ●   │",
    ]


@pytest.mark.parametrize(
    ("low", "high", "state", "style"),
    [
        (-0.5, -0.3, "claimed", "green"),
        (0.1, 0.2, "replicated", "red"),
        (-0.5, 0.3, "claimed", ""),
        (-0.5, -0.3, "refuted", "bright_black"),
        (None, None, "claimed", "bright_black"),
    ],
)
def test_only_what_is_beyond_doubt_has_a_colour(
    low: float | None, high: float | None, state: str, style: str
) -> None:
    row = entry(-0.1, low, high, state=state)
    assert Scale.of([row], "minimize").bar(row).style == style


def test_one_wide_interval_does_not_hide_the_others() -> None:
    rows = [entry(-0.4, -90.0, 90.0), entry(-0.2, -0.25, -0.15)]
    bars = [Scale.of(rows, "minimize").bar(row).plain for row in rows]
    assert bars[0].count("━") > 15 and bars[1].index("●") > bars[0].index("●")


def test_nothing_has_a_scale_too() -> None:
    row = entry(0.0, None, None)
    assert (
        Scale.of([], "maximize").bar(row, 5).plain == Scale.of([row], "maximize").bar(row, 5).plain
    )

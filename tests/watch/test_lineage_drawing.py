"""Where each win stands in the drawing of who built on whom."""

from dataclasses import dataclass, replace
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.test_interval_bar import ENTRY
from watch.export_lineage import LANES_AT_MOST, ROWS_AT_MOST, layout, lineage_svg


@dataclass(frozen=True)
class Node:
    """A win, as far as lineage goes."""

    base: str | None
    parents: tuple[str, ...] = ()
    author: str = "a"


@st.composite
def histories(draw: st.DrawFn) -> dict[str, Node]:
    """Wins `0`, `1`, … each built on an earlier one, on the baseline, or on one not here."""
    count = draw(st.integers(0, 14))
    wins: dict[str, Node] = {}
    for number in range(count):
        earlier = [str(each) for each in range(number)]
        base = draw(st.sampled_from([None, "missing", *earlier]))
        parents = draw(st.lists(st.sampled_from(["missing", *earlier]), max_size=2, unique=True))
        wins[str(number)] = Node(base, tuple(parents))
    return wins


@settings(deadline=None)
@given(histories(), st.data())
def test_a_win_stands_below_all_it_was_built_on_and_no_line_crosses_a_dot(
    wins: dict[str, Node], data: st.DataObject
) -> None:
    times = {record: data.draw(st.integers(0, 9)) for record in wins}
    leader = data.draw(st.sampled_from([None, *wins]))
    place = layout(wins, leader, times)
    assert sorted(place.rows) == sorted(wins)
    at = {record: row for row, record in enumerate(place.rows)}
    for record, win in wins.items():
        for link in (win.base, *win.parents):
            assert link not in at or at[link] < at[record]
        start = -1 if win.base is None else at.get(win.base, at[record] - 1)
        between = place.rows[start + 1 : at[record]]
        crossed = [each for each in between if place.lanes[each] == place.lanes[record]]
        assert not crossed or len(set(place.lanes.values())) >= LANES_AT_MOST
    step = leader
    while step in wins:
        assert place.lanes[step] == 0
        step = wins[step].base


def test_of_many_wins_the_leaders_line_and_the_best_are_drawn() -> None:
    count = ROWS_AT_MOST + 200
    wins = {
        str(n): Node(str(n - 1) if n else None, (str(n - 2),) if n > 1 else ())
        for n in range(count)
    }
    entries = [replace(ENTRY, rank=n + 1, record=str(n)) for n in range(count)]
    text = lineage_svg(wins, entries, "150", {str(n): n for n in range(count)}, "many")
    tree = ElementTree.fromstring(text)
    words = [element.text or "" for element in tree.iter() if element.tag.endswith("text")]
    assert words.count(ENTRY.title) == ROWS_AT_MOST and "200 more wins are not drawn" in words


def test_the_same_wins_give_the_same_drawing() -> None:
    wins = {"x": Node(None), "y": Node("x"), "z": Node("x", ("y",))}
    entries = [replace(ENTRY, record=record) for record in wins]
    drawings = {
        lineage_svg(dict(some), entries, "z", dict.fromkeys("xyz", 5), "few")
        for some in (wins.items(), reversed(wins.items()))
    }
    assert len(drawings) == 1

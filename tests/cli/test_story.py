"""What is told of experiments: lists, the report of a night, pictures."""

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from cli.failures import CommandError
from cli.plot import plot
from cli.report import LINES_AT_MOST, report, report_lines
from cli.since import span_ms
from cli.story import read_story
from cli.trials import Wanted, select, trials
from experiments.history import History
from gossip.home import Home
from tests.cli.homes import swarm
from tests.cli.toy_homes import (
    BASELINE,
    TASK,
    id_of,
    toy_home,
    toy_trials,
    toy_win,
    turned,
)
from tests.hostile_text import LINES
from tests.swarm.record_samples import ANN, BOB, NOW_MS, TRIAL

DAY_MS = 24 * 60 * 60 * 1000
STEEP = turned(BASELINE, SLOPE=1.0)
FIRST = toy_win(1, BASELINE, STEEP, value=2.3, title="SLOPE 0.1 → 1.0")
SECOND = toy_win(
    2,
    STEEP,
    turned(STEEP, SHIFT="small"),
    author=BOB,
    base=id_of(FIRST),
    value=2.0,
    gain=0.3,
    title="SHIFT none → small",
    nickname="bob",
)
FAILED = toy_trials(3, "no_gain", "crashed", "timed_out", "win")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two wins, one built on the other, and three experiments that came to nothing."""
    return toy_home(tmp_path / "home", [(ANN, FIRST), (BOB, SECOND), (ANN, FAILED)])


def test_a_win_is_listed_once_and_the_newest_is_first(home: Home) -> None:
    found = select(read_story(home.root), Wanted(), NOW_MS + DAY_MS)
    assert [each.outcome for each in found] == ["timed_out", "crashed", "no_gain", "win", "win"]
    assert found[3].title == "SHIFT none → small" and found[3].base_value == pytest.approx(2.302)


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (Wanted(knob="SHIFT"), ["SHIFT none → small"]),
        (Wanted(knob="SHIFT=small"), ["SHIFT none → small"]),
        (Wanted(knob="SLOPE=2.0"), []),
        (Wanted(outcome="win", mine=True), ["SLOPE 0.1 → 1.0"]),
        (Wanted(outcome="timed-out"), ["an idea"]),
        (Wanted(family="nothing"), []),
        (Wanted(since="23h", outcome="win"), []),
        (Wanted(since="2d", outcome="win"), ["SHIFT none → small", "SLOPE 0.1 → 1.0"]),
    ],
)
def test_what_is_wanted_is_what_is_found(home: Home, wanted: Wanted, titles: list[str]) -> None:
    found = select(read_story(home.root), wanted, NOW_MS + DAY_MS)
    assert [each.title for each in found] == titles


def test_own_experiments_are_there_before_peers_hear_of_them(home: Home) -> None:
    history = History(home.history, TASK.id)
    history.add(TRIAL)
    story = read_story(home.root)
    assert [each.record for each in story.tried if each.title == TRIAL.title] == [None]
    history.close()


def test_programs_get_the_same_list(home: Home) -> None:
    said = swarm("trials", "--json", "--limit", "2", home=home.root).json
    rows = cast("list[dict[str, object]]", said["trials"])
    assert said["found"] == 5
    assert [row["outcome"] for row in rows] == ["timed_out", "crashed"]
    assert all(row["value"] is None and row["own"] for row in rows)


@pytest.mark.parametrize(
    "wanted", [Wanted(outcome="great"), Wanted(since="yesterday"), Wanted(since="0h")]
)
def test_a_question_that_makes_no_sense_is_one_sentence(home: Home, wanted: Wanted) -> None:
    with pytest.raises(CommandError, match=r"^[^\n]+: (write|give) [^\n]+$"):
        select(read_story(home.root), wanted, NOW_MS)


def test_who_was_stopped_early_has_not_failed(home: Home) -> None:
    """Neither has any pair; only what broke is a failure."""
    for each in read_story(home.root).tried:
        bare = replace(each, pairs=())
        assert bare.failed == (each.outcome in ("crashed", "timed_out"))


def test_spans_of_time() -> None:
    assert [span_ms(text) for text in ("8h", "45 min", "1.5d", "30s")] == [
        28_800_000,
        2_700_000,
        129_600_000,
        30_000,
    ]


def test_the_report_tells_a_night_in_ten_lines(home: Home) -> None:
    story = read_story(home.root)
    lines = dict(report_lines(story, 8 * 3_600_000, NOW_MS + 600_000))
    assert len(lines) <= LINES_AT_MOST
    assert lines["toy"].startswith("5 experiments in the last 8 h") and "2 peers" in lines["toy"]
    assert lines["best"].startswith("2.4020 → 2.0020 (-0.4000), “SHIFT none → small” by bob")
    assert "build on other peers' wins" in lines["folded"]
    assert lines["failed"] == "2 experiments: 1 crashed, 1 timed out"
    assert "not running" in lines["this node"]


def test_the_report_says_that_nothing_happened(home: Home) -> None:
    story = read_story(home.root)
    lines = dict(report_lines(story, 3_600_000, NOW_MS + DAY_MS))
    assert lines["toy"] == "nothing was tried in the last 1 h; the last one ended 24 h ago"
    assert lines["best"].startswith("still 2.0020")
    assert "kept" not in lines


def test_an_empty_home_is_told_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = toy_home(tmp_path / "home").root
    trials(empty, Wanted(), limit=5, as_json=False)
    report(empty, since="8h")
    said = capsys.readouterr().out
    assert "nothing was tried yet: let a node run with" in said and "no experiment yet" in said
    with pytest.raises(CommandError, match="nothing was tried yet"):
        plot(empty, output=None, terminal=True)


def test_a_picture_is_written_where_it_is_wanted(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "there.png"
    plot(home.root, output=file, terminal=False)
    assert "5 experiments, 2 kept, loss 2.4020 → 2.0020" in capsys.readouterr().out
    assert file.read_bytes().startswith(b"\x89PNG")
    plot(home.root, output=None, terminal=True)
    assert "lower is better" in capsys.readouterr().out
    for wrong in (tmp_path / "x.jpg", tmp_path / "no folder" / "x.png"):
        with pytest.raises(CommandError, match=str(wrong)):
            plot(home.root, output=wrong, terminal=False)


def test_no_text_of_a_peer_steers_the_terminal(tmp_path: Path) -> None:
    records = [
        (
            BOB,
            toy_win(n, BASELINE, STEEP, author=BOB, title=line, nickname=line[:40], gain=n / 100),
        )
        for n, line in enumerate(LINES, 1)
    ]
    home = toy_home(tmp_path / "home", records)
    shown = ("show", id_of(records[0][1]))
    for words in (("trials", "--limit", "99"), ("report", "--since", "99999d"), shown):
        said = swarm(*words, home=home.root, COLUMNS="100", FORCE_COLOR="1", TERM="xterm")
        text = re.sub(r"\x1b\[[\d;]*m", "", said.out)
        assert said.status == 0 and len(text) < len(said.out), "nothing was coloured"
        assert not set(text) & set("\x1b\x07\u202e\u200b\U000e0041")
        assert "[bold red]markup[/]" in text

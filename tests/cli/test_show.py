"""`swarm show`: one record, told whole, over real signed records."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from swarm.records import Record
from tests.cli.homes import (
    ENTRY_FIELDS,
    id_of,
    make_home,
    swarm,
    trials,
    win,
)
from tests.swarm.record_samples import ANN, BOB, REPLICATION, WIN, Author


def test_a_win_is_told_whole(tmp_path: Path) -> None:
    base = win(1, title="A better rate")
    folded = win(2, title="RMSNorm", nickname="bob")
    this = win(3, base=id_of(ANN, base), parents=[id_of(BOB, folded)], title="Both", gain=0.25)
    after = win(4, base=id_of(ANN, this), title="And warmup", nickname="bob")
    home = make_home(tmp_path / "h", [(ANN, base), (BOB, folded), (ANN, this), (BOB, after)])
    said = swarm("show", id_of(ANN, this)[-10:], home=home.root).out
    for words in (
        "“Both” by ann",
        "The naive rate is far too low.",
        "+LEARNING_RATE = 3e-3",
        "-0.2500",
        "└ “A better rate” by ann",
        "folded in: “RMSNorm” by bob",
        "“And warmup” by bob",
        "cpu-laptop",
        "over 2 files its standard error is",
    ):
        assert words in said


def test_show_as_json_is_one_document(tmp_path: Path) -> None:
    base = win(1)
    this = win(2, base=id_of(ANN, base))
    home = make_home(tmp_path / "h", [(ANN, base), (ANN, this)])
    document = swarm("show", "--json", id_of(ANN, this), home=home.root).json
    assert document["kind"] == "win"
    assert document["diff"] == WIN.diff
    assert document["lineage"] == [id_of(ANN, base)]
    pairs = cast("list[dict[str, object]]", document["pairs"])
    assert pairs[0] == {"seed": 1, "base_nano": 3_101_000_000, "candidate_nano": 3_001_000_000}
    entry = document["entry"]
    assert list(cast("dict[str, object]", entry)) == ENTRY_FIELDS


def test_a_second_finder_of_the_same_change_is_shown_with_the_first(tmp_path: Path) -> None:
    first = win(1)
    again = replace(first, created_at_ms=first.created_at_ms + 5, nickname="bob")
    home = make_home(tmp_path / "h", [(ANN, first), (BOB, again)])
    said = swarm("show", id_of(BOB, again), home=home.root).out
    assert "same as" in said and id_of(ANN, first)[-10:] in said


@pytest.mark.parametrize(
    ("author", "record", "words"),
    [(BOB, REPLICATION, "of win"), (ANN, trials(1), "no gain")],
    ids=["replication", "trials"],
)
def test_other_records_are_told_too(
    tmp_path: Path, author: Author, record: Record, words: str
) -> None:
    home = make_home(tmp_path / "h", [(author, record)])
    record_id = id_of(author, record)
    assert words in swarm("show", record_id, home=home.root).out
    assert swarm("show", "--json", record_id, home=home.root).json["record"] == record_id


def test_an_unknown_or_ambiguous_name_says_what_to_type(tmp_path: Path) -> None:
    home = make_home(tmp_path / "h", [(ANN, win(1)), (ANN, win(2))])
    unknown = swarm("show", "zzzz", home=home.root)
    assert unknown.status == 1
    assert unknown.err.startswith("error: no record 'zzzz': `swarm leaderboard --home ")
    many = swarm("show", "ba", home=home.root)
    assert many.status == 1
    assert "could be any of" in many.err
    assert f"{id_of(ANN, win(1))[-10:]}  “change 1” by ann" in many.err
    assert swarm("show", "%", home=home.root).status == 1

"""What people and programs are told of claims, replications and refutations."""

from pathlib import Path
from typing import cast

import pytest

from gossip.home import Home
from tests.cli.homes import id_of, make_home, swarm, win
from tests.swarm.record_samples import ANN, BOB, Author
from tests.swarm.replication_samples import replication_of

CAT, DAN = Author(3), Author(4)

GOOD = win(1, value=3.2, gain=0.4, title="A better rate")
VAIN = win(2, value=2.5, gain=1.1, title="Best ever")
CLAIM = win(3, value=3.3, gain=0.3, title="RMSNorm")
GOOD_ID, VAIN_ID = id_of(ANN, GOOD), id_of(ANN, VAIN)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One win that others confirmed, one they refuted, and one that nobody checked."""
    checks = [
        (BOB, replication_of(GOOD_ID, BOB, 0.39, holdout=3.25)),
        (CAT, replication_of(GOOD_ID, CAT, 0.41, holdout=3.2)),
        (ANN, replication_of(GOOD_ID, ANN, 0.9, holdout=1.0)),
        *((who, replication_of(VAIN_ID, who, -0.2)) for who in (BOB, CAT, DAN)),
    ]
    root = tmp_path_factory.mktemp("home")
    return make_home(root / "home", [(ANN, GOOD), (ANN, VAIN), (ANN, CLAIM), *checks])


def entries_of(home: Home, *words: str) -> list[dict[str, object]]:
    document = swarm("leaderboard", "--json", *words, home=home.root).json
    return cast("list[dict[str, object]]", document["entries"])


def test_replicated_wins_lead_and_refuted_ones_trail(home: Home) -> None:
    found = [(each["title"], each["state"], each["replications"]) for each in entries_of(home)]
    assert found == [
        ("A better rate", "replicated", 2),
        ("RMSNorm", "claimed", 0),
        ("Best ever", "refuted", 0),
    ]


def test_what_replications_say_stands_beside_what_was_claimed(home: Home) -> None:
    leader, claim, refuted = entries_of(home)
    assert leader["value"] == pytest.approx(3.202)
    assert leader["holdout"] == 3.2, "the author's own look at the holdout does not count"
    assert leader["effect"] == pytest.approx(-0.399)
    assert leader["pairs"] == 6
    assert (claim["holdout"], claim["pairs"]) == (None, 3)
    assert refuted["effect"] == pytest.approx(0.201)


def test_a_state_can_be_asked_for(home: Home) -> None:
    (only,) = entries_of(home, "--state", "refuted")
    assert (only["title"], only["rank"]) == ("Best ever", 3)
    said = swarm("leaderboard", "--state", "incomplete", home=home.root)
    assert said.status == 0
    assert "no incomplete win" in said.out
    wrong = swarm("leaderboard", "--state", "believed", home=home.root)
    assert wrong.status == 2
    assert "replicated" in wrong.err


def test_the_table_shows_state_and_holdout(home: Home) -> None:
    said = swarm("leaderboard", home=home.root).out
    for words in ("replicated ×2", "refuted", "claimed", "holdout", "3.2000", "-0.3990"):
        assert words in said


def test_looks_at_the_holdout_are_counted(home: Home) -> None:
    """Two wins were checked: too few to say whether the validation text wears out."""
    gauge = swarm("leaderboard", "--json", home=home.root).json["wear"]
    assert isinstance(gauge, dict)
    assert (gauge["holdout_queries"], gauge["checked_wins"], gauge["worn"]) == (3, 2, False)
    said = " ".join(swarm("leaderboard", home=home.root).out.split())
    assert "2 wins checked on fresh text; 3 looks at the holdout so far" in said


def test_mine_believes_nobody_at_first(home: Home) -> None:
    states = {each["state"] for each in entries_of(home, "--mine")}
    assert states == {"claimed"}
    assert "as this node believes" in swarm("leaderboard", "--mine", home=home.root).out


def test_mine_believes_whom_its_owner_named(home: Home) -> None:
    for author in (BOB, CAT):
        assert swarm("trust", author.peer_id, home=home.root).status == 0
    named = {each["title"]: each["state"] for each in entries_of(home, "--mine")}
    assert named["A better rate"] == "replicated"
    assert named["Best ever"] == "refuted"


def test_mine_needs_somebody_to_believe(tmp_path: Path) -> None:
    bare = make_home(tmp_path / "bare", [(ANN, GOOD)])
    bare.write_status(dict(bare.read_status()) | {"peer_id": ""})
    said = swarm("leaderboard", "--mine", home=bare.root)
    assert said.status == 1
    assert "believes nobody" in said.err


def test_show_lists_each_replication_with_its_pairs(home: Home) -> None:
    said = swarm("show", GOOD_ID[-12:], home=home.root).out
    assert "replicated: 2 of 2 others saw the gain" in said
    assert said.count("on the challenge") == 3
    assert said.count("not counted") == 1
    assert "holdout 3.2000" in said
    for pair in replication_of(GOOD_ID, BOB, 0.39).challenge_pairs:
        assert str(pair.seed) in said


def test_show_tells_programs_the_same(home: Home) -> None:
    document = swarm("show", VAIN_ID, "--json", home=home.root).json
    verdict = cast("dict[str, object]", document["verdict"])
    replications = cast("list[dict[str, list[object]]]", document["replications"])
    assert (verdict["state"], verdict["voices"], verdict["confirming"]) == ("refuted", 3, 0)
    assert [each["counts"] for each in replications] == [True, True, True]
    assert all(len(each["challenge_pairs"]) == 3 for each in replications)

"""The table that people see, as wide as their screen and with what was found counted once."""

from pathlib import Path

from tests.cli.homes import make_home, swarm, win
from tests.swarm.record_samples import ANN, BOB


def test_a_narrow_screen_keeps_what_changed(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1, title="MLP_RATIO 4 → 3, and more words"))])
    narrow = swarm("leaderboard", home=home.root, COLUMNS="60").out
    assert "what changed" in narrow and "MLP_RATIO 4 → 3, and more" in narrow
    assert "claimed  " not in narrow and max(map(len, narrow.splitlines()[3:6])) <= 60
    wide = swarm("leaderboard", home=home.root, COLUMNS="160").out
    assert all(f" {name} " in wide for name in ("change", "by", "state", "adopters", "age"))


def test_wins_that_are_one_entry_count_as_one(tmp_path: Path) -> None:
    same = win(1, value=3.2)
    home = make_home(tmp_path / "home", [(ANN, same), (BOB, same), (ANN, win(2))])
    assert "the first" not in swarm("leaderboard", "--limit", "2", home=home.root).out
    assert "the first 1 of 2 wins; more" in swarm("leaderboard", "--limit", "1", home=home.root).out

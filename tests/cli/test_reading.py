"""The reading commands, run as a person runs them, over real signed records."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from gossip.board import save_board
from gossip.identity import load_or_create
from gossip.journal import Journal
from swarm.board import Board
from tests.cli.homes import (
    ENTRY_FIELDS,
    HEADER,
    REPOSITORY,
    id_of,
    make_home,
    save_view,
    store,
    stored,
    swarm,
    trials,
    win,
)
from tests.swarm.record_samples import ANN, BOB, REPLICATION, TASK

COMMANDS = (
    *("start", "stop", "status", "leaderboard", "show", "best", "verify", "doctor"),
    *("demo", "task"),
)


# --- leaderboard ------------------------------------------------------------------


def test_an_empty_home_says_how_to_begin(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    said = swarm("leaderboard", home=home.root)
    assert said.status == 0
    assert f"start a node with `swarm start --task quick --home {home.root}`" in said.out


def test_the_best_value_leads_and_json_has_every_field(tmp_path: Path) -> None:
    first = win(1, value=3.5)
    second = win(2, value=3.2, base=id_of(ANN, first), nickname="bob", title="Muon")
    home = make_home(tmp_path / "home", [(ANN, first), (BOB, second), (ANN, trials(3, count=5))])
    document = swarm("leaderboard", "--json", home=home.root).json
    assert list(document) == ["task", "experiments", "records", "peers", "entries", "wear"]
    assert document["task"] == {
        key: HEADER[key] for key in ("id", "name", "metric", "goal", "unit", "direction")
    }
    assert (document["experiments"], document["records"], document["peers"]) == (7, 3, 0)
    leader, follower = entries_of(document)
    assert list(leader) == ENTRY_FIELDS
    assert leader["record"] == id_of(BOB, second)
    assert (leader["rank"], leader["title"], leader["state"]) == (1, "Muon", "claimed")
    assert leader["effect"] == pytest.approx(-0.1)
    assert leader["base"] == follower["record"] == id_of(ANN, first)
    assert follower["adopters"] == [BOB.peer_id]
    assert leader["holdout"] is None
    assert str(leader["created_at"]).endswith("Z")


def test_maximising_turns_the_order_round(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1, value=3.5)), (ANN, win(2, value=3.2))])
    home.write_status({"task": HEADER | {"direction": "maximize"}})
    shown = entries_of(swarm("leaderboard", "--json", home=home.root).json)
    assert [entry["value"] for entry in shown] == [pytest.approx(3.502), pytest.approx(3.202)]


def test_a_view_and_the_records_after_it_make_the_same_board(tmp_path: Path) -> None:
    records = [(ANN, win(number, value=3 + number / 100)) for number in range(10)]
    plain_home = make_home(tmp_path / "a", records)
    viewed = make_home(tmp_path / "b", records[:6])
    save_view(viewed)
    store(viewed, records[6:])
    first, second = (swarm("leaderboard", "--json", home=h.root) for h in (plain_home, viewed))
    assert first.json == second.json
    assert len(entries_of(first.json)) == 10


def test_a_broken_view_costs_nothing_but_time(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1))])
    with Journal.open(home.journal(TASK)) as journal:
        journal.set_view("board", 1, b"not a board")
    assert len(entries_of(swarm("leaderboard", "--json", home=home.root).json)) == 1


def test_the_table_shows_titles_and_what_to_type_next(tmp_path: Path) -> None:
    wins = [(ANN, win(number, value=3 + number / 10)) for number in range(5)]
    home = make_home(tmp_path / "home", wins)
    said = swarm("leaderboard", "--limit", "3", home=home.root)
    assert [f"change {number}" in said.out for number in range(5)] == [True] * 3 + [False] * 2
    assert "the first 3 of 5 wins; more" in said.out
    assert "swarm show " in said.out
    assert said.err == ""


def test_words_of_a_peer_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """Markup is printed as written; records cannot carry escapes, so the status file tries."""
    home = make_home(tmp_path / "home", [(ANN, win(1, title="[red]x[/red] [link=http://e]y"))])
    home.write_status({"task": HEADER | {"name": "\x1b[2Jquick\x07"}})
    said = swarm("leaderboard", home=home.root)
    assert "[red]x[/red] [link=http://e]y" in said.out
    assert "\x1b" not in said.out and "\x07" not in said.out


def test_ten_thousand_records_cost_less_than_starting_the_program(tmp_path: Path) -> None:
    """Cold, in processes of their own; `benchmarks` has the seconds, this the ratio."""
    few = make_home(tmp_path / "few", [(ANN, win(0))])
    many = make_home(tmp_path / "many")
    sample = stored(ANN, win(0))
    with Journal.open(many.journal(TASK)) as journal:
        wins = [replace(sample, id=f"b{number:058d}") for number in range(10_000)]
        journal.append(wins)
        assert save_board(journal, many_wins([item.id for item in wins]))
    assert "the first 20 of 10,000 wins" in swarm("leaderboard", home=many.root).out
    assert cpu_seconds(many.root) < 2 * cpu_seconds(few.root)


def cpu_seconds(home: Path) -> float:
    """The least processor time of some runs, since the machine has other work."""
    return min(swarm("leaderboard", home=home).cpu_seconds for _ in range(3))


def test_reading_loads_nothing_that_only_a_node_needs(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1))])
    heavy = ("torch", "trio", "libp2p", "numpy", "scipy", "pydantic", "optuna")
    script = (
        "import sys; from pathlib import Path\n"
        "from cli.leaderboard import leaderboard\n"
        "leaderboard(Path(sys.argv[1]), limit=5, as_json=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(home.root)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


# --- status, stop -----------------------------------------------------------------

NODE = """
import os, signal, sys, time
sys.path.insert(0, {repository!r})
from pathlib import Path
from gossip.home import open_home
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
home = open_home(Path(sys.argv[1]))
with home.held():
    home.write_status({{"pid": os.getpid(), "peer_id": "p", "nickname": "n", "task": {task!r},
        "hardware_class": "cpu-laptop", "running": True, "experiments": 3, "wins": 1, "peers": 2,
        "uptime_seconds": 90.5, "listen_addrs": ["/ip4/127.0.0.1/tcp/1/p2p/p"],
        "llm": {llm!r}}})
    print("up", flush=True)
    time.sleep(60)
"""


SPENT = {
    "day": "2026-01-01", "asked": 3, "tokens": 4000, "money": 0.25,
    "tokens_limit": 9000, "money_limit": 2.0, "model": "a-model",
}  # fmt: skip


def node(root: Path) -> subprocess.Popen[str]:
    """A process that holds a home as a node does."""
    script = NODE.format(repository=str(REPOSITORY), task=HEADER, llm=SPENT)
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "up\n"
    return child


def test_status_of_a_running_node_and_after_its_death(tmp_path: Path) -> None:
    root = tmp_path / "home"
    child = node(root)
    try:
        live = swarm("status", "--json", home=root).json
        assert (live["running"], live["peers"], live["uptime_seconds"]) == (True, 2, 90.5)
        assert live["listen_addrs"] == ["/ip4/127.0.0.1/tcp/1/p2p/p"]
        joining = "swarm start --task quick --join /ip4/127.0.0.1/tcp/1/p2p/p"
        words = swarm("status", home=root).out
        assert joining in words and "a-model, 0 of 9,000 tokens used today, 0 of 2" in words
        assert live["llm"] == SPENT
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    dead = swarm("status", "--json", home=root).json
    assert (dead["running"], dead["peers"], dead["uptime_seconds"]) == (False, 0, None)
    assert (dead["experiments"], dead["wins"], dead["peer_id"]) == (3, 1, "p")
    words = swarm("status", home=root).out
    assert "not running" in words and "no model is set up" in words
    assert dead["llm"] is None


def test_stop_ends_the_node_and_says_so(tmp_path: Path) -> None:
    root = tmp_path / "home"
    child = node(root)
    said = swarm("stop", home=root)
    assert (said.status, said.out) == (0, f"stopped the node in {root}\n")
    assert child.wait(5) == 0
    again = swarm("stop", home=root)
    assert (again.status, again.out) == (0, f"no node is running in {root}\n")


def test_the_identity_is_known_before_the_first_status(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    home.write_status({"task": HEADER})
    identity = load_or_create(home.identity)
    assert swarm("status", "--json", home=home.root).json["peer_id"] == identity.peer_id


# --- verify -----------------------------------------------------------------------


def test_verify_passes_a_sound_journal(tmp_path: Path) -> None:
    home = make_home(tmp_path / "h", [(ANN, win(1)), (BOB, REPLICATION), (ANN, trials(2))])
    said = swarm("verify", home=home.root)
    assert (said.status, said.out) == (0, f"{TASK}.sqlite: 3 records, all valid\n")


def test_verify_names_what_is_not_valid_and_rescue_leaves_it_out(tmp_path: Path) -> None:
    home = make_home(tmp_path / "h", [(ANN, win(number)) for number in range(5)])
    forged = stored(ANN, win(9))
    with Journal.open(home.journal(TASK)) as journal:
        journal.append(
            [
                replace(forged, envelope=forged.envelope[:-1] + bytes([forged.envelope[-1] ^ 1])),
                replace(stored(ANN, win(10)), author=BOB.peer_id),
            ]
        )
    said = swarm("verify", home=home.root)
    assert said.status == 1
    assert "2 of 7 records are not valid" in said.out
    assert f"{forged.id}: the signature does not belong" in said.out
    assert "columns differ" in said.out
    fixed = swarm("verify", "--rescue", home=home.root)
    assert fixed.status == 0
    assert "kept 5 valid records, left out 2" in fixed.out
    assert swarm("verify", home=home.root).status == 0


def test_a_truncated_journal_is_named_and_rescued(tmp_path: Path) -> None:
    home = make_home(tmp_path / "h", [(ANN, win(number)) for number in range(60)])
    path = home.journal(TASK)
    os.truncate(path, path.stat().st_size // 2)
    for words in (["leaderboard"], ["leaderboard", "--json"], ["show", "b"]):
        said = swarm(*words, home=home.root)
        assert said.status == 1
        assert said.out == ""
        assert f"error: {path} is damaged" in said.err and "swarm verify --rescue" in said.err
    assert swarm("verify", home=home.root).status == 1
    assert "Traceback" not in said.err
    assert swarm("verify", "--rescue", home=home.root).status == 0
    assert len(entries_of(swarm("leaderboard", "--json", home=home.root).json)) >= 10


def test_a_journal_of_a_newer_version_is_one_sentence(tmp_path: Path) -> None:
    home = make_home(tmp_path / "h", [(ANN, win(1))])
    with sqlite3.connect(home.journal(TASK)) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    said = swarm("leaderboard", "--json", home=home.root)
    assert (said.status, said.out) == (1, "")
    assert "has journal version 7" in said.err and "pip install --upgrade" in said.err


def test_rescue_waits_for_the_node_to_stop(tmp_path: Path) -> None:
    root = tmp_path / "home"
    child = node(root)
    try:
        home = make_home(root, [(ANN, win(number)) for number in range(60)])
        os.truncate(home.journal(TASK), 9_000)
        said = swarm("verify", "--rescue", home=root)
        assert said.status == 1
        assert f"is in use by process {child.pid}" in said.err
    finally:
        child.kill()
        child.wait()


# --- the command line itself --------------------------------------------------------


def test_help_is_quick_and_names_every_command() -> None:
    tries = [swarm("--help") for _ in range(3)]
    for name in COMMANDS:
        assert f"\n  {name} " in tries[0].out
    assert min(said.cpu_seconds for said in tries) < 0.5


def test_a_mistyped_command_is_answered_with_the_nearest() -> None:
    said = swarm("leaderbord")
    assert said.status == 2
    assert "leaderboard" in said.err


def test_the_home_comes_from_the_environment(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1))])
    assert len(entries_of(swarm("leaderboard", "--json", SWARM_HOME=str(home.root)).json)) == 1


def test_a_reader_that_stops_early_is_no_error(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home", [(ANN, win(1))])
    show = f"{sys.executable} -m cli.main show --home {home.root} {id_of(ANN, win(1))}"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; ({show}; echo rc=$? >&2) | head -1"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr


def entries_of(document: dict[str, object]) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", document["entries"])


def many_wins(ids: list[str]) -> Board:
    return Board().with_records(
        (record_id, win(number, value=2 + number / 10_000)) for number, record_id in enumerate(ids)
    )

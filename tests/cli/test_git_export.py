"""The lineage as a Git repository: Git itself is the oracle of what was written without it."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.export import export
from cli.failures import CommandError
from gossip.home import Home
from gossip.journal import Journal
from swarm.records import Record
from swarm.settings_block import write_settings
from tests.cli.toy_homes import (
    BASELINE,
    TASK,
    id_of,
    stored,
    toy_home,
    toy_replication,
    toy_trials,
    toy_win,
    turned,
)
from tests.hostile_text import TEXTS, as_line
from tests.swarm.record_samples import ANN, BOB, SOME_ID, Author
from watch.git_export_objects import Signature, tree

STEEP = turned(BASELINE, SLOPE=1.0)
SHIFTED = turned(BASELINE, SHIFT="small")
BOTH = turned(STEEP, SHIFT="small")
FIRST = toy_win(1, BASELINE, STEEP, value=2.3, title="SLOPE 0.1 → 1.0")
SECOND = toy_win(2, BASELINE, SHIFTED, author=BOB, value=2.4, title="a small shift", nickname="bob")
FOLD = toy_win(
    3,
    STEEP,
    BOTH,
    base=id_of(FIRST),
    parents=[id_of(SECOND)],
    value=2.0,
    title="fold: both",
    rationale="Two wins\nthat touch other lines.",
)
CHECKS = [
    (author, toy_replication(id_of(FOLD), author, 0.1)) for author in (BOB, Author(3), Author(4))
]
RECORDS: list[tuple[Author, Record]] = [
    (ANN, FIRST), (BOB, SECOND), (ANN, FOLD), (ANN, toy_trials(4, "no_gain")), *CHECKS
]  # fmt: skip


def git(repository: Path, *words: str) -> str:
    """What Git says, whatever is configured on this machine."""
    clean = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": os.devnull}
    done = subprocess.run(
        ["git", "-C", str(repository), *words],
        env=os.environ | clean,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode()


def files(folder: Path) -> dict[str, bytes]:
    """Everything in a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two wins, their fold, and three peers who confirm it."""
    return toy_home(tmp_path / "home", RECORDS)


def test_git_reads_the_lineage(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "new" / "lineage.git"
    export(home.root, out, git=True)
    assert git(out, "fsck", "--full", "--strict") == ""
    said = git(out, "log", "-1", "--format=%an|%ae|%s|%ad|%cd", "--date=unix").strip()
    moment = str(FOLD.created_at_ms // 1000)
    assert said == f"ann|{ANN.peer_id}@research-swarm.invalid|fold: both|{moment}|{moment}"
    parents = git(out, "log", "-1", "--format=%P").split()
    assert [git(out, "log", "-1", "--format=%s", parent).strip() for parent in parents] == [
        "SLOPE 0.1 → 1.0",
        "a small shift",
    ]
    assert git(out, "show", "best:train.py").encode() == BOTH["train.py"]
    assert "+SLOPE = 1.0" in git(out, "diff", "baseline", "best")
    [blamed] = [line for line in git(out, "blame", "best", "--", "train.py").splitlines()
                if "SHIFT = " in line]  # fmt: skip
    assert "(bob" in blamed
    message = git(out, "log", "-1", "--format=%b")
    assert message.startswith("> Two wins\n> that touch other lines.\n\nloss -0.100000 points over")
    assert git(out, "log", "-1", "--format=%(trailers:key=Record,valueonly)").strip() == id_of(FOLD)


def test_replicated_wins_are_tagged_with_what_others_measured(home: Home, tmp_path: Path) -> None:
    export(home.root, tmp_path / "out", git=True)
    [name] = git(tmp_path / "out", "tag", "--list", "replicated/*").split()
    assert name == f"replicated/fold-both-{id_of(FOLD)[-10:]}"
    said = git(tmp_path / "out", "tag", "-n9", "--list", "replicated/*")
    assert "confirmed by 3 other peers" in said and BOB.peer_id in said


def test_nodes_with_the_same_records_write_the_same_bytes(home: Home, tmp_path: Path) -> None:
    other = toy_home(tmp_path / "other", reversed(RECORDS))
    export(home.root, tmp_path / "a", git=True)
    export(other.root, tmp_path / "b", git=True)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_what_came_later_is_added_to_what_is_there(home: Home, tmp_path: Path) -> None:
    early = toy_home(tmp_path / "early", RECORDS[:2])
    export(early.root, tmp_path / "grown", git=True)
    assert git(tmp_path / "grown", "branch", "--list", "wins/*").strip()
    with Journal.open(early.journal(TASK.id)) as journal:
        journal.append([stored(author, record) for author, record in RECORDS[2:]])
    export(early.root, tmp_path / "grown", git=True)
    export(home.root, tmp_path / "fresh", git=True)
    assert files(tmp_path / "grown") == files(tmp_path / "fresh")


def test_a_packed_repository_grows_too(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early, out = toy_home(tmp_path / "early", RECORDS[:2]), tmp_path / "out"
    export(early.root, out, git=True)
    git(out, "branch", "mine", "baseline")
    git(out, "gc", "--quiet")
    capsys.readouterr()
    export(home.root, out, git=True)
    assert "3 wins as commits, 1 new commits" in capsys.readouterr().out
    assert git(out, "fsck", "--full", "--strict") == ""
    assert git(out, "log", "-1", "--format=%s").strip() == "fold: both"
    branches = git(out, "branch", "--list", "--format=%(refname:short)").split()
    assert branches == ["best", "mine"]


def test_wins_that_cannot_be_rebuilt_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    orphan = toy_win(5, STEEP, BOTH, base=SOME_ID)
    false = replace(toy_win(6, BASELINE, SHIFTED), tree="0" * 64)
    on_false = toy_win(7, SHIFTED, BOTH, base=id_of(false))
    records = [(ANN, FIRST), (ANN, orphan), (ANN, false), (ANN, on_false)]
    export(toy_home(tmp_path / "home", records).root, tmp_path / "out", git=True)
    said = capsys.readouterr().out
    assert ": 1 win as commits, 2 new commits" in said and "left out 3 wins" in said


def test_no_text_of_a_peer_becomes_a_header_a_trailer_or_a_name(tmp_path: Path) -> None:
    records: list[tuple[Author, Record]] = [
        (
            BOB,
            toy_win(
                number,
                BASELINE,
                {"train.py": write_settings(STEEP["train.py"], {"SLOPE": 1.0 + number})},
                author=BOB,
                title=as_line(text, 120) or "-",
                nickname=as_line(text, 40),
                rationale=text,
            ),
        )
        for number, text in enumerate(TEXTS, 1)
    ]
    checks = [
        (author, toy_replication(id_of(record), author, 0.1))
        for author in (ANN, Author(3), Author(4))
        for _, record in records[:8]
    ]
    out = tmp_path / "out"
    export(toy_home(tmp_path / "home", [*records, *checks]).root, out, git=True)
    assert git(out, "fsck", "--full", "--strict") == ""
    assert len(git(out, "tag", "--list", "replicated/*").split()) == 8
    for line in git(out, "log", "--branches", "--format=%ae %ce %P|%(trailers:key=Signed-off-by)|"):
        assert "Somebody" not in line
    said = git(out, "log", "--branches", "--format=%ae|%ce|%(trailers:key=Record,valueonly)")
    assert said.count(f"{BOB.peer_id}@research-swarm.invalid|export@") == len(records)
    assert "forged" not in said
    assert not set(git(out, "log", "--branches")) & set("\x1b\x00\u202e\u200b\u2028\U000e0041")


@settings(deadline=None)
@given(st.text())
def test_any_nickname_makes_one_header_line(name: str) -> None:
    line = Signature(name, "x@y", 1_234).line()
    assert line.endswith(" <x@y> 1 +0000")
    shown = line.removesuffix(" <x@y> 1 +0000")
    assert shown and not set(shown) & set("<>\n\0")


@pytest.mark.parametrize("path", ["", "/etc/x", "a/../b", "a//b", ".git/config", "a/"])
def test_no_path_leads_out_of_the_tree(path: str) -> None:
    with pytest.raises(ValueError, match="no path of a file"):
        tree({path: b""})


class TestTheFolder:
    """What an export may write into, and what it never touches."""

    def refused(self, home: Home, folder: Path) -> str:
        with pytest.raises(CommandError) as refusal:
            export(home.root, folder, git=True)
        assert str(folder) in str(refusal.value) and "\n" not in str(refusal.value)
        return str(refusal.value)

    def test_one_that_is_not_ours_is_refused(self, home: Home, tmp_path: Path) -> None:
        (tmp_path / "papers").mkdir()
        (tmp_path / "papers" / "thesis.txt").write_text("precious")
        assert "is not empty and no export made it" in self.refused(home, tmp_path / "papers")
        assert files(tmp_path / "papers") == {"thesis.txt": b"precious"}

    def test_a_file_and_a_link_are_refused(self, home: Home, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        self.refused(home, tmp_path / "file")
        self.refused(home, tmp_path / "link")
        assert files(tmp_path / "elsewhere") == {}

    def test_an_export_of_another_kind_is_refused(self, home: Home, tmp_path: Path) -> None:
        export(home.root, tmp_path / "out", git=True)
        marker = tmp_path / "out" / ".research-swarm"
        marker.write_text("export of task x\n")
        assert "holds another export" in self.refused(home, tmp_path / "out")

    def test_a_link_inside_leads_nowhere(self, home: Home, tmp_path: Path) -> None:
        out, outside = tmp_path / "out", tmp_path / "outside"
        outside.mkdir()
        export(home.root, out, git=True)
        (out / "refs" / "heads" / "best").unlink()
        (out / "refs" / "heads").rmdir()
        (out / "refs" / "heads").symlink_to(outside)
        self.refused(home, out)
        assert files(outside) == {}

    def test_a_link_in_the_place_of_a_file_is_replaced(self, home: Home, tmp_path: Path) -> None:
        out, outside = tmp_path / "out", tmp_path / "outside"
        outside.write_text("precious")
        export(home.root, out, git=True)
        (out / "refs" / "heads" / "best").unlink()
        (out / "refs" / "heads" / "best").symlink_to(outside)
        export(home.root, out, git=True)
        assert outside.read_text() == "precious"
        assert git(out, "log", "-1", "--format=%s").strip() == "fold: both"

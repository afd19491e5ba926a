"""The archive: what programs and people find in it, and that no peer's text is more than text."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.export import export, history
from cli.failures import CommandError
from cli.import_records import import_records
from cli.snapshot import loaded_task
from cli.story import opened_wins, read_story
from gossip.home import Home, HomeInUse
from gossip.journal import Journal
from swarm.records import Record
from swarm.task import Metric
from tests.cli.homes import REPOSITORY, swarm
from tests.cli.test_git_export import RECORDS, files
from tests.cli.toy_homes import BASELINE, TASK, toy_home, toy_win, turned
from tests.hostile_text import TEXTS, as_line
from tests.swarm.record_samples import BOB, NOW_MS, Author
from watch.export_table import columns

NAMES = {
    *("leaderboard.json", "lineage.svg", "progress.png", "records.msgpack", "report.html"),
    *("results.tsv", ".research-swarm"),
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two wins, their fold, one failed idea, and three peers who confirm the fold."""
    return toy_home(tmp_path / "home", RECORDS)


def hostile_home(root: Path) -> Home:
    """A home to which a peer has said the worst."""
    records: list[tuple[Author, Record]] = [
        (
            BOB,
            toy_win(
                number,
                BASELINE,
                turned(BASELINE, SLOPE=1.0 + number),
                author=BOB,
                title=as_line(text, 120) or "-",
                nickname=as_line(text, 40),
                rationale=text,
                value=2 - number / 100,
            ),
        )
        for number, text in enumerate(TEXTS, 1)
    ]
    return toy_home(root, records)


def ids(home: Home) -> set[str]:
    """What is in the journal."""
    with Journal.open(home.journal(TASK.id), read_only=True) as journal:
        return {row[0] for row in journal.listed()}


def soon() -> int:
    """A time when all of the records are fresh."""
    return NOW_MS + 4_000_000


def rows(folder: Path) -> list[dict[str, str]]:
    """The table as a program reads it."""
    text = (folder / "results.tsv").read_text()
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter="\t"))


def test_every_file_is_there_and_says_the_same(home: Home, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(home.root, out, git=False)
    assert set(files(out)) == NAMES
    table = rows(out)
    assert list(table[0])[:5] == ["commit", "loss", "memory_gb", "status", "description"]
    assert [row["status"] for row in table] == ["keep", "keep", "keep", "discard"]
    story = read_story(home.root)
    with opened_wins(story.snapshot) as wins:
        made = list(history(loaded_task(story.snapshot.task), wins))
    commits = {each.record: each.id for each in made}
    assert [row["commit"] for row in table] == [
        *(commits[row["record"]][:7] for row in table[:3]),
        "-",
    ]
    board = json.loads((out / "leaderboard.json").read_text())
    assert board["entries"][0]["title"] == "fold: both"
    assert (out / "progress.png").read_bytes().startswith(b"\x89PNG")


def test_every_column_and_file_is_documented() -> None:
    text = (REPOSITORY / "docs" / "export.md").read_text()
    documented = re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE)
    assert set(documented[:6]) == NAMES - {".research-swarm"}
    assert documented[6:] == list(columns(Metric("val_bpb", "minimize", "bits per byte", None)))


def test_an_export_again_replaces_what_it_wrote(home: Home, tmp_path: Path) -> None:
    export(home.root, tmp_path / "out", git=False)
    (tmp_path / "out" / "results.tsv").write_text("old")
    export(home.root, tmp_path / "out", git=False)
    assert len(rows(tmp_path / "out")) == 4
    with pytest.raises(CommandError, match="holds another export"):
        export(home.root, tmp_path / "out", git=True)


def test_nothing_can_be_exported_too(tmp_path: Path) -> None:
    export(toy_home(tmp_path / "home").root, tmp_path / "out", git=False)
    assert "No win yet" in (tmp_path / "out" / "report.html").read_text()
    ElementTree.parse(tmp_path / "out" / "lineage.svg")


def test_records_come_into_another_home_through_the_door(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(home.root, tmp_path / "out", git=False)
    file, other = tmp_path / "out" / "records.msgpack", toy_home(tmp_path / "other", RECORDS[:1])
    capsys.readouterr()
    assert import_records(other.root, file, soon) == 0
    assert "7 records judged, 6 new, 1 already here, 0 refused" in capsys.readouterr().out
    assert ids(other) == ids(home)
    export(other.root, tmp_path / "again", git=False)
    assert file.read_bytes() == (tmp_path / "again" / "records.msgpack").read_bytes()


def test_a_forged_record_in_a_file_is_refused(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(home.root, tmp_path / "out", git=False)
    file, other = tmp_path / "records", toy_home(tmp_path / "other")
    content = (tmp_path / "out" / "records.msgpack").read_bytes()
    file.write_bytes(content.replace(b"fold: both", b"fold: BOTH"))
    assert import_records(other.root, file, soon) == 1
    said = capsys.readouterr().out
    assert "6 new, 0 already here, 1 refused" in said and "signature" in said


def test_what_comes_before_damage_is_kept(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(home.root, tmp_path / "out", git=False)
    file, other = tmp_path / "records", toy_home(tmp_path / "other")
    content = (tmp_path / "out" / "records.msgpack").read_bytes()
    file.write_bytes(content[:-100])
    assert import_records(other.root, file, soon) == 1
    said = capsys.readouterr().out
    assert "it ends after 6 of 7 records; what came before is in" in said
    assert len(ids(other)) == 6


def test_what_the_door_would_not_take_now_is_said(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(home.root, tmp_path / "out", git=False)
    other, file = toy_home(tmp_path / "other"), tmp_path / "out" / "records.msgpack"
    assert import_records(other.root, file, lambda: NOW_MS + 30 * 86_400_000) == 0
    assert "6 new, 0 already here, 0 refused\n  not taken 1: trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no records file"),
        (b"commit\tval_bpb\n", "no records file"),
        (b"\xc1" * 10, "no records file"),
        (b"\xdf\xff\xff\xff\xff" * 10, "no records file"),
        (b"\x84\xa6format\xb6research-swarm records\xa7version\x02\xa4task\xa1x\xa5count\x01",
         "version 2"),
        (b"\x84\xa6format\xb6research-swarm records\xa7version\x01\xa4task\xa1x\xa5count\x01",
         "this home works on"),
    ],
)  # fmt: skip
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    home = toy_home(tmp_path / "home")
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(CommandError, match=said) as refusal:
        import_records(home.root, tmp_path / "file")
    assert "\n" not in str(refusal.value)


def test_a_running_node_keeps_its_journal(home: Home, tmp_path: Path) -> None:
    export(home.root, tmp_path / "out", git=False)
    with home.held(), pytest.raises(HomeInUse, match="stop that node"):
        import_records(home.root, tmp_path / "out" / "records.msgpack")
    said = swarm("import", str(tmp_path / "nothing"), home=home.root)
    assert said.status == 1 and said.err.startswith("error: ") and "cannot be read" in said.err


class Page(HTMLParser):
    """The tags and attributes that a browser sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def test_no_text_of_a_peer_is_markup_in_the_page(tmp_path: Path) -> None:
    home, out = hostile_home(tmp_path / "home"), tmp_path / "out"
    export(home.root, out, git=False)
    text = (out / "report.html").read_text()
    page = Page()
    page.feed(text)
    assert not page.tags & {"script", "img src", "a href", "iframe", "object", "form", "link"}
    assert not {name for name in page.attributes if name.startswith("on") or name == "style"}
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in page.links)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy and policy[1].startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy[1] and text.count("<style>") == 1
    assert not set(text) & set("\x1b\x00\u202e\u200b\u2028\U000e0041")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_no_text_of_a_peer_is_markup_in_the_drawing(tmp_path: Path) -> None:
    home, out = hostile_home(tmp_path / "home"), tmp_path / "out"
    export(home.root, out, git=False)
    tree = ElementTree.parse(out / "lineage.svg")
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert names <= {"svg", "title", "rect", "text", "path", "circle", "g"}
    keys = {key for element in tree.iter() for key in element.attrib}
    assert not {key for key in keys if key.startswith("on") or key in ("href", "style")}
    assert any("<script>" in (element.text or "") for element in tree.iter())


def test_no_cell_of_the_table_is_a_formula_or_another_line(tmp_path: Path) -> None:
    home, out = hostile_home(tmp_path / "home"), tmp_path / "out"
    export(home.root, out, git=False)
    table = rows(out)
    assert len(table) == len(TEXTS)
    words = [row[name] for row in table for name in ("description", "nickname", "family")]
    assert not [word for word in words if word[:1] in "=+@" or (word[:1] == "-" and word != "-")]

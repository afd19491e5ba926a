"""Private topics as a person meets them: make, invite, join, run, renew, leave."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.failures import is_explained
from cli.invite import invite
from cli.join import join
from cli.start import start
from cli.status import status
from cli.topic import create, leave, list_topics, rotate, show_topic
from cli.verify import verify
from experiments.task_folder import load_task
from gossip import topics
from gossip.home import Home, open_home
from gossip.journal import Journal
from gossip.topics import Topic
from node import chosen
from swarm.invite import Invite, read_invite, write_invite
from swarm.settings import Settings
from tests.cli.homes import swarm
from tests.processes import TOY, NodeProcess, nodes, wait_until
from watch.status import task_document, topic_document

ADDRESS = "/ip4/192.0.2.7/tcp/4001"
LONG_S = 300.0


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """As typed by somebody without settings, into something that is no terminal."""
    monkeypatch.delenv("SWARM_PROFILE", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    before = os.umask(0o077)
    yield
    os.umask(before)


def invited(
    root: Path, capsys: pytest.CaptureFixture[str], *, expires: str = "7d", qr: bool = False
) -> str:
    """What `swarm invite` prints; the invite is its last line."""
    capsys.readouterr()
    invite(root, "lab", expires=expires, addresses=(ADDRESS,), qr=qr)
    return capsys.readouterr().out


def line_of(root: Path, capsys: pytest.CaptureFixture[str]) -> str:
    return invited(root, capsys).splitlines()[-1]


def enter(root: Path, text: str, *, task: str | None = None, name: str | None = None) -> None:
    join(root, text, task=task, name=name, yes=False)


def refused(said: str, action: Callable[[], object]) -> None:
    """It ends with one sentence that a person can act on."""
    with pytest.raises(Exception, match=said) as told:
        action()
    assert is_explained(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_a_swarm_of_two_from_one_invite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The task is fetched, shown and agreed to; both boards become the same."""
    with nodes(tmp_path, 2) as (host, guest):
        create(host.root, "lab", task=str(TOY), closed=False)
        run(host, "--observe")
        invite(host.root, "lab", expires="8h", addresses=(), qr=False)
        line = capsys.readouterr().out.splitlines()[-1]
        refused("agree with `swarm join INVITE --yes`", lambda: enter(guest.root, line))
        shown = capsys.readouterr().out
        assert "python3 train.py" in shown and "nothing of it has run" in shown
        assert topics.names(guest.home) == []
        join(guest.root, line, task=None, name=None, yes=True)
        run(guest, "--experiments", "1", "--workers", "1")
        wait_until(lambda: ended(guest), guest.tell, LONG_S)
        wait_until(lambda: host.record_ids() == guest.record_ids() != set(), host.tell, LONG_S)
        capsys.readouterr()
        show_topic(host.root, "lab", as_json=True)
        members = json.loads(capsys.readouterr().out)["members"]
        assert guest.status()["peer_id"] in {each["peer_id"] for each in members}
        assert verify(host.root, rescue_damaged=False) == 0
        assert "records, all valid" in capsys.readouterr().out
        host.end()
        for node in (host, guest):
            secret = topics.load(node.home, "lab").key.secret.hex().encode()
            written = [path for path in node.root.rglob("*") if path.is_file()]
            holding = [path for path in written if secret in path.read_bytes()]
            assert holding == [node.home.topic("lab")]
            assert line.removeprefix("swarm1-")[:40] not in node.tell()


def ended(node: NodeProcess) -> bool:
    return node.process is not None and node.process.poll() is not None


def run(node: NodeProcess, *words: str) -> None:
    node.start("--topic", "lab", "--api", "off", *words)


def test_an_invite_stands_alone_on_the_last_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(tmp_path, "lab", task=str(TOY), closed=False)
    member = topics.load(open_home(tmp_path), "lab")
    out = invited(tmp_path, capsys, qr=True)
    found = read_invite(out.splitlines()[-1])
    assert (found.name, found.key, found.task) == ("lab", member.key, member.task)
    assert [addr.partition("/p2p/")[0] for addr in found.addrs] == [ADDRESS]
    assert found.expires_at_s is not None
    assert "█" in out and "like a password" in out
    for_ever = invited(tmp_path, capsys, expires="never").splitlines()[-1]
    assert read_invite(for_ever).expires_at_s is None


def test_without_an_address_an_invite_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(tmp_path, "lab", task="quick", closed=False)
    invite(tmp_path, "lab", expires="8h", addresses=(), qr=False)
    told = capsys.readouterr()
    assert "names no address" in told.err
    assert read_invite(told.out.splitlines()[-1]).addrs == ()


def test_a_task_that_ships_needs_no_member(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no agreement: it is what this program runs anyway."""
    a, b = tmp_path / "a", tmp_path / "b"
    create(a, "lab", task="quick", closed=True)
    line = line_of(a, capsys)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{line}\n"))
    enter(b, "-", name="ours")
    member = topics.load(open_home(b), "ours")
    assert (member.source, member.closed, member.key.epoch) == ("quick", True, 1)
    enter(b, line)
    assert "already with the same key" in capsys.readouterr().out
    list_topics(b, as_json=True)
    assert [each["name"] for each in json.loads(capsys.readouterr().out)] == ["ours"]
    refused("a topic ours here already", lambda: create(b, "ours", task="quick", closed=False))


def test_rotating_lets_in_only_who_is_invited_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    create(a, "lab", task="quick", closed=False)
    first = line_of(a, capsys)
    enter(b, first)
    rotate(a, "lab")
    enter(b, line_of(a, capsys))
    assert "now has key 2" in capsys.readouterr().out
    keys = [topics.load(open_home(root), "lab").key for root in (a, b)]
    assert keys[0] == keys[1] and keys[0].epoch == 2
    refused("for key 1 of topic lab, and key 2 is here", lambda: enter(b, first))


def test_a_node_that_runs_with_an_old_key_is_told_of_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    create(tmp_path, "lab", task=str(TOY), closed=False)
    home = open_home(tmp_path)
    topic = Topic.private(topics.load(home, "lab"))
    told = {
        "pid": os.getpid(),
        "topic": topic_document(topic.name, topic.label, topic.epoch),
        "task": task_document(load_task(TOY).task, str(TOY)),
    }
    looks: list[Callable[[], None]] = [
        lambda: show_topic(tmp_path, "lab", as_json=False),
        lambda: list_topics(tmp_path, as_json=False),
        lambda: status(tmp_path, as_json=False),
    ]
    with home.held():
        home.write_status(told)
        for epoch in (1, 2):
            capsys.readouterr()
            for look in looks:
                look()
                shown = " ".join(capsys.readouterr().out.split())
                assert ("2, but the node that runs has 1: `swarm stop` it" in shown) == (epoch == 2)
            rotate(tmp_path, "lab")
            assert "has the old key" in capsys.readouterr().out
    show_topic(tmp_path, "lab", as_json=False)
    shown = " ".join(capsys.readouterr().out.split())
    assert f"task {load_task(TOY).task.name} task id" in shown and "key number 3 network" in shown


def test_leaving_keeps_the_records_unless_they_are_to_be_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(tmp_path, "lab", task=str(TOY), closed=False)
    home = open_home(tmp_path)
    member = topics.load(home, "lab")
    path = home.journal(member.task, member.key.label)
    with Journal.open(path):
        pass
    line = line_of(tmp_path, capsys)
    leave(tmp_path, "lab", forget=False)
    assert "still in" in capsys.readouterr().out
    assert path.exists() and topics.names(home) == []
    enter(tmp_path, line, task=str(TOY))
    leave(tmp_path, "lab", forget=True)
    assert not list(home.journals.iterdir())


INVITES: list[tuple[str, Callable[[Invite], str]]] = [
    ("expired on 2001-09-09", lambda i: write_invite(replace(i, expires_at_s=1_000_000_000))),
    ("is damaged", lambda i: write_invite(i)[:-1]),
    ("of version 9, and .* up to version 1: update", lambda i: "swarm9-aaaa"),
    ("this is no invite", lambda i: "hello"),
    ("is for .*: name another folder, or leave out --task", write_invite),
]


@pytest.mark.parametrize(("said", "change"), INVITES)
def test_an_invite_that_cannot_be_used_is_one_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    said: str,
    change: Callable[[Invite], str],
) -> None:
    create(tmp_path / "a", "lab", task=str(TOY), closed=False)
    line = change(read_invite(line_of(tmp_path / "a", capsys)))
    refused(said, lambda: enter(tmp_path / "b", line, task="quick"))
    assert topics.names(open_home(tmp_path / "b")) == []


def test_where_nobody_has_the_task_joining_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create(tmp_path / "a", "lab", task=str(TOY), closed=False)
    gone = replace(read_invite(line_of(tmp_path / "a", capsys)), addrs=())
    refused("no member named in it gave it", lambda: enter(tmp_path / "b", write_invite(gone)))


def begin(home: Home, topic: str) -> object:
    """What a node does first."""
    return chosen(Settings(topic=topic), home)


def test_what_cannot_be_done_is_one_sentence(tmp_path: Path) -> None:
    create(tmp_path, "lab", task=str(TOY), closed=False)
    home = open_home(tmp_path)

    def good(**changed: object) -> Callable[[], object]:
        words: dict[str, object] = {"expires": "7d", "addresses": (), "qr": False} | changed
        return lambda: invite(tmp_path, "lab", **words)  # pyright: ignore[reportArgumentType]

    refused("no topic 'lob' here: those here are lab", lambda: begin(home, "lob"))
    named = {"topic": "lab", "task": "quick"}
    refused(
        "another task than quick",
        lambda: start(tmp_path, profile=None, flags=named, detach=False),
    )
    refused("a topic lab here already", lambda: create(tmp_path, "lab", task=None, closed=False))
    for name in ("public", "The Lab", "../x"):
        refused(
            "cannot name a private topic",
            lambda name=name: create(tmp_path, name, task=None, closed=False),
        )
    refused("is no time span", good(expires="soon"))
    refused("--address: ", good(addresses=("here",)))
    refused("no topic 'lob'", lambda: rotate(tmp_path, "lob"))
    topics.save(home, replace(topics.load(home, "lab"), source="quick"))
    refused("is another one now", lambda: begin(home, "lab"))
    home.topic("lab").chmod(0o644)
    refused("chmod 600", lambda: begin(home, "lab"))


def test_who_ran_on_a_private_topic_is_told_to_start_on_it_again(tmp_path: Path) -> None:
    """The words for a public one would begin another journal."""
    home = open_home(tmp_path)
    task = load_task("quick").task
    home.write_status(
        {"pid": 1, "task": task_document(task, "quick"), "topic": topic_document("lab", "abc", 1)}
    )
    for words in (["leaderboard"], ["trials"], ["status"], ["strategy"], ["plot", "--terminal"]):
        ran = swarm(*words, home=home.root)
        assert "swarm start --topic lab --home" in ran.out + ran.err, words

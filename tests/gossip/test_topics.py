"""A topic's key is kept for its owner alone, and nothing damaged or old replaces it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gossip import topics
from gossip.home import Home, HomeError, open_home
from gossip.topics import Membership, Topic, TopicError
from swarm.cid import cid_of
from swarm.invite import Invite
from swarm.topic import TopicKey
from tests.swarm.record_samples import ANN, TASK

KEY = TopicKey(bytes(range(16)), 2, bytes(range(32)))
LAB = Membership("lab", KEY, TASK, "quick", False, (f"/ip4/192.0.2.7/tcp/1/p2p/{ANN.peer_id}",), 7)
INVITE = Invite("lab", KEY, TASK)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def test_a_topic_is_kept_for_its_owner_alone(home: Home) -> None:
    topics.save(home, LAB)
    topics.save(home, replace(LAB, name="other", closed=True))
    assert topics.load(home, "lab") == LAB
    assert topics.names(home) == ["lab", "other"]
    assert home.topic("lab").stat().st_mode & 0o777 == 0o600
    assert home.topics.stat().st_mode & 0o777 == 0o700
    assert not [path for path in home.topics.iterdir() if path.name.startswith(".")]


def test_an_unknown_topic_is_named_with_those_there_are(home: Home) -> None:
    with pytest.raises(TopicError, match=r"no topic 'lab' here: `swarm topic create"):
        topics.load(home, "lab")
    topics.save(home, LAB)
    with pytest.raises(TopicError, match="no topic 'lob' here: those here are lab"):
        topics.load(home, "lob")
    for name in ("../identity", "public", ""):
        with pytest.raises(TopicError, match="no topic"):
            topics.load(home, name)


def test_a_file_that_others_can_read_is_refused_with_the_fix(home: Home) -> None:
    topics.save(home, LAB)
    home.topic("lab").chmod(0o640)
    with pytest.raises(TopicError, match=r"can be read by others.*chmod 600 .*topic rotate lab"):
        topics.load(home, "lab")


def test_a_link_in_place_of_a_file_is_not_followed(home: Home, tmp_path: Path) -> None:
    topics.save(home, LAB)
    home.topic("lab").rename(tmp_path / "elsewhere")
    home.topic("lab").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TopicError, match="cannot be read"):
        topics.load(home, "lab")


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2}, {"secret": "00"}, {"secret": 7}, {"id": "zz"}, {"epoch": "1"},
        {"task": "tinypy"}, {"source": None}, {"closed": 0}, {"addrs": None}, {"since_ms": None},
    ],
)  # fmt: skip
def test_a_damaged_file_says_what_to_do(home: Home, changed: dict[str, Any]) -> None:
    topics.save(home, LAB)
    path = home.topic("lab")
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(TopicError, match="is damaged: remove it and join again") as told:
        topics.load(home, "lab")
    assert KEY.secret.hex() not in str(told.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 60_000])
def test_a_file_of_anything_else_is_damaged(home: Home, data: bytes) -> None:
    topics.save(home, LAB)
    home.topic("lab").write_bytes(data)
    with pytest.raises(TopicError, match="is damaged"):
        topics.load(home, "lab")


def test_a_topic_is_found_by_its_id_under_any_name(home: Home) -> None:
    topics.save(home, replace(LAB, name="ours"))
    assert (found := topics.with_id(home, KEY.id)) is not None
    assert found.name == "ours"
    assert topics.with_id(home, bytes(16)) is None


def test_leaving_forgets_the_key_and_the_peers_and_keeps_the_records(home: Home) -> None:
    topics.save(home, LAB)
    home.peer_book(KEY.label).write_text("{}")
    home.journal(TASK, KEY.label).write_bytes(b"records")
    topics.remove(home, LAB)
    assert topics.names(home) == []
    assert not home.peer_book(KEY.label).exists()
    assert home.journal(TASK, KEY.label).exists()


def test_a_later_invite_renews_the_key(home: Home) -> None:
    fresh = TopicKey(KEY.id, 3, bytes(32))
    renewed = topics.renewed(replace(LAB, name="ours"), replace(INVITE, key=fresh, closed=True))
    assert renewed == replace(LAB, name="ours", key=fresh, closed=True)
    assert topics.renewed(LAB, INVITE) == LAB


@pytest.mark.parametrize(
    ("invite", "said"),
    [
        (replace(INVITE, key=TopicKey(KEY.id, 1, bytes(32))), "for key 1 .* key 2 is here"),
        (replace(INVITE, key=TopicKey(KEY.id, 2, bytes(32))), "two members rotate at once"),
        (replace(INVITE, task=cid_of(b"other")), "another task"),
    ],
)
def test_an_invite_that_is_no_later_is_refused(invite: Invite, said: str) -> None:
    with pytest.raises(TopicError, match=said):
        topics.renewed(LAB, invite)


def test_a_private_topic_shares_nothing_with_the_public_one_of_its_task() -> None:
    private, public = Topic.private(LAB), Topic.public(TASK)
    assert private.scope != public.scope
    assert private.scope.task == public.scope.task
    assert (private.wire, private.dht_key) != (public.wire, public.dht_key)
    assert private.work != public.work == TASK
    assert public.seal is None
    assert private.pre_shared_key is None
    assert Topic.private(replace(LAB, closed=True)).pre_shared_key == KEY.pre_shared_key
    assert KEY.secret.hex() not in repr(private)


def test_each_topic_has_files_of_its_own(home: Home) -> None:
    """Those of public topics are where they were before there were private ones."""
    assert home.journal(TASK).name == f"{TASK}.sqlite"
    assert home.peer_book() == home.peers == home.root / "peers.json"
    assert home.journal(TASK, KEY.label).name == f"{TASK}.{KEY.label}.sqlite"
    assert home.peer_book(KEY.label) != home.peers
    with pytest.raises(HomeError, match="label"):
        home.journal(TASK, "../x")

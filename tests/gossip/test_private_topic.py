"""
A private topic over real libp2p: members converge, and an outsider who knows the task,
the address and the topic's name on the wire gets nothing in or out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import trio

from experiments.task_folder import load_task, package_task
from gossip import topics
from gossip.home import open_home
from gossip.identity import Identity, new_identity
from gossip.joining import JoinError, fetch_task
from gossip.journal import Journal
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.network import Network
from gossip.sealed import GOSSIP, Seal
from gossip.sealed_transport import SealedTransport
from gossip.topics import Membership, Topic
from gossip.transport import CallError, PeerId
from swarm import events
from swarm.envelope import seal
from swarm.invite import Invite
from swarm.records import Record, encode
from swarm.settings import NetworkSettings
from swarm.signals import Presence
from swarm.task_package import read_package
from swarm.topic import TopicKey
from swarm.validation import Scope
from tests.gossip.waiting import until
from tests.swarm.record_samples import NOW_MS, TRIALS

LOOPBACK = ("/ip4/127.0.0.1/tcp/0",)
TOY = Path(__file__).parents[1] / "toy_task"
TASK = load_task(TOY).task
KEY = TopicKey(bytes(range(16)), 1, bytes(range(32)))
LAB = Membership("lab", KEY, TASK.id, str(TOY), False, (), NOW_MS)
PRIVATE, PUBLIC = Topic.private(LAB), Topic.public(TASK.id)
LONG_S = 60.0


@dataclass
class Member:
    """One node's network side, running."""

    network: Network
    identity: Identity
    journal: Journal
    said: list[events.Event]

    @property
    def addr(self) -> str:
        return self.network.listen_addrs[0]

    def record(self, number: int, scope: Scope) -> Record:
        return replace(
            TRIALS,
            author=self.identity.peer_id,
            nickname=f"secret nickname {number}",
            topic=scope.topic,
            task=scope.task,
            created_at_ms=NOW_MS + number,
        )

    def ids(self) -> set[str]:
        return set(self.journal.ids("trials"))


def presence(identity: Identity, topic: Topic) -> Presence:
    return Presence(
        author=identity.peer_id, nickname="", topic=topic.scope.topic, task=TASK.id,
        created_at_ms=NOW_MS, hardware_class="cpu-laptop", device="cpu", experiments=0, wins=0,
        running=(),
    )  # fmt: skip


@asynccontextmanager
async def member(
    folder: Path, topic: Topic = PRIVATE, join: str | None = None, **more: bool
) -> AsyncGenerator[Member]:
    home, identity, said = open_home(folder), new_identity(), list[events.Event]()
    near = {"listen_addrs": LOOPBACK, "sync_interval_seconds": 0.5}
    joins = (join,) if join else ()
    settings = NetworkSettings.model_validate(near | more | {"join": joins})
    path = home.journal(TASK.id, topic.label)
    with Journal.open(path) as journal, Journal.open(path, read_only=True) as reading:
        network = Network(
            settings,
            home,
            topic,
            TASK,
            partial(package_task, TOY, TASK.id),
            identity,
            journal,
            reading,
            said.append,
            partial(presence, identity, topic),
            lambda: NOW_MS,
        )
        async with network.opened(), trio.open_nursery() as nursery:
            for service in network.services():
                nursery.start_soon(service)
            yield Member(network, identity, reading, said)
            nursery.cancel_scope.cancel()


async def test_two_members_converge_and_know_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossip.network.MEMBERS_SECONDS", 0.2)
    async with member(tmp_path / "a") as a:
        early = await a.network.publish(a.record(1, PRIVATE.scope))
        async with member(tmp_path / "b", join=a.addr) as b:
            await until(lambda: early in b.ids(), LONG_S)
            late = await b.network.publish(b.record(2, PRIVATE.scope))
            await until(lambda: late in a.ids(), LONG_S)
            assert (a.network.peers, b.network.peers) == (1, 1)
            assert a.network.connected == (b.identity.peer_id,)
            await until(lambda: a.network.remembered("members") is not None, LONG_S)


def outsiders(member: Member) -> int:
    """How many are connected to it that have not proved to be members."""
    transport = member.network._transport  # pyright: ignore[reportPrivateUsage]
    assert isinstance(transport, SealedTransport)
    return transport.outsiders


@dataclass
class Outsider:
    """Somebody who has all that can be known without the key, and what came to them."""

    transport: Libp2pTransport
    heard: list[bytes]

    async def listen(self) -> None:
        async for message in self.transport.received():
            self.heard.append(message.data)


async def forge(outsider: Outsider, identity: Identity, victim: PeerId) -> set[str]:
    """Everything an outsider may try; returns what it got for an answer."""
    record = replace(
        TRIALS, author=identity.peer_id, topic=PRIVATE.scope.topic, task=TASK.id
    )  # the topic's id in it is more than an outsider can know
    envelope = seal(encode(record), identity.sign, identity.public_key)
    foreign = Seal(TopicKey(KEY.id, KEY.epoch, bytes(32)))
    for data in (envelope, foreign.seal(envelope, GOSSIP), *outsider.heard):
        await outsider.transport.publish(data)
    answers: set[str] = set()
    for asked in (b"", b"\x00", envelope, foreign.seal(b"\x01?", GOSSIP), *outsider.heard[:1]):
        with suppress(CallError):
            answers.add((await outsider.transport.call(victim, asked, 5.0)).hex())
    return answers


async def test_an_outsider_learns_nothing_and_brings_nothing_in(tmp_path: Path) -> None:
    """It dials a member, and even takes part in the topic's gossip under its name on the wire."""
    identity = new_identity()
    async with (
        member(tmp_path / "a") as a,
        member(tmp_path / "b", join=a.addr) as b,
        open_libp2p_transport(identity, PRIVATE.wire, LOOPBACK) as transport,
        trio.open_nursery() as nursery,
    ):
        outsider = Outsider(transport, [])
        nursery.start_soon(outsider.listen)
        assert await transport.dial(a.addr) == a.identity.peer_id
        sent: set[str] = set()
        with trio.fail_after(LONG_S):
            while not outsider.heard or not sent <= b.ids():
                sent.add(await a.network.publish(a.record(len(sent), PRIVATE.scope)))
                await trio.sleep(0.2)
        for data in outsider.heard:
            assert not any(
                known in data
                for known in (b"trials", b"secret nickname", TASK.id.encode(), KEY.label.encode())
            )
        assert await forge(outsider, identity, a.identity.peer_id) == set()
        last = await a.network.publish(a.record(1000, PRIVATE.scope))
        await until(lambda: last in b.ids(), LONG_S)
        assert a.ids() == b.ids() == sent | {last}
        assert identity.peer_id not in {*a.network.connected, *b.network.connected}
        assert TASK.id not in PRIVATE.wire
        nursery.cancel_scope.cancel()


async def test_a_public_node_of_the_same_task_is_an_outsider_too(tmp_path: Path) -> None:
    """And the other way round: what is said in private is no record there."""
    async with (
        member(tmp_path / "a") as a,
        member(tmp_path / "b", PUBLIC, join=a.addr) as b,
        member(tmp_path / "c", PUBLIC, join=b.addr) as c,
    ):
        private = await a.network.publish(a.record(1, PRIVATE.scope))
        public = await b.network.publish(b.record(2, PUBLIC.scope))
        await until(lambda: public in c.ids(), LONG_S)
        assert a.identity.peer_id in b.network.connected, "they are connected all the same"
        assert a.ids() == {private}
        assert b.ids() == c.ids() == {public}


async def test_after_a_rotation_only_the_new_key_counts(tmp_path: Path) -> None:
    fresh = replace(LAB, key=TopicKey(KEY.id, 2, bytes(32)))
    async with member(tmp_path / "a", Topic.private(fresh)) as a:
        mine = await a.network.publish(a.record(1, PRIVATE.scope))
        async with (
            member(tmp_path / "old", join=a.addr) as old,
            member(tmp_path / "b", Topic.private(fresh), join=a.addr) as b,
        ):
            theirs = await old.network.publish(old.record(2, PRIVATE.scope))
            await until(lambda: mine in b.ids() and outsiders(a) == outsiders(old) == 1, LONG_S)
            assert old.ids() == {theirs}
            assert a.ids() == {mine}
            assert old.network.peers == 0


@pytest.mark.parametrize("closed", [False, True])
async def test_a_joiner_gets_the_task_from_a_member_and_an_outsider_does_not(
    tmp_path: Path, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossip.joining.PAUSE_S", 0.1)
    told: list[str] = []
    gone = f"/ip4/127.0.0.1/tcp/1/p2p/{new_identity().peer_id}"
    async with member(tmp_path / "a", Topic.private(replace(LAB, closed=closed))) as a:
        invite = Invite("lab", KEY, TASK.id, (gone, a.addr), closed)
        package = read_package(await fetch_task(invite, new_identity(), told.append), TASK.id)
        assert package.task == TASK
        assert package.files == {"train.py": (TOY / "train.py").read_bytes()}
        assert "/tcp/1/" in told[0]
        if closed:
            return
        wrong = replace(invite, key=TopicKey(KEY.id, 1, bytes(32)), addrs=(a.addr,))
        with pytest.raises(JoinError, match="no member named in it gave it"):
            await fetch_task(wrong, new_identity(), told.append)


async def test_the_invite_leads_back_to_the_topic(tmp_path: Path) -> None:
    """Addresses of an invite are dialled without a `--join`."""
    async with member(tmp_path / "a") as a:
        entered = Topic.private(topics.renewed(LAB, Invite("lab", KEY, TASK.id, (a.addr,))))
        async with member(tmp_path / "b", entered) as b:
            await until(lambda: b.network.peers == 1, LONG_S)


async def test_a_closed_topic_works_among_its_members(tmp_path: Path) -> None:
    closed = Topic.private(replace(LAB, closed=True))
    async with (
        member(tmp_path / "a", closed) as a,
        member(tmp_path / "b", closed, join=a.addr) as b,
    ):
        sent = await a.network.publish(a.record(1, PRIVATE.scope))
        await until(lambda: sent in b.ids(), LONG_S)


@pytest.mark.parametrize(
    ("topic", "said"),
    [(PRIVATE, "`swarm invite --topic lab`"), (PUBLIC, "`swarm start --join ADDRESS`")],
)
async def test_a_node_that_is_alone_says_so_once_and_how_others_come(
    tmp_path: Path, topic: Topic, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gossip.network.ALONE_SECONDS", 0.1)
    async with member(tmp_path / "a", topic) as a:
        await until(lambda: bool(troubles(a)), LONG_S)
        await trio.sleep(0.5)
        (sentence,) = troubles(a)
        assert said in sentence and "alone" in sentence


def troubles(member: Member) -> list[str]:
    return [each.message for each in member.said if isinstance(each, events.NetworkTrouble)]

"""`swarm doctor --network`: what it finds, on real nodes and from what a node may say."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from cli.entrances import Entrance, try_entrances
from cli.network_doctor import Look, examine
from cli.network_state import NetworkState, read_state
from gossip.home import open_home
from swarm.reach import Sighting
from swarm.settings import NetworkSettings, Settings
from tests.cli.homes import swarm
from tests.processes import LISTEN, nodes, wait_until
from tests.swarm.record_samples import BOB

LAN, PUBLIC = "192.168.1.5", "8.8.8.8"
ADDR = f"/ip4/{LAN}/tcp/4001/p2p/{BOB.peer_id}"
SKEWED = """import time
true = time.time_ns
time.time_ns = lambda: true() + 600_000_000_000
"""
WELL = NetworkState(
    pid=7,
    topic="public",
    listen_addrs=(ADDR,),
    entrances=(),
    up_seconds=600.0,
    connected=(BOB.peer_id,),
    ways={"mDNS": 1},
    mute=0,
    first_peer_seconds=1.0,
    first_record_seconds=2.0,
    clock_skew_ms=0,
    sightings=(Sighting(LAN, ("reached",)),),
    checks=({"peer": BOB.peer_id},),
)
TWO = ({"peer": "a"}, {"peer": "b"})


@pytest.mark.parametrize(
    ("topic", "words"),
    [("public", "swarm invite --topic NAME"), ("lab", "swarm invite --topic lab")],
)
def test_who_is_alone_hears_how_nodes_of_its_topic_come_together(topic: str, words: str) -> None:
    """On a private topic that is by an invite, which a rotated key has made old."""
    _, _, fix = finding(replace(WELL, topic=topic, connected=()), "peers")
    assert words in fix
    assert ("--join" in fix, "rotated" in fix) == (topic == "public", topic == "lab")


def finding(state: NetworkState, subject: str, *entrances: Entrance) -> tuple[str, str, str]:
    """Level, words and fix of one finding about a node on a LAN."""
    look = Look(state, Settings(), [LAN], list(entrances))
    found = next(each for each in examine(look) if each.subject == subject)
    return found.level, found.words, found.fix


def test_real_nodes_alone_reached_hidden_and_out_of_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alone; then joined by one whose clock is wrong and whose port nobody sees."""
    observe = "[node]\nobserve = true\n[watch]\napi = 'off'\n"
    with nodes(tmp_path, 2, observe) as (first, skewed):
        first.start()
        said = swarm("doctor", "--network", "--json", home=first.root)
        assert said.status == 0
        assert said.json["running"] is True and said.json["peers"] == 0
        assert said.json["reachable"] is said.json["clock_skew_ms"] is None
        (tmp_path / "sitecustomize.py").write_text(SKEWED)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        skewed.start("--join", first.addrs()[0], listen="/ip4/127.0.0.2/tcp/0")
        monkeypatch.undo()
        for node in (first, skewed):
            wait_until(lambda node=node: bool(node.status()["network"]["checks"]), node.tell)
        reached = swarm("doctor", "--network", home=first.root).out
        assert "✓ reachable  yes: 1 peer dialled back" in reached
        assert "! clock      10 min behind that of 1 peer" in reached
        hidden = swarm("doctor", "--network", "--json", home=skewed.root).json
        assert hidden["reachable"] is False and hidden["peers"] == 1
        skew = hidden["clock_skew_ms"]
        assert isinstance(skew, int) and 590_000 < skew < 610_000
        assert hidden["entrances"] == [{"addr": first.addrs()[0], "came": "answers"}]


def test_a_member_of_a_private_topic_is_sent_for_an_invite(tmp_path: Path) -> None:
    """While its node runs and after; once the topic is left, it is nobody's member."""
    with nodes(tmp_path, 1, "[node]\nobserve = true\n[watch]\napi = 'off'\n") as (node,):
        node.command("topic", "create", "lab", "--task", "quick")
        node.launch("--topic", "lab", "--task", "quick", listen=LISTEN)
        wait_until(lambda: bool(node.addrs()), node.tell)
        state = read_state(node.home)
        assert state and state.topic == "lab"
        assert "swarm invite --topic lab" in finding(replace(state, up_seconds=60.0), "peers")[2]
        node.end()
        after = swarm("doctor", "--network", home=node.root).out
        assert "swarm start --topic lab" in after and "swarm invite --topic lab" in after
        node.command("topic", "leave", "lab")
        assert "--topic lab" not in swarm("doctor", "--network", home=node.root).out


def test_without_a_node_it_says_what_it_could_see(tmp_path: Path) -> None:
    """Ports, addresses and entrances, each that fails with its reason and what to do."""
    home = open_home(tmp_path / "home")
    with socket.socket() as taken, socket.socket() as closed:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        closed.bind(("127.0.0.1", 0))
        here, nobody = taken.getsockname()[1], closed.getsockname()[1]
        home.settings.write_text(
            f'[network]\nlisten_addrs = ["/ip4/127.0.0.1/tcp/{here}"]\n'
            f'join = ["/ip4/127.0.0.1/tcp/{nobody}/p2p/{BOB.peer_id}"]\n'
        )
        said = swarm("doctor", "--network", home=home.root)
    assert said.status == 1
    assert "! node       not running" in said.out
    assert f"port {here} is taken" in said.out
    assert f"tcp/{nobody}/p2p/{BOB.peer_id} refuses" in said.out
    assert "! entrances" not in said.out


def test_a_node_that_is_well_has_nothing_to_fix() -> None:
    look = Look(WELL, Settings(), [LAN], [])
    assert all(found.level == "ok" and not found.fix for found in examine(look))


@pytest.mark.parametrize(
    ("listen", "level", "words", "six"),
    [
        ("/ip4/0.0.0.0/tcp/0", "ok", "from the local network at most", "not listened on"),
        ("/ip6/::/tcp/0", "ok", "from the same cable at most", "from the same cable"),
        ("/ip4/127.0.0.1/tcp/0", "note", "listens on none of their kind", "not listened on"),
    ],
)
def test_an_address_that_is_not_listened_on_cannot_be_dialled(
    listen: str, level: str, words: str, six: str
) -> None:
    settings = Settings(network=NetworkSettings(listen_addrs=(listen,)))
    found = {each.subject: each for each in examine(Look(None, settings, [LAN, "fe80::1"], []))}
    assert found["addresses"].level == level and words in found["addresses"].words
    assert ("fe80::1", six) in found["addresses"].details
    assert found["port"].words.startswith("a free TCP port of ")


@pytest.mark.parametrize(
    ("sightings", "own", "fix"),
    [
        ((Sighting(PUBLIC, ("silent",)),), [LAN], "forward TCP port 4001"),
        ((Sighting(PUBLIC, ("silent",)),), [LAN, "100.64.0.3"], "IPv6 address"),
        ((Sighting(LAN, ("silent",)),), [LAN], "ufw allow 4001/tcp"),
        ((Sighting(LAN, ("refused",)),), [LAN], "--listen /ip4/0.0.0.0/tcp/4001"),
    ],
)
def test_each_thing_in_the_way_has_its_own_fix(
    sightings: tuple[Sighting, ...], own: list[str], fix: str
) -> None:
    look = Look(replace(WELL, sightings=sightings), Settings(), own, [])
    found = next(each for each in examine(look) if each.subject == "reachable")
    assert found.words.startswith("no: 1 peer") and fix in found.fix


@pytest.mark.parametrize(
    ("skew", "checks", "level", "words"),
    [
        (1_999, TWO, "ok", "within 2 s of 2 peers"),
        (-30_000, TWO, "note", "30.0 s behind that of 2 peers"),
        (600_000, TWO, "missing", "10 min ahead of that of 2 peers"),
        (600_000, TWO[:1], "note", "10 min ahead of that of 1 peer"),
    ],
)
def test_a_clock_is_wrong_by_the_word_of_several(
    skew: int, checks: tuple[dict[str, object], ...], level: str, words: str
) -> None:
    """One peer alone may be the one that is wrong, so it fails nothing."""
    found = finding(replace(WELL, clock_skew_ms=skew, checks=checks), "clock")
    assert found[0] == level and words in found[1]


@pytest.mark.parametrize(
    ("up", "came", "level", "words"),
    [
        (5.0, None, "note", "none yet"),
        (600.0, None, "note", "this node is alone"),
        (600.0, "refuses", "missing", "no address to begin with answers"),
        (600.0, "answers", "missing", "although an address answers"),
    ],
)
def test_why_nobody_is_there(up: float, came: str | None, level: str, words: str) -> None:
    alone = replace(WELL, connected=(), ways={}, up_seconds=up)
    tried = [Entrance(ADDR, came)] if came else []  # pyright: ignore[reportArgumentType]
    found = finding(alone, "peers", *tried)
    assert found[0] == level and words in found[1] and found[2]


def test_the_ways_in_which_peers_were_found_are_told() -> None:
    assert "mDNS (1)" in finding(WELL, "peers")[1]


def test_names_and_addresses_that_lead_nowhere() -> None:
    """Each is told apart, and none takes longer than its time."""
    wrong, unknown = "/ip4/1/tcp/1", f"/dns4/nowhere.invalid/tcp/1/p2p/{BOB.peer_id}"
    assert [each.came for each in try_entrances([wrong, unknown])] == ["no address", "no such name"]


@pytest.mark.parametrize("network", [7, {"checks": [3, {"ports": 1}], "connected": {}}, None])
def test_a_status_of_any_shape_is_read(tmp_path: Path, network: object) -> None:
    """Another version may have written it."""
    home = open_home(tmp_path)
    with home.held():
        pid = home.running_pid()
        home.write_status({"pid": pid, "network": network, "listen_addrs": [1]})
        state = read_state(home)
    assert state is not None and state.connected == ()
    assert list(examine(Look(state, Settings(), [], [])))

"""
What is known of a node's place in the network, read from its status and this machine.

Law: reads only, and believes nothing about types: the status is a file. What the node
wrote counts only while that very process holds the home.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from gossip.home import Home
from swarm.reach import Nat, Sighting, nat_of, reachable
from swarm.topic import PUBLIC, is_topic_name

Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class NetworkState:
    """
    A running node's place in the network.

    Attributes:
        topic: The name of the topic that it works on.
        listen_addrs: Full multiaddrs that it says it can be dialled at.
        entrances: The addresses that it was told to begin with.
        up_seconds: How long its network is open; None where it does not say.
        connected: The peers it is connected to.
        ways: How many of these it found in which way, as far as it says.
        mute: How many of these cannot be asked to dial back.
        sightings: What peers said that dialled back.
        clock_skew_ms: How far its clock is ahead of the middle one of theirs.
    """

    pid: int
    topic: str
    listen_addrs: tuple[str, ...]
    entrances: tuple[str, ...]
    up_seconds: float | None
    connected: tuple[str, ...]
    ways: Mapping[str, int]
    mute: int
    first_peer_seconds: float | None
    first_record_seconds: float | None
    clock_skew_ms: int | None
    sightings: tuple[Sighting, ...]
    checks: tuple[Table, ...]

    @property
    def reachable(self) -> bool | None:
        """Whether a peer got through; None where none has tried."""
        return reachable(self.sightings)

    def nat(self, own: list[str]) -> Nat:
        """What stands in between, given this machine's own addresses."""
        return nat_of(own, self.sightings)


def read_state(home: Home) -> NetworkState | None:
    """What the node in `home` says of itself now; None where none runs or it says nothing."""
    pid, said = home.running_pid(), home.read_status()
    if pid is None or said.get("pid") != pid:
        return None
    network = _table(said.get("network"))
    connected = _texts(network.get("connected"))
    checks = tuple(_table(each) for each in _list(network.get("checks")))
    return NetworkState(
        pid=pid,
        topic=topic_said(said) or PUBLIC,
        listen_addrs=_texts(said.get("listen_addrs")),
        entrances=_texts(network.get("entrances")),
        up_seconds=_number(network.get("up_seconds")),
        connected=connected,
        ways=_ways(network.get("found_by", said.get("found_by")), connected),
        mute=round(_number(network.get("mute_peers")) or 0),
        first_peer_seconds=_number(network.get("first_peer_seconds")),
        first_record_seconds=_number(network.get("first_record_seconds")),
        clock_skew_ms=_whole(network.get("clock_skew_ms")),
        sightings=tuple(map(_sighting, checks)),
        checks=checks,
    )


def topic_said(said: Table) -> str | None:
    """The name of the topic that a node's status tells of, if it does."""
    name = _table(said.get("topic")).get("name")
    return name if isinstance(name, str) and is_topic_name(name) else None


def _ways(found_by: object, connected: tuple[str, ...]) -> Mapping[str, int]:
    """Connected peers by the way they were found, the commonest first."""
    ways = _table(found_by)
    known = [way for peer in connected if isinstance(way := ways.get(peer), str)]
    return dict(Counter(known).most_common())


def _sighting(check: Table) -> Sighting:
    ports = _table(check.get("ports"))
    ip = check.get("seen_ip")
    return Sighting(ip if isinstance(ip, str) else "", tuple(map(str, ports.values())))


def _table(value: object) -> Table:
    return cast("Table", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in _list(value) if isinstance(each, str))


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else round(number)

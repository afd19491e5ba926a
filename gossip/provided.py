"""
Who says to be there under which key: what a directory remembers for others.

Law: everything in it is a stranger's word, bounded in keys, in peers of a key, in keys of
a peer and of a host and in time. A full key drops the oldest of the host that fills it
most, and a full table the oldest key of those hosts that have most of them, so that whoever
comes under many names from one address pushes out himself. The node's own key is never
pushed out.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

MAX_KEYS = 64
PEERS_PER_KEY = 20
KEYS_PER_PEER = 4
KEYS_PER_HOST = 16
FRESH_S = 1800.0
"""So long somebody is remembered; an honest one says so again three times as often."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Place(Generic[T]):
    what: T
    host: str
    until_s: float


class Provided(Generic[T]):
    """
    What was last said, by key and by peer.

    Args:
        own: The key that always has room.
        now_s: A clock that only goes forward, in seconds.
    """

    def __init__(self, own: bytes, now_s: Callable[[], float]) -> None:
        self._own = own
        self._now_s = now_s
        self._keys: OrderedDict[bytes, OrderedDict[str, _Place[T]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._keys.values()))

    def add(self, key: bytes, peer: str, host: str, what: T) -> bool:
        """Remember that a peer, seen at a host, is there under a key; False if it has too many."""
        self._drop_old()
        others = (peers for kept, peers in self._keys.items() if kept not in (key, self._own))
        held = sum(peer in peers for peers in others)
        if key != self._own and held >= KEYS_PER_PEER:
            return False
        peers = self._keys.setdefault(key, OrderedDict())
        self._keys.move_to_end(key)
        peers.pop(peer, None)
        if len(peers) >= PEERS_PER_KEY:
            del peers[_crowding(peers, host)]
        peers[peer] = _Place(what, host, self._now_s() + FRESH_S)
        self._make_room(host)
        return True

    def at(self, key: bytes) -> list[T]:
        """What is remembered under a key, the oldest first."""
        self._drop_old()
        peers = self._keys.get(key)
        return [place.what for place in peers.values()] if peers else []

    def _make_room(self, coming: str) -> None:
        """
        Drop a key if there are too many, of one host or of all.

        A key counts for the least crowded of its hosts: nobody makes another's worth less by
        announcing himself under it, nor his own worth more from a second address.
        """
        others = {key: _hosts(peers) for key, peers in self._keys.items() if key != self._own}
        held = Counter(host for hosts in others.values() for host in hosts)
        if held[coming] > KEYS_PER_HOST:
            others = {key: hosts for key, hosts in others.items() if coming in hosts}
        elif len(others) < MAX_KEYS:
            return
        del self._keys[max(others, key=lambda key: min(held[host] for host in others[key]))]

    def _drop_old(self) -> None:
        now_s = self._now_s()
        for key, peers in list(self._keys.items()):
            for peer in [peer for peer, place in peers.items() if place.until_s <= now_s]:
                del peers[peer]
            if not peers:
                del self._keys[key]


def _hosts(peers: OrderedDict[str, _Place[T]]) -> set[str]:
    return {place.host for place in peers.values()}


def _crowding(peers: OrderedDict[str, _Place[T]], coming: str) -> str:
    """The oldest peer of the host that has most, the one that is coming counted."""
    held = Counter(place.host for place in peers.values())
    held[coming] += 1
    most = max(held[place.host] for place in peers.values())
    return next(peer for peer, place in peers.items() if held[place.host] == most)

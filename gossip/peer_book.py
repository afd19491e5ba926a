"""
Whom we have met, kept on disk so that a restart finds the swarm again.

Law: the book is a cache. It is bounded, written whole, and a damaged one is put
aside and started anew; losing it costs a ``--join``, never data. Addresses come
from peers: they are read strictly, and dialling one proves who is there.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from gossip.multiaddress import AddressError, parse
from gossip.transport import PeerId

MAX_PEERS = 256
MAX_ADDRS = 8
MAX_WAY_CHARS = 32
MAX_FILE_BYTES = 1024 * 1024
_VERSION = 1

MAX_TELLERS = 4
ADDED_ADDRS = 2
"""So many addresses a stranger may add to those that a person named."""

PERSONS_WAYS = ("invite", "join", "bootstrap", "bootstrap name")
"""Ways by which a person named a peer: one of those stays, met or not."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """
    A peer, where it can be dialled (best address first), and when it was last connected.

    Attributes:
        seen_at_ms: Unix epoch milliseconds; 0 until it has been met.
        way: By which way of `gossip.discovery` it was first found; "" if by none of them.
        named: The addresses that a person named, since the book was opened.
        tellers: Who told of it last, since the book was opened.
    """

    peer: PeerId
    addrs: tuple[str, ...]
    seen_at_ms: int
    way: str = ""
    named: tuple[str, ...] = ()
    tellers: tuple[str, ...] = ("",)

    @property
    def stays(self) -> bool:
        """Whether nothing that others say may strike it out."""
        return bool(self.named) or (not self.seen_at_ms and self.way in ("", *PERSONS_WAYS))


@dataclass(slots=True)
class PeerBook:
    """Acquaintances by peer id; `load` and `save` move them to and from a file."""

    path: Path
    entries: dict[PeerId, Acquaintance] = field(default_factory=dict[PeerId, Acquaintance])

    def note(self, peer: PeerId, addrs: tuple[str, ...], now_ms: int) -> None:
        """Remember that a peer is connected; without new addresses the old ones stay."""
        known = self.entries.pop(peer, None) or Acquaintance(peer, (), 0)
        good = _good_addrs(peer, addrs) or known.addrs
        if good:
            both = _first((*good, *known.named))
            self.entries[peer] = replace(known, addrs=both, seen_at_ms=now_ms)
        self._make_room()

    def hint(self, peer: PeerId, addrs: tuple[str, ...], way: str, teller: str = "") -> None:
        """
        Remember what somebody says of where a peer is, if any of it can be used.

        What a person said comes first and stays; strangers may add little to it. A peer that
        was met keeps the first half of the addresses it has, until it is met again.
        """
        good = _good_addrs(peer, addrs)
        if not good:
            return
        known = self.entries.get(peer) or Acquaintance(peer, (), 0, way, tellers=(teller,))
        if way in PERSONS_WAYS:
            named = _first((*good, *known.named))
            first = way if not known.seen_at_ms else known.way
            both = _first((*named, *known.addrs))
            new = replace(known, addrs=both, way=first, named=named)
        else:
            others = (each for each in known.tellers if each != teller)
            tellers = (*others, teller)[-MAX_TELLERS:]
            new = replace(known, addrs=_with_hearsay(known, good), tellers=tellers)
        self.entries[peer] = new
        self._make_room()

    def unmet(self, way: str) -> list[PeerId]:
        """The peers heard of by a way and not met yet, the first heard of first."""
        return [e.peer for e in self.entries.values() if e.way == way and not e.seen_at_ms]

    def forget(self, peer: PeerId) -> None:
        """Strike a peer out, if it is there."""
        self.entries.pop(peer, None)

    def unsay(self, peer: PeerId, teller: str) -> None:
        """Strike out what somebody told of a peer, and the peer if nobody else did."""
        entry = self.entries[peer]
        if others := tuple(each for each in entry.tellers if each != teller):
            self.entries[peer] = replace(entry, tellers=others)
        else:
            self.forget(peer)

    def forget_hearsay(self, peer: PeerId) -> None:
        """Strike a peer out that was never met and that a stranger told of."""
        entry = self.entries.get(peer)
        if entry is not None and not entry.seen_at_ms and not entry.stays:
            self.forget(peer)

    def _make_room(self) -> None:
        """Strike out whom nobody met, then who was met longest ago, and persons' peers last."""
        if len(self.entries) > MAX_PEERS:
            entries = self.entries.values()
            del self.entries[min(entries, key=lambda each: (each.stays, each.seen_at_ms)).peer]

    def latest_first(self) -> list[Acquaintance]:
        """All acquaintances, the one seen last first, then the one heard of first."""
        return sorted(self.entries.values(), key=lambda entry: -entry.seen_at_ms)

    def save(self) -> None:
        """
        Write the file whole, readable by its owner only.

        Raises:
            OSError: The disk refused.
        """
        peers = {
            e.peer: {"addrs": list(e.addrs), "seen_at_ms": e.seen_at_ms, "way": e.way}
            for e in self.latest_first()
        }
        draft = self.path.with_name(f".{self.path.name}.draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump({"version": _VERSION, "peers": peers}, file, indent=1)
        draft.replace(self.path)


def load(path: Path) -> PeerBook:
    """The book in a file; empty if there is none, or if it is damaged (then put aside)."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError:
        return PeerBook(path)
    try:
        return PeerBook(path, _read(data))
    except (ValueError, RecursionError):
        path.replace(path.with_name(f"{path.name}.damaged"))
        return PeerBook(path)


def _read(data: bytes) -> dict[PeerId, Acquaintance]:
    if len(data) > MAX_FILE_BYTES:
        raise ValueError(f"longer than {MAX_FILE_BYTES} bytes")
    document = _mapping(json.loads(data))
    if document.get("version") != _VERSION:
        raise ValueError("not a peer book of this version")
    entries: dict[PeerId, Acquaintance] = {}
    for peer, value in list(_mapping(document.get("peers")).items())[:MAX_PEERS]:
        entry = _mapping(value)
        addrs, seen_at_ms, way = entry.get("addrs"), entry.get("seen_at_ms"), entry.get("way", "")
        if not isinstance(addrs, list) or not isinstance(seen_at_ms, int):
            raise ValueError("an entry lacks addresses or a time")
        if not isinstance(way, str) or len(way) > MAX_WAY_CHARS:
            raise ValueError("an entry has no way it was found by")
        good = _good_addrs(peer, tuple(str(addr) for addr in cast("list[object]", addrs)))
        if good:
            entries[peer] = Acquaintance(peer, good, seen_at_ms, way)
    return entries


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return cast("dict[str, object]", value)


def _with_hearsay(known: Acquaintance, heard: tuple[str, ...]) -> tuple[str, ...]:
    """The addresses of a peer with those that a stranger told of, so that both get a turn."""
    half = known.addrs[: MAX_ADDRS // 2]
    if known.seen_at_ms:
        return _first((*half, *known.named, *heard))
    if known.named or known.stays:
        return _first((*(known.named or half), *heard[:ADDED_ADDRS]))
    return _first((*heard, *half))


def _first(addrs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(addrs))[:MAX_ADDRS]


def _good_addrs(peer: PeerId, addrs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(addr for addr in addrs[:MAX_ADDRS] if _names(addr, peer))


def _names(addr: str, peer: PeerId) -> bool:
    try:
        return parse(addr).peer == peer
    except AddressError:
        return False

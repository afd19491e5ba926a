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

NAMED_WAYS = ("", "invite", "bootstrap", "bootstrap name")
"""Ways by which a person named a peer: one of those stays, met or not."""


@dataclass(frozen=True, slots=True)
class Acquaintance:
    """
    A peer, where it can be dialled (best address first), and when it was last connected.

    Attributes:
        seen_at_ms: Unix epoch milliseconds; 0 until it has been met.
        way: By which way of `gossip.discovery` it was first found; "" if by none of them.
    """

    peer: PeerId
    addrs: tuple[str, ...]
    seen_at_ms: int
    way: str = ""


@dataclass(slots=True)
class PeerBook:
    """Acquaintances by peer id; `load` and `save` move them to and from a file."""

    path: Path
    entries: dict[PeerId, Acquaintance] = field(default_factory=dict[PeerId, Acquaintance])

    def note(self, peer: PeerId, addrs: tuple[str, ...], now_ms: int) -> None:
        """Remember that a peer is connected; without new addresses the old ones stay."""
        known = self.entries.pop(peer, None)
        good = _good_addrs(peer, addrs) or (known.addrs if known else ())
        if good:
            self.entries[peer] = Acquaintance(peer, good, now_ms, known.way if known else "")
        self._make_room()

    def hint(self, peer: PeerId, addrs: tuple[str, ...], way: str) -> None:
        """
        Remember what somebody says of where a peer is, if any of it can be used.

        A peer that was met keeps the first half of the addresses it has, until it is met again.
        """
        good, known = _good_addrs(peer, addrs), self.entries.get(peer)
        if not good:
            return
        if known is None:
            self.entries[peer] = Acquaintance(peer, good, 0, way)
        else:
            kept = known.addrs[: MAX_ADDRS // 2] if known.seen_at_ms else ()
            both = tuple(dict.fromkeys((*kept, *good)))[:MAX_ADDRS]
            self.entries[peer] = replace(known, addrs=both)
        self._make_room()

    def unmet(self, way: str) -> list[PeerId]:
        """The peers heard of by a way and not met yet, the first heard of first."""
        return [e.peer for e in self.entries.values() if e.way == way and not e.seen_at_ms]

    def forget(self, peer: PeerId) -> None:
        """Strike a peer out, if it is there."""
        self.entries.pop(peer, None)

    def forget_hearsay(self, peer: PeerId) -> None:
        """Strike a peer out that was never met and that a stranger told of."""
        entry = self.entries.get(peer)
        if entry is not None and not entry.seen_at_ms and entry.way not in NAMED_WAYS:
            self.forget(peer)

    def _make_room(self) -> None:
        if len(self.entries) > MAX_PEERS:
            del self.entries[min(self.entries.values(), key=lambda entry: entry.seen_at_ms).peer]

    def latest_first(self) -> list[Acquaintance]:
        """All acquaintances, the one seen last first."""
        return sorted(self.entries.values(), key=lambda entry: (-entry.seen_at_ms, entry.peer))

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


def _good_addrs(peer: PeerId, addrs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(addr for addr in addrs[:MAX_ADDRS] if _names(addr, peer))


def _names(addr: str, peer: PeerId) -> bool:
    try:
        return parse(addr).peer == peer
    except AddressError:
        return False

"""
Who takes part: this node, those it is connected to, and those it has heard of.

Law: read from records and connections; nothing is asked of anyone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from swarm.board import Board
from swarm.records import PeerId
from swarm.signals import Presence
from watch.tried_index import Known

MOST = 1_000


@dataclass(frozen=True, slots=True)
class Here:
    """What is known only now: who this node is, who is connected, what they say."""

    peer_id: PeerId
    nickname: str
    hardware_class: str
    running: Sequence[str]
    connected: Collection[PeerId]
    presences: Sequence[Presence]


@dataclass(frozen=True, slots=True)
class _Peer:
    """What a peer said of itself last, by a presence or else by its experiments."""

    nickname: str = ""
    hardware_class: str | None = None
    device: str | None = None
    running: Sequence[str] | None = None
    last_heard_ms: int | None = None


def peers_document(board: Board, known: Mapping[PeerId, Known], here: Here) -> dict[str, object]:
    """This node first, then those connected, then those heard of last; a bounded number."""
    wins = Counter(claim.author for claim in board.wins.values())
    replications = Counter(evidence.author for evidence in board.replications.values())
    said = {presence.author: presence for presence in here.presences}
    everyone = {here.peer_id, *here.connected, *said, *wins, *replications, *known}
    about = {peer: _about(peer, said.get(peer), known.get(peer), here) for peer in everyone}

    def order(peer: PeerId) -> tuple[bool, bool, int, PeerId]:
        last = about[peer].last_heard_ms or 0
        return peer != here.peer_id, peer not in here.connected, -last, peer

    rows = [
        {
            "peer_id": peer,
            "nickname": about[peer].nickname,
            "self": peer == here.peer_id,
            "connected": peer == here.peer_id or peer in here.connected,
            "hardware_class": about[peer].hardware_class,
            "device": about[peer].device,
            "wins": wins[peer],
            "replications": replications[peer],
            "trials": known[peer].trials if peer in known else 0,
            "last_heard_ms": about[peer].last_heard_ms,
            "running": about[peer].running,
        }
        for peer in sorted(everyone, key=order)[:MOST]
    ]
    return {"total": len(everyone), "peers": rows}


def _about(peer: PeerId, said: Presence | None, known: Known | None, here: Here) -> _Peer:
    last = max(said.created_at_ms if said else 0, known.last_ms if known else 0) or None
    if peer == here.peer_id:
        return _Peer(here.nickname, here.hardware_class, None, list(here.running), last)
    if said is not None:
        running = list(said.running)
        return _Peer(said.nickname, said.hardware_class, said.device or None, running, last)
    if known is not None:
        return _Peer(known.nickname, known.hardware_class, last_heard_ms=last)
    return _Peer()

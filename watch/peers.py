"""
Who takes part: this node, those it is connected to, and those it has heard of.

Law: read from records and connections; nothing is asked of anyone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from swarm.board import Board
from swarm.records import PeerId
from watch.tried_index import Known

MOST = 1_000


@dataclass(frozen=True, slots=True)
class Here:
    """What is known only now: who this node is, who is connected, what they run."""

    peer_id: PeerId
    nickname: str
    hardware_class: str
    connected: Collection[PeerId]
    running_of: Callable[[PeerId], Sequence[str] | None]


def peers_document(board: Board, known: Mapping[PeerId, Known], here: Here) -> dict[str, object]:
    """This node first, then those connected, then those heard of last; a bounded number."""
    wins = Counter(claim.author for claim in board.wins.values())
    replications = Counter(evidence.author for evidence in board.replications.values())
    everyone = {here.peer_id, *here.connected, *wins, *replications, *known}

    def order(peer: PeerId) -> tuple[bool, bool, int, PeerId]:
        last = known[peer].last_ms if peer in known else 0
        return peer != here.peer_id, peer not in here.connected, -last, peer

    peers = sorted(everyone, key=order)[:MOST]
    rows = [_peer(peer, known.get(peer), here) for peer in peers]
    for row, peer in zip(rows, peers, strict=True):
        row |= {"wins": wins[peer], "replications": replications[peer]}
    return {"total": len(everyone), "peers": rows}


def _peer(peer: PeerId, known: Known | None, here: Here) -> dict[str, object]:
    own = peer == here.peer_id
    running = here.running_of(peer)
    return {
        "peer_id": peer,
        "nickname": here.nickname if own else known.nickname if known else "",
        "self": own,
        "connected": own or peer in here.connected,
        "hardware_class": (here.hardware_class if own else known.hardware_class if known else None),
        "trials": known.trials if known else 0,
        "last_heard_ms": known.last_ms if known else None,
        "running": None if running is None else list(running),
    }

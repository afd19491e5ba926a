"""
What `swarm watch` shows, gathered anew each time it looks.

Law: reads only. Records come from the journal, of which only what is new is read;
what happens right now comes from the node, if one runs and answers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cli.node_now import NodeNow, PeerNow, Running
from cli.snapshot import Snapshot, take_snapshot
from cli.story import metric_of, own_tried, told_by
from gossip.board import load_board
from gossip.journal import Journal
from gossip.journal_faults import JournalMissing
from swarm.board import Board, nicknames
from swarm.findings import State
from swarm.holdout import published_holdouts
from swarm.leaderboard import Entry, ranked, rows
from swarm.records import PeerId, Record, RecordId
from watch.plot import Picture, picture
from watch.tried import Tried, in_order

ENTRIES = 100
TRIED = 20_000
"""Experiments held; the oldest are forgotten first."""
RELOAD_SECONDS = 60.0
PEERS_SECONDS = 5.0
_REST = 5.0
"""Ranking may take a sixth of the time: after it, this many times as long passes without."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Someone who takes part; `running` is None where that is not known."""

    peer_id: PeerId
    nickname: str
    hardware: str
    experiments: int
    wins: int
    last_ms: int
    connected: bool
    running: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that one look shows."""

    snapshot: Snapshot
    now_ms: int
    now: tuple[Running, ...] | None
    experiments: int
    wins: int
    entries: tuple[Entry, ...]
    tried: tuple[Tried, ...]
    """The oldest first."""
    picture: Picture
    peers: tuple[Peer, ...]


@dataclass(slots=True)
class _Records:
    """What was read of one journal."""

    path: Path
    row: int = 0
    count: int = 0
    board: Board = field(default_factory=Board)
    tried: list[Tried] = field(default_factory=list[Tried])
    entries: tuple[Entry, ...] = ()
    picture: Picture | None = None
    loaded_at: float = 0.0
    ranked_until: float = 0.0
    stale: bool = True


class Watcher:
    """Looks at the home in `root` again and again."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._records: _Records | None = None
        self._node: tuple[str, NodeNow] | None = None
        self._peers: tuple[PeerNow, ...] = ()
        self._peers_at = 0.0

    def look(self) -> Scene:
        """
        The home as it is now.

        Raises:
            JournalError, HistoryError, SettingsError, TaskError: As the commands that read do.
        """
        snapshot = take_snapshot(self._root)
        seen = self._read(snapshot)
        now = self._ask(snapshot)
        assert seen.picture is not None
        return Scene(
            snapshot=snapshot,
            now_ms=time.time_ns() // 1_000_000,
            now=now,
            experiments=seen.board.experiments,
            wins=len(seen.board.wins),
            entries=seen.entries,
            tried=tuple(seen.tried),
            picture=seen.picture,
            peers=_peers(seen.board, seen.tried, self._peers, snapshot.peer_id),
        )

    def _read(self, snapshot: Snapshot) -> _Records:
        seen = self._records
        if seen is None or seen.path != snapshot.journal:
            seen = self._records = _Records(snapshot.journal)
        try:
            with Journal.open(snapshot.journal, read_only=True) as journal:
                _update(seen, journal, snapshot)
        except JournalMissing:
            seen = self._records = _Records(snapshot.journal)
        if seen.picture is None or (seen.stale and time.monotonic() >= seen.ranked_until):
            _rank(seen, snapshot)
        return seen

    def _ask(self, snapshot: Snapshot) -> tuple[Running, ...] | None:
        url = snapshot.home.read_status().get("watch")
        if not snapshot.running or not isinstance(url, str):
            self._node, self._peers = None, ()
            return None
        if self._node is None or self._node[0] != url:
            self._node = url, NodeNow(url, snapshot.home.watch_token)
        node = self._node[1]
        running = node.running()
        if running is not None and time.monotonic() - self._peers_at > PEERS_SECONDS:
            self._peers, self._peers_at = node.peers(), time.monotonic()
        return running


def _update(seen: _Records, journal: Journal, snapshot: Snapshot) -> None:
    """Read what is new; everything, where something was dropped or long has passed."""
    new, count = _after(journal, seen.row), journal.count()
    old = time.monotonic() - seen.loaded_at > RELOAD_SECONDS
    if seen.loaded_at == 0 or old or count != seen.count + len(new):
        new = _after(journal, 0)
        seen.board, seen.tried = load_board(journal), own_tried(snapshot)
        seen.loaded_at, seen.stale = time.monotonic(), True
    else:
        seen.board = seen.board.with_records((key, record) for _, key, record in new)
    if new:
        seen.row, seen.stale = new[-1][0], True
        found = [each for _, key, record in new for each in told_by(key, record)]
        seen.tried = in_order([*seen.tried, *found])[-TRIED:]
    seen.count = count


def _after(journal: Journal, row: int) -> list[tuple[int, RecordId, Record]]:
    return [(at, stored.id, journal.read(stored.envelope)) for at, stored in journal.replay(row)]


def _rank(seen: _Records, snapshot: Snapshot) -> None:
    began = time.monotonic()
    task = snapshot.task
    places = ranked(seen.board, task.yardstick)
    holdouts = published_holdouts(seen.board, [each.finding for each in places], task.yardstick)
    states: dict[RecordId, State] = {
        record: place.finding.state for place in places for record in place.finding.records
    }
    seen.entries = tuple(rows(seen.board, places[:ENTRIES], holdouts))
    seen.picture = picture(seen.tried, states, metric_of(task))
    ended = time.monotonic()
    seen.ranked_until, seen.stale = ended + _REST * (ended - began), False


def _peers(
    board: Board, tried: Sequence[Tried], now: Sequence[PeerNow], own: PeerId | None
) -> tuple[Peer, ...]:
    """This node first, then those connected, then those heard of last."""
    last: Mapping[PeerId, Tried] = {each.author: each for each in tried}
    names, wins = nicknames(board), Counter(claim.author for claim in board.wins.values())
    experiments = Counter(each.author for each in tried)
    said = {each.peer_id: each for each in now}
    everyone = {*last, *wins, *said, *([own] if own else [])}
    found = [
        Peer(
            peer_id=peer,
            nickname=names.get(peer) or (last[peer].nickname if peer in last else ""),
            hardware=last[peer].hardware if peer in last else "",
            experiments=experiments[peer],
            wins=wins[peer],
            last_ms=last[peer].finished_at_ms if peer in last else 0,
            connected=peer in said and said[peer].connected,
            running=said[peer].running if peer in said else None,
        )
        for peer in everyone
    ]
    found.sort(key=lambda peer: (peer.peer_id != own, not peer.connected, -peer.last_ms))
    return tuple(found)

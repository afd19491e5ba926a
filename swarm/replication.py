"""
Which peer's win to measure again, and when it is time to.

A share of a node's compute goes into checking what others claim. In each round a
win with k checks is up with probability max(0, 4 − k) / peers, so that a swarm
checks a win about four times however large it is; of those that are up, the one
with the most at stake and the fewest checks is measured. Authors whose wins have
held up are checked less, never not at all; one whose wins failed waits behind
the others, so that a flood of lies costs its author more than the swarm.

Law: pure. What a win claims only says how soon it is checked, within bounds,
never whether it is believed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from swarm.board import Board
from swarm.findings import Finding
from swarm.lineage import adoption
from swarm.records import PeerId, RecordId
from swarm.verdict import Yardstick

CHECKS_WANTED = 4
"""Replications after which a win is left alone."""

LEAST_DOUBT = 0.2
"""How often the wins of the most reliable author are checked, against a stranger's."""

MOST_PEERS = 64
"""No more peers are believed to share the work, so that pretended ones cannot end it."""

LEFT_BY_STRANGERS = 1
"""Of the checks wanted, those that only peers this node listens to can make unnecessary."""

MOST_GAIN = 10.0
"""The largest gain, in `min_effect`, that makes a win more urgent."""


@dataclass(frozen=True, slots=True)
class OpenWin:
    """
    A win that this node could check.

    Attributes:
        gain: What its author claims, in units of the task's `min_effect`.
        checks: Peers, other than its author, who have replicated it, as far as they count.
        adopters: Peers who have built on it.
    """

    record: RecordId
    author: PeerId
    gain: float
    checks: int
    adopters: int


@dataclass(frozen=True, slots=True)
class Reputation:
    """How many of an author's wins were confirmed by those who checked, and how many not."""

    held: int = 0
    failed: int = 0

    @property
    def doubt(self) -> float:
        """Probability that a win of this author is worth a check, 1 for a stranger."""
        return max(LEAST_DOUBT, 1 / (1 + self.held))


UNKNOWN = Reputation()


def next_win(
    wins: Iterable[OpenWin],
    reputations: Mapping[PeerId, Reputation],
    *,
    peers: int,
    uniform: Callable[[], float],
) -> OpenWin | None:
    """
    The win to check in this round, or None where none is up.

    Args:
        wins: Those that can be run here and were not checked here.
        reputations: Of authors; a missing one is a stranger.
        peers: Nodes that share the work, this one included.
        uniform: A number in [0, 1), new at each call.
    """
    up = [
        win
        for win in wins
        if uniform() < chance(win.checks, reputations.get(win.author, UNKNOWN), peers)
    ]
    return max(
        up,
        key=lambda win: (urgency(win, reputations.get(win.author, UNKNOWN)), win.record),
        default=None,
    )


def chance(checks: int, reputation: Reputation, peers: int) -> float:
    """Probability that a win with so many checks is up in one node's round."""
    shared_by = min(max(peers, 1), MOST_PEERS)
    return min(1.0, max(0, CHECKS_WANTED - checks) / shared_by) * reputation.doubt


def urgency(win: OpenWin, reputation: Reputation) -> float:
    """The value at stake, over how often it was looked at and its author's failures."""
    gain = min(max(win.gain, 1.0), MOST_GAIN)
    return gain * (1 + win.adopters) / (1 + win.checks) / (1 + reputation.failed)


def open_wins(
    board: Board,
    found: Iterable[Finding],
    mine: Iterable[Finding],
    own: PeerId,
    yardstick: Yardstick,
) -> list[OpenWin]:
    """
    The wins that a node could check: one of each finding that others claimed.

    Of several that claim the same it is the one that came here first: a date can be
    made up, and who copies a win comes after it. Checks by strangers leave some to do,
    or made-up ones would keep a lie from ever being looked at.

    Args:
        found: The findings on the board, from the neutral viewpoint.
        mine: The same from the viewpoint that guides this node.
        own: This node: what it claimed or has checked itself is not open.
    """
    done = {each.win for each in board.replications.values() if each.author == own}
    adopted, arrival = adoption(board.wins), arrivals(board)
    heard = {finding.records: len(finding.voices) for finding in mine}
    return [
        _open(
            board,
            finding,
            adopted,
            yardstick,
            min(finding.records, key=arrival.__getitem__),
            heard.get(finding.records, 0),
        )
        for finding in found
        if finding.state not in ("incomplete", "invalid")
        and not any(
            record in done or board.wins[record].author == own for record in finding.records
        )
    ]


def arrivals(board: Board) -> dict[RecordId, int]:
    """The place of every win in the order in which this node took them in since it started."""
    return {record: place for place, record in enumerate(board.wins)}


def reputations(board: Board, found: Iterable[Finding]) -> dict[PeerId, Reputation]:
    """
    The reputation of every author whose wins were checked.

    Args:
        found: The findings, from the viewpoint that guides this node.
    """
    known: dict[PeerId, Reputation] = {}
    for finding in found:
        if not finding.voices:
            continue
        held = 2 * finding.verdict.confirming > finding.verdict.voices
        for author in {board.wins[record].author for record in finding.records}:
            before = known.get(author, UNKNOWN)
            known[author] = Reputation(before.held + held, before.failed + (not held))
    return known


def _open(
    board: Board,
    finding: Finding,
    adopted: Mapping[RecordId, set[PeerId]],
    yardstick: Yardstick,
    record: RecordId,
    heard: int,
) -> OpenWin:
    sign = 1e-9 if yardstick.direction == "minimize" else -1e-9
    gains = [sign * (base - candidate) for _, base, candidate in finding.pairs]
    builders = {peer for record in finding.records for peer in adopted.get(record, ())}
    return OpenWin(
        record=record,
        author=board.wins[record].author,
        gain=math.fsum(gains) / len(gains) / yardstick.min_effect,
        checks=max(heard, min(len(finding.voices), CHECKS_WANTED - LEFT_BY_STRANGERS)),
        adopters=len(builders),
    )

"""
What the board says of the holdout.

Findings come in the order in which they were first claimed, and each gets what the
Ladder answers to the values that its replicators signed: a value where it beats all
before it, nothing where it is no better.

Law: a function of the board, the same for everyone; display only.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarm.board import Board
from swarm.findings import Finding
from swarm.ladder import climb, step_nano
from swarm.records import RecordId, from_nano
from swarm.verdict import Yardstick


def published_holdouts(
    board: Board, found: Iterable[Finding], yardstick: Yardstick
) -> dict[RecordId, float]:
    """
    By a finding's first record, the holdout in the metric's unit; others are left out.

    Args:
        found: All findings of the board, in any order.
    """
    seen = {finding.records[0]: _signed(finding) for finding in found if finding.voices}
    order = sorted(seen, key=lambda record: (board.wins[record].created_at_ms, record))
    answers = climb([seen[record] for record in order], step_nano(yardstick), yardstick.direction)
    pairs = zip(order, answers, strict=True)
    return {record: from_nano(answer) for record, answer in pairs if answer is not None}


def _signed(finding: Finding) -> tuple[int, ...]:
    values = (voice.holdout_nano for voice in finding.voices)
    return tuple(value for value in values if value is not None)

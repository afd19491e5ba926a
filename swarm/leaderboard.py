"""
The leaderboard, as programs read it: every finding with its state and its rank.

Law: a function of the board and the viewpoint. From the neutral one, nodes with the
same records show the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from swarm.board import Board, nicknames
from swarm.findings import Finding, State, findings
from swarm.holdout import published_holdouts
from swarm.lineage import adoption
from swarm.ranking import Ranked, ranking
from swarm.records import PeerId, RecordId, from_nano
from swarm.statistics import Effect, paired_effect
from swarm.verdict import LEAST_VOICES, Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One row of the leaderboard, as programs read it; None is not yet known.

    Attributes:
        nickname: What its author calls itself now, in its newest win.
        rank: From 1. Replicated findings that cannot be told apart share one.
        replications: Other authors whose replication confirms it.
        value: Mean metric of the candidate as its authors measured it on validation.
            Like `effect`, in the metric's unit.
        holdout: What the Ladder publishes of the holdout; None also where it is no
            better than that of a finding claimed before.
        effect, effect_low, effect_high: Mean of candidate − base and its 95 %
            interval: what replications say once there are enough for a verdict, what
            its authors say until then.
        pairs: How many seeds were measured on both arms for that effect.
        adopters: Other authors who built on it or folded it in.
        created_at: ISO 8601, UTC.
    """

    rank: int
    record: RecordId
    author: PeerId
    nickname: str
    title: str
    family: str
    state: State
    replications: int
    value: float
    holdout: float | None
    effect: float
    effect_low: float | None
    effect_high: float | None
    pairs: int
    base: RecordId | None
    parents: tuple[RecordId, ...]
    adopters: tuple[PeerId, ...]
    hardware: str
    created_at: str

    def document(self) -> dict[str, object]:
        """The entry as one JSON object."""
        values: dict[str, object] = {each.name: getattr(self, each.name) for each in fields(self)}
        values["parents"], values["adopters"] = list(self.parents), list(self.adopters)
        return values


def ranked(board: Board, yardstick: Yardstick, viewpoint: Viewpoint = NEUTRAL) -> list[Ranked]:
    """All findings on the board, the best believed first."""
    trees = {record: claim.tree for record, claim in board.wins.items()}
    return ranking(findings(board, yardstick, viewpoint), trees, yardstick)


def entries(
    board: Board,
    yardstick: Yardstick,
    limit: int | None = None,
    viewpoint: Viewpoint = NEUTRAL,
    wanted: Collection[State] | None = None,
) -> list[Entry]:
    """
    The leaderboard.

    Args:
        limit: Give the first so many; None: all.
        viewpoint: Whose replications count.
        wanted: The states to give, with the ranks they have among all; None: all.
    """
    places = ranked(board, yardstick, viewpoint)
    holdouts = published_holdouts(board, [place.finding for place in places], yardstick)
    shown = [place for place in places if wanted is None or place.finding.state in wanted]
    return rows(board, shown[:limit], holdouts)


def rows(board: Board, places: Iterable[Ranked], holdouts: Mapping[RecordId, float]) -> list[Entry]:
    """Ranked findings as rows of the leaderboard, with what is published of holdouts."""
    adopted, names = adoption(board.wins), nicknames(board)
    return [_entry(board, place, adopted, names, holdouts) for place in places]


def _entry(
    board: Board,
    place: Ranked,
    adopted: Mapping[RecordId, set[PeerId]],
    names: Mapping[PeerId, str],
    holdouts: Mapping[RecordId, float],
) -> Entry:
    finding = place.finding
    record = finding.records[0]
    claim = board.wins[record]
    others = {author for each in finding.records for author in adopted.get(each, ())}
    effect = _effect(finding)
    known = effect.n > 1
    return Entry(
        rank=place.rank,
        record=record,
        author=claim.author,
        nickname=names[claim.author],
        title=claim.title,
        family=claim.family,
        state=finding.state,
        replications=finding.verdict.confirming,
        value=finding.value_nano / 1e9,
        holdout=holdouts.get(record),
        effect=effect.mean,
        effect_low=effect.low if known else None,
        effect_high=effect.high if known else None,
        pairs=effect.n,
        base=claim.base,
        parents=claim.parents,
        adopters=tuple(sorted(others - {claim.author})),
        hardware=claim.hardware,
        created_at=_iso(claim.created_at_ms),
    )


def _effect(finding: Finding) -> Effect:
    """What replications say, once there are enough for a verdict; until then, the authors."""
    judged = finding.verdict
    if judged.effect is not None and judged.voices >= LEAST_VOICES:
        return judged.effect
    differences = [from_nano(candidate - base) for _, base, candidate in finding.pairs]
    if len(differences) > 1:
        return paired_effect(differences)
    return Effect(differences[0], differences[0], differences[0], 1)


def _iso(milliseconds: int) -> str:
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

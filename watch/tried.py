"""
What was tried: every finished experiment, own or a peer's, in one shape.

Law: read from records and from nothing else. A win is told by its win record and
not once more by its author's batch of trials.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from swarm.records import Pair, PeerId, RecordId, TreeHash, Trial, Trials, Win, from_nano
from swarm.statistics import Effect, paired_effect

WIN = "win"
NO_GAIN = "no_gain"
_SETTING = re.compile(
    r"^\+([A-Za-z_]\w{0,63}) = (\"[^\"\n]*\"|'[^'\n]*'|[^\s#\"']+) *(?:#.*)?$", re.M | re.A
)


@dataclass(frozen=True, slots=True)
class Tried:
    """
    One finished experiment.

    Attributes:
        record: The win, or the batch of trials that tells of it; None where this
            node has told nobody yet.
        outcome: One of `swarm.records.OUTCOMES`.
        base: The win it was built on; None is the task's baseline.
        parents: The wins folded in.
        knobs: Settings it changed, as (name, literal).
        pairs: Base and candidate, seed by seed, in nano-units.
        peak_memory_bytes: None where the record does not say.
    """

    record: RecordId | None
    author: PeerId
    nickname: str
    hardware: str
    finished_at_ms: int
    outcome: str
    title: str
    family: str
    proposer: str
    base: RecordId | None
    parents: tuple[RecordId, ...]
    tree: TreeHash
    knobs: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]
    milliseconds: int
    peak_memory_bytes: int | None = None

    @property
    def won(self) -> bool:
        """Whether its author kept it."""
        return self.outcome == WIN

    @property
    def failed(self) -> bool:
        """Whether a run of it broke before any pair was complete; not one that was stopped."""
        return not self.pairs and self.outcome not in (WIN, NO_GAIN)

    @property
    def value(self) -> float | None:
        """Mean metric of the candidate; None where no pair was completed."""
        return _mean([pair.candidate_nano for pair in self.pairs])

    @property
    def base_value(self) -> float | None:
        """Mean metric of the base on the same seeds."""
        return _mean([pair.base_nano for pair in self.pairs])

    @property
    def effect(self) -> Effect | None:
        """Mean of candidate − base; None without pairs, its own bounds with one."""
        differences = [from_nano(pair.candidate_nano - pair.base_nano) for pair in self.pairs]
        if len(differences) > 1:
            return paired_effect(differences)
        return Effect(differences[0], differences[0], differences[0], 1) if differences else None


def of_win(record: RecordId, win: Win) -> Tried:
    """The experiment that a win tells of; its knobs are the settings that its diff sets."""
    return Tried(
        record=record,
        author=win.author,
        nickname=win.nickname,
        hardware=win.environment.hardware_class,
        finished_at_ms=win.created_at_ms,
        outcome=WIN,
        title=win.title,
        family=win.family,
        proposer=win.proposer,
        base=win.base,
        parents=win.parents,
        tree=win.tree,
        knobs=tuple(_SETTING.findall(win.diff)),
        pairs=win.pairs,
        milliseconds=win.environment.milliseconds,
        peak_memory_bytes=win.environment.peak_memory_bytes,
    )


def of_trials(record: RecordId, batch: Trials) -> Iterator[Tried]:
    """The experiments that a batch tells of and that were no wins."""
    for trial in batch.trials:
        if trial.outcome != WIN:
            yield of_trial(record, trial, batch.author, batch.nickname, batch.hardware_class)


def of_trial(
    record: RecordId | None, trial: Trial, author: PeerId, nickname: str, hardware: str
) -> Tried:
    """The experiment that one note tells of."""
    return Tried(
        record=record,
        author=author,
        nickname=nickname,
        hardware=hardware,
        finished_at_ms=trial.finished_at_ms,
        outcome=trial.outcome,
        title=trial.title,
        family=trial.family,
        proposer=trial.proposer,
        base=trial.base,
        parents=trial.parents,
        tree=trial.tree,
        knobs=trial.knobs,
        pairs=trial.pairs,
        milliseconds=trial.milliseconds,
    )


def in_order(tried: Iterable[Tried]) -> list[Tried]:
    """
    Each experiment once, the oldest first.

    Of the same one told twice (same author, base, tree and end) the first stays.
    """
    once: dict[tuple[str, str | None, str, int], Tried] = {}
    for each in tried:
        once.setdefault((each.author, each.base, each.tree, each.finished_at_ms), each)
    return sorted(once.values(), key=lambda each: (each.finished_at_ms, each.author, each.tree))


def _mean(nanos: list[int]) -> float | None:
    return from_nano(sum(nanos)) / len(nanos) if nanos else None

"""
How much of what a swarm tried was tried before.

Law: a pure function of the trials on record, whatever their order. An experiment
repeats another's when somebody else had begun to measure the same tree on the same
base. Folds do so on purpose, as nobody builds on what they have not measured: those
are counted by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from swarm.records import PeerId, Trial, Trials
from swarm.repeats import Key


@dataclass(frozen=True, slots=True)
class Repeated:
    """
    Counts over the experiments on record.

    Attributes:
        experiments: All of them.
        duplicates: Those that somebody else had begun before, folds aside.
        refolds: Folds of what somebody else had measured before on the same base.
    """

    experiments: int
    duplicates: int
    refolds: int

    @property
    def rate(self) -> float:
        """Share of the experiments that are duplicates."""
        return self.duplicates / self.experiments if self.experiments else 0.0


def repeated(batches: Iterable[Trials]) -> Repeated:
    """
    Count experiments, duplicates and folds measured again.

    An experiment that was told twice counts once. Its beginning is its end less what
    it took: claims are told at the beginning.
    """
    first: dict[Key, tuple[int, PeerId]] = {}
    told: dict[tuple[PeerId, Key], Trial] = {}
    for batch in batches:
        for trial in batch.trials:
            key = (trial.base_tree, trial.tree)
            begun = trial.finished_at_ms - trial.milliseconds
            first[key] = min((begun, batch.author), first.get(key, (begun, batch.author)))
            told.setdefault((batch.author, key), trial)
    again = [trial for (author, key), trial in told.items() if first[key][1] != author]
    folds = sum(trial.family == "fold" for trial in again)
    return Repeated(len(told), len(again) - folds, folds)

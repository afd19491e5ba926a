"""
What this node has found out, as the records it will sign.

Law: says what was measured and nothing else. The same trials make the same
record, byte for byte, so that telling them twice tells them once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

from experiments.measure import Measured
from experiments.replicate import Replicated
from swarm.hypothesis import Hypothesis
from swarm.ladder import ladder_round
from swarm.records import (
    Environment,
    PeerId,
    RecordId,
    Replication,
    TaskId,
    Trial,
    Trials,
    Win,
)
from swarm.signals import MAX_RUNNING, MAX_TITLE, Presence


@dataclass(frozen=True, slots=True)
class Author:
    """Who signs, where it is said, and what kind of machine measured."""

    peer_id: PeerId
    nickname: str
    topic: str
    task: TaskId
    hardware_class: str
    device: str


def win_record(author: Author, hypothesis: Hypothesis, measured: Measured, now_ms: int) -> Win:
    """The claim that a hypothesis beat its base."""
    return Win(
        author=author.peer_id,
        nickname=author.nickname,
        topic=author.topic,
        task=author.task,
        created_at_ms=now_ms,
        base=hypothesis.base,
        parents=hypothesis.parents,
        diff=hypothesis.diff,
        tree=hypothesis.tree,
        title=hypothesis.title,
        rationale=hypothesis.rationale,
        family=hypothesis.family,
        proposer=hypothesis.proposer,
        pairs=tuple(measured.pairs),
        blocks=measured.blocks,
        environment=_environment(author, measured),
    )


def replication_record(
    author: Author,
    win: RecordId,
    signature: bytes,
    found: Replicated,
    holdout_step: int,
    now_ms: int,
) -> Replication:
    """
    What was measured of a peer's win, for everyone to judge.

    Args:
        signature: This node's over the win's id; it drew the seeds and the slice.
        holdout_step: What the mean over the holdout is rounded to, in nano-units.
    """
    holdouts = found.holdouts
    return Replication(
        author=author.peer_id,
        nickname=author.nickname,
        topic=author.topic,
        task=author.task,
        created_at_ms=now_ms,
        win=win,
        challenge=signature,
        pairs=tuple(found.pairs),
        challenge_pairs=tuple(found.challenge_pairs),
        baseline=tuple(found.baseline),
        holdout_nano=(
            ladder_round(sum(holdouts) // len(holdouts), holdout_step) if holdouts else None
        ),
        environment=_environment(author, found),
    )


def trials_record(author: Author, trials: Sequence[Trial]) -> Trials:
    """A batch of finished experiments, dated by the last of them."""
    return Trials(
        author=author.peer_id,
        nickname=author.nickname,
        topic=author.topic,
        task=author.task,
        created_at_ms=trials[-1].finished_at_ms,
        hardware_class=author.hardware_class,
        trials=tuple(trials),
    )


def presence_of(
    author: Author,
    device: str,
    experiments: int,
    wins: int,
    titles: Sequence[str],
    now_ms: int,
) -> Presence:
    """What peers are told of this node: `titles` are those of what it runs now."""
    return Presence(
        author=author.peer_id,
        nickname=author.nickname,
        topic=author.topic,
        task=author.task,
        created_at_ms=now_ms,
        hardware_class=author.hardware_class,
        device=device,
        experiments=experiments,
        wins=wins,
        running=tuple(title[:MAX_TITLE] for title in titles[:MAX_RUNNING]),
    )


def trial_of(hypothesis: Hypothesis, measured: Measured, now_ms: int) -> Trial:
    """The note of one finished experiment, whatever came out."""
    return Trial(
        base=hypothesis.base,
        base_tree=hypothesis.base_tree,
        tree=hypothesis.tree,
        title=hypothesis.title,
        family=hypothesis.family,
        proposer=hypothesis.proposer,
        parents=hypothesis.parents,
        knobs=hypothesis.knobs,
        pairs=tuple(measured.pairs),
        outcome=measured.outcome,
        milliseconds=measured.milliseconds,
        finished_at_ms=now_ms,
    )


def _environment(author: Author, found: Measured | Replicated) -> Environment:
    return Environment(
        hardware_class=author.hardware_class,
        device=author.device,
        torch_version=metadata.version("torch"),
        milliseconds=found.milliseconds,
        peak_memory_bytes=found.peak_memory_bytes,
        isolation=found.isolation,
    )

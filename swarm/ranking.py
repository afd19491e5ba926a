"""
Which finding leads.

Replicated findings come first, by what replications say their tree gains over the
task's baseline. What a replicator measured on one challenge slice is taken to be

    value of an arm = its tree + this machine and slice + error

and fitted over all replications at once, so that a tree measured on an easy slice
or a slow build is not ahead for that, and what is known of a base helps the wins
built on it. The rank is by the lower end of the 90 % interval of the gain: a tree
that few have measured has to show more. Findings whose intervals overlap the one
that heads them share its rank.

Then come the claimed, by what their authors measured; then the refuted; then what
cannot be built on. What is simpler and no worse than its base ranks no higher than
that base was measured beside it: luck with the seeds is no gain.

A replication far from what most say of the same trees loses weight with the square
of its distance, so that one broken machine moves nothing much.

Law: a function of the findings; sums run in a fixed order, so peers agree.

Sources: weighted least squares on a graph's Laplacian; entries of the inverse by
Takahashi, Fagan and Chin, "Formation of a sparse bus impedance matrix" (1973); one
step of reweighting from medians, Bickel, "One-step Huber estimates" (1975).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from swarm.challenge import CHALLENGE_SEEDS
from swarm.findings import Finding, State
from swarm.records import RecordId, TreeHash
from swarm.sparse import Row, solve
from swarm.statistics import t_quantile
from swarm.verdict import Evidence, Yardstick

BASELINE = ""
"""Stands for the tree of the task's baseline."""
FAR_SIGMAS = 3.0
"""From this many sigmas off, a replication weighs less."""

Arms: TypeAlias = Mapping[TreeHash, float]

_ORDER: Mapping[State, int] = {
    "replicated": 0,
    "claimed": 1,
    "refuted": 2,
    "incomplete": 3,
    "invalid": 4,
}


@dataclass(frozen=True, slots=True)
class Gain:
    """How much better than the baseline a tree is, in the metric's unit; 90 % interval."""

    mean: float
    low: float
    high: float


NO_GAIN = Gain(0.0, 0.0, 0.0)


class Ranked(NamedTuple):
    """A finding and its place; `gain` is None where no fit reaches its tree."""

    rank: int
    finding: Finding
    gain: Gain | None


def ranking(
    found: Sequence[Finding], trees: Mapping[RecordId, TreeHash], yardstick: Yardstick
) -> list[Ranked]:
    """
    The findings in their order, with their ranks.

    Args:
        trees: The tree of every win on the board.
    """
    gains = tree_gains(_blocks(found, trees, yardstick), yardstick)
    sign = 1.0 if yardstick.direction == "minimize" else -1.0

    def place(finding: Finding) -> tuple[int, float, float, tuple[RecordId, ...]]:
        gain = _believed(finding, gains, trees) if finding.state == "replicated" else None
        low = math.inf if gain is None else -gain.low
        value = sign * finding.value_nano
        if finding.simpler:
            value = max(value, sign * finding.base_nano)
        return _ORDER[finding.state], low, value, finding.records

    return list(_numbered(sorted(found, key=place), gains, trees))


def tree_gains(blocks: Sequence[Arms], yardstick: Yardstick) -> dict[TreeHash, Gain]:
    """
    The gain over the baseline of every tree that measurements connect to it.

    Args:
        blocks: One per replication: the mean value of each arm, larger is better.
            Arms of one block share machine, slice and seeds.
    """
    blocks = _connected(blocks)
    weights = _weights(blocks, FAR_SIGMAS * yardstick.sigma)
    fitted, variances = solve(*_normal_equations(blocks, weights))
    free = sum(len(block) - 1 for block in blocks) - len(fitted)
    spread = _spread(blocks, weights, fitted, free, yardstick.sigma)
    quantile = t_quantile(max(free, 1), 0.95)
    gains: dict[TreeHash, Gain] = {}
    for tree, value in fitted.items():
        margin = quantile * spread * math.sqrt(variances[tree])
        gains[tree] = Gain(value, value - margin, value + margin)
    return gains


def _believed(
    finding: Finding, gains: Mapping[TreeHash, Gain], trees: Mapping[RecordId, TreeHash]
) -> Gain | None:
    """The gain a finding ranks by: its tree's; its base's if less, where it is only simpler."""
    own = gains.get(finding.tree)
    if not finding.simpler or own is None:
        return own
    base = NO_GAIN if finding.base is None else gains.get(trees.get(finding.base, ""), own)
    return min(own, base, key=lambda gain: gain.low)


def _numbered(
    ordered: Iterable[Finding],
    gains: Mapping[TreeHash, Gain],
    trees: Mapping[RecordId, TreeHash],
) -> Iterator[Ranked]:
    head: Gain | None = None
    rank = 0
    for place, finding in enumerate(ordered, 1):
        gain = _believed(finding, gains, trees)
        known = gain if finding.state == "replicated" else None
        if head is None or known is None or known.high < head.low:
            head, rank = known, place
        yield Ranked(rank, finding, gain)


def _blocks(
    found: Iterable[Finding], trees: Mapping[RecordId, TreeHash], yardstick: Yardstick
) -> list[Arms]:
    """What every replication measured, in an order that is the same for every peer."""
    replicated = sorted((each for each in found if each.voices), key=lambda each: each.records)
    return [
        _arms(finding, BASELINE if finding.base is None else trees[finding.base], voice, yardstick)
        for finding in replicated
        for voice in finding.voices
    ]


def _arms(finding: Finding, base: TreeHash, voice: Evidence, yardstick: Yardstick) -> Arms:
    """Mean of each arm over the seeds; the baseline's only where all seeds have it."""
    baseline = dict(voice.baseline)
    arms = {base: 0.0, finding.tree: 0.0}
    if all(seed in baseline for seed, _, _ in voice.pairs):
        arms.setdefault(BASELINE, 0.0)
    scale = (-1e-9 if yardstick.direction == "minimize" else 1e-9) / len(voice.pairs)
    for seed, base_nano, candidate_nano in voice.pairs:
        arms[base] += scale * base_nano
        arms[finding.tree] += scale * candidate_nano
        if BASELINE in arms and base != BASELINE:
            arms[BASELINE] += scale * baseline[seed]
    return arms


def _connected(blocks: Sequence[Arms]) -> list[Arms]:
    """The blocks whose arms can be compared with the baseline, through others if need be."""
    of_tree: dict[TreeHash, list[int]] = {}
    for index, block in enumerate(blocks):
        for tree in block:
            of_tree.setdefault(tree, []).append(index)
    reached, waiting = {BASELINE}, [BASELINE]
    while waiting:
        near = {tree for index in of_tree.get(waiting.pop(), ()) for tree in blocks[index]}
        waiting += near - reached
        reached |= near
    return [block for block in blocks if reached.issuperset(block)]


def _weights(blocks: Sequence[Arms], far: float) -> list[float]:
    """1 for a block near the medians over all blocks, less for one beyond `far`."""
    seen: dict[TreeHash, list[float]] = {}
    for block in blocks:
        if BASELINE in block:
            for tree, value in block.items():
                seen.setdefault(tree, []).append(value - block[BASELINE])
    usual = {tree: sorted(values)[len(values) // 2] for tree, values in seen.items()}
    weights: list[float] = []
    for block in blocks:
        off = _size(_residuals(block, usual)) if usual.keys() >= block.keys() else 0.0
        weights.append(1.0 if off <= far else (far / off) ** 2)
    return weights


def _residuals(block: Arms, values: Mapping[TreeHash, float]) -> list[float]:
    """What is left of each arm when its tree and what the block shares are taken away."""
    left = [value - values.get(tree, 0.0) for tree, value in block.items()]
    shared = math.fsum(left) / len(left)
    return [value - shared for value in left]


def _size(residuals: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in residuals))


def _normal_equations(
    blocks: Sequence[Arms], weights: Sequence[float]
) -> tuple[dict[TreeHash, Row], dict[TreeHash, float]]:
    """The blocks' weighted Laplacian over all trees but the baseline, and its right side."""
    matrix: dict[TreeHash, Row] = {}
    right: dict[TreeHash, float] = {}
    for block, weight in zip(blocks, weights, strict=True):
        left = _residuals(block, {})
        for tree, value in zip(block, left, strict=True):
            if tree == BASELINE:
                continue
            row = matrix.setdefault(tree, {})
            right[tree] = right.get(tree, 0.0) + weight * value
            for other in block:
                if other != BASELINE:
                    share = weight * ((other == tree) - 1 / len(block))
                    row[other] = row.get(other, 0.0) + share
    return matrix, right


def _spread(
    blocks: Sequence[Arms],
    weights: Sequence[float],
    fitted: Mapping[TreeHash, float],
    free: int,
    sigma: float,
) -> float:
    """
    Standard deviation of one arm's error in one block.

    Never below half of what the task's known sigma alone gives, nor below all of it
    while no block repeats what another measured.
    """
    known = sigma / math.sqrt(2 * CHALLENGE_SEEDS)
    if free < 1:
        return known
    squares = math.fsum(
        weight * _size(_residuals(block, fitted)) ** 2
        for block, weight in zip(blocks, weights, strict=True)
    )
    return max(math.sqrt(squares / free), known / 2)

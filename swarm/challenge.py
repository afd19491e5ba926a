"""
Which seeds and which held-out text a replication is measured on.

Everything follows from the replicator's Ed25519 signature over the win's id.
Nobody else can make it, so whoever signed the win could not know it, and everyone
can check it. The usual way of signing gives one signature; a replicator that signs
in unusual ways can choose among many, which gains it no more than false numbers do.

Law: pure, and the same on every platform: only SHA-256 and whole numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHALLENGE_SEEDS = 3
"""Pairs that a replication has."""


class Seeded(Protocol):
    """The part of a task that is needed here: runs use seeds 0 … seeds − 1."""

    @property
    def seeds(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Challenge:
    """
    What a replicator must measure.

    Attributes:
        seeds: Of its runs, each another one.
        slice_seed: Selects the challenge slice of the reserve; from 0, below 2**63.
    """

    seeds: tuple[int, ...]
    slice_seed: int


def select(signature: bytes, task: Seeded, count: int = CHALLENGE_SEEDS) -> Challenge:
    """
    The challenge that a signature draws.

    Args:
        signature: The replicator's over `swarm.validation.challenge_message`.
        task: Bounds the seeds; it has at least `count`.
        count: Seeds to draw; of two counts, the smaller gives the first of the larger.
    """
    seeds = select_seeds(signature, task, count)
    return Challenge(seeds, next(_numbers(b"slice" + signature)) >> 1)


def select_seeds(signature: bytes, task: Seeded, count: int = CHALLENGE_SEEDS) -> tuple[int, ...]:
    """The seeds of `select` alone."""
    seeds: list[int] = []
    numbers = _numbers(b"seeds" + signature)
    while len(seeds) < count:
        seed = next(numbers) % task.seeds
        if seed not in seeds:
            seeds.append(seed)
    return tuple(seeds)


def challenge_windows(slice_seed: int, available: int, wanted: int) -> list[int]:
    """
    The windows of the reserve that make a challenge slice.

    Args:
        slice_seed: Of the challenge.
        available: Windows that the whole reserve holds.
        wanted: Windows to score, as many as a validation has.

    Returns:
        Their positions in the reserve, rising, each once.

    Raises:
        ValueError: The reserve does not hold that many.
    """
    if not 0 < wanted <= available:
        raise ValueError(f"the reserve holds {available} windows, not {wanted}")
    prefix = slice_seed.to_bytes(8, "big")
    rank = {
        window: hashlib.sha256(prefix + window.to_bytes(8, "big")).digest()
        for window in range(available)
    }
    return sorted(sorted(rank, key=rank.__getitem__)[:wanted])


def _numbers(text: bytes) -> Iterator[int]:
    """As many 64-bit numbers as are wanted; SHA-256 in counter mode."""
    count = 0
    while True:
        block = hashlib.sha256(count.to_bytes(8, "big") + text).digest()
        yield from (int.from_bytes(block[at : at + 8], "big") for at in range(0, 32, 8))
        count += 1

"""
How much of a gain may be due to the text it was measured on.

More seeds do not tell: they all read the same files. Files do, since bytes within
one resemble each other and files differ; so the error is taken over files, as if
another draw of files could have been the validation text.

Source: Cochran, "Sampling Techniques" (1977), ratio estimates over clusters of
unequal size; Miller, "Adding Error Bars to Evals", https://arxiv.org/abs/2411.00640.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.records import Block

LEAST_FILES = 2


@dataclass(frozen=True, slots=True)
class TextNoise:
    """Candidate − base per byte, its standard error over files, and how many there were."""

    mean: float
    error: float
    files: int


def text_noise(blocks: Sequence[Block], pairs: int) -> TextNoise:
    """
    The effect of a change with its file-clustered standard error.

    Args:
        blocks: One per held-out file, bits summed over the pairs.
        pairs: How many pairs were summed.

    Returns:
        In bits per byte. The error takes in the noise of seeds too, as far as that
        differs from file to file.

    Raises:
        ValueError: Fewer than two files with bytes in them, or no pairs.
    """
    files = [block for block in blocks if block.bytes > 0]
    if len(files) < LEAST_FILES or pairs < 1:
        raise ValueError(f"{len(files)} files and {pairs} pairs; at least 2 and 1 are needed")
    total = sum(file.bytes for file in files)
    changes = [(file.candidate_nano - file.base_nano) / (1e9 * pairs) for file in files]
    mean = math.fsum(changes) / total
    squares = math.fsum(
        (change - mean * file.bytes) ** 2 for change, file in zip(changes, files, strict=True)
    )
    count = len(files)
    return TextNoise(mean, math.sqrt(count / (count - 1) * squares) / total, count)

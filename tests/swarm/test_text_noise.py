"""Text noise: the error of a gain over another draw of files."""

import numpy as np
import pytest

from swarm.records import Block
from swarm.text_noise import text_noise


def blocks_of(changes: list[float], sizes: list[int], pairs: int = 1) -> list[Block]:
    """One block per file whose bits per byte change by so much."""
    return [
        Block(size, 10**12, 10**12 + round(change * size * pairs * 1e9))
        for change, size in zip(changes, sizes, strict=True)
    ]


def test_files_that_agree_leave_no_error() -> None:
    found = text_noise(blocks_of([-0.02] * 5, [100, 2000, 30, 4000, 500], pairs=8), pairs=8)
    assert (found.mean, found.files) == (pytest.approx(-0.02), 5)
    assert found.error == pytest.approx(0, abs=1e-9)


def test_equal_files_give_the_usual_standard_error() -> None:
    changes = [0.01, -0.02, 0.03, -0.05, 0.004]
    found = text_noise(blocks_of(changes, [1000] * 5), pairs=1)
    assert found.mean == pytest.approx(np.mean(changes))
    assert found.error == pytest.approx(np.std(changes, ddof=1) / 5**0.5)


def test_the_error_is_what_drawing_files_again_gives() -> None:
    """Against the spread of the effect over 2,000 draws of 60 files of unequal size."""
    rng = np.random.default_rng(4)

    def draw() -> list[Block]:
        sizes = rng.integers(500, 32_000, 60)
        return blocks_of(rng.normal(-0.01, 0.02, 60).tolist(), sizes.tolist())

    found = [text_noise(draw(), pairs=1) for _ in range(2000)]
    seen = np.std([each.mean for each in found])
    assert np.mean([each.error for each in found]) == pytest.approx(seen, rel=0.05)


@pytest.mark.parametrize(("blocks", "pairs"), [([], 1), ([Block(10, 1, 2), Block(0, 0, 0)], 1)])
def test_one_file_tells_nothing(blocks: list[Block], pairs: int) -> None:
    with pytest.raises(ValueError, match="at least 2 and 1"):
        text_noise(blocks, pairs)

"""Sparse systems: numpy's dense solver is the oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm.sparse import Row, solve

edges = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7), st.floats(0.01, 10)), min_size=0, max_size=20
)


def laplacian(found: list[tuple[int, int, float]], size: int = 8) -> dict[str, Row]:
    """A graph's Laplacian, each unknown tied down by 0.1."""
    rows: dict[str, Row] = {str(index): {str(index): 0.1} for index in range(size)}
    for here, there, weight in found:
        if here != there:
            for one, other in ((str(here), str(there)), (str(there), str(here))):
                rows[one][one] += weight
                rows[one][other] = rows[one].get(other, 0.0) - weight
    return rows


@given(edges, st.lists(st.floats(-10, 10), min_size=8, max_size=8))
def test_it_is_the_dense_solution(found: list[tuple[int, int, float]], right: list[float]) -> None:
    rows = laplacian(found)
    dense = np.array([[rows[i].get(j, 0.0) for j in rows] for i in rows])
    values, diagonal = solve(rows, dict(zip(rows, right, strict=True)))
    inverse = np.linalg.inv(dense)
    assert [values[name] for name in rows] == pytest.approx(inverse @ right, rel=1e-6, abs=1e-6)
    assert [diagonal[name] for name in rows] == pytest.approx(np.diag(inverse), rel=1e-6)


def test_a_long_chain_fills_nothing_in() -> None:
    """Ten thousand unknowns in a row, which a dense solver could not hold."""
    chain = laplacian([(index, index + 1, 1.0) for index in range(9_999)], size=10_000)
    values, diagonal = solve(chain, dict.fromkeys(chain, 0.1))
    assert [values["0"], values["5000"]] == pytest.approx([1.0, 1.0])
    assert diagonal["0"] > diagonal["5000"] > 0


def test_nothing_gives_nothing() -> None:
    assert solve({}, {}) == ({}, {})

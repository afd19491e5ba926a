"""
Sparse symmetric systems of equations, for matrices that are nearly a forest.

`matrix` holds the rows of a positive definite matrix, by name and without zeros;
both halves are there. Unknowns with the fewest neighbours are eliminated first, so
a chain or a tree costs no more than its edges. Of the inverse, only the diagonal
and what it needs is computed.

Law: the same rows in the same order give the same bits.

Source: Takahashi, Fagan and Chin, "Formation of a sparse bus impedance matrix and
its application to short circuit study" (1973).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

Row: TypeAlias = dict[str, float]


class _Step(NamedTuple):
    """One elimination: the unknown, its pivot, and its row over the later unknowns."""

    name: str
    pivot: float
    row: Row


def solve(
    matrix: Mapping[str, Row], right: Mapping[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """
    The solution, and the diagonal of the inverse, each by name.

    Args:
        matrix: Positive definite; every name in a row has a row of its own.
        right: The right-hand side.
    """
    rest = dict(right)
    steps = _eliminate({name: dict(row) for name, row in matrix.items()}, rest)
    values: dict[str, float] = {}
    inverse: dict[str, Row] = {}
    for name, pivot, row in reversed(steps):
        values[name] = rest[name] / pivot - sum(row[other] * values[other] for other in row)
        column = {other: -sum(row[step] * inverse[step][other] for step in row) for other in row}
        for other, value in column.items():
            inverse[other][name] = value
        own = 1 / pivot - sum(row[other] * column[other] for other in row)
        inverse[name] = column | {name: own}
    return values, {name: row[name] for name, row in inverse.items()}


def _eliminate(rows: dict[str, Row], right: dict[str, float]) -> list[_Step]:
    """Gauss, the sparsest row first; `rows` is used up and `right` reduced."""
    waiting = [(len(row), name) for name, row in rows.items()]
    heapq.heapify(waiting)
    steps: list[_Step] = []
    while waiting:
        width, name = heapq.heappop(waiting)
        if name not in rows or len(rows[name]) != width:
            continue
        row = rows.pop(name)
        pivot = row.pop(name)
        step = _Step(name, pivot, {other: value / pivot for other, value in row.items()})
        for other, share in step.row.items():
            _reduce(rows[other], step, share * pivot)
            right[other] -= share * right[name]
            heapq.heappush(waiting, (len(rows[other]), other))
        steps.append(step)
    return steps


def _reduce(row: Row, step: _Step, factor: float) -> None:
    del row[step.name]
    for other, share in step.row.items():
        row[other] = row.get(other, 0.0) - factor * share

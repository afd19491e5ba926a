"""
What a run with some settings would give, guessed from those that were made.

A Gaussian process over settings: a sum over knobs, for what each does by itself, and a
product, for what they do together. How far each knob reaches is fitted to the table.

Source: Rasmussen & Williams, "Gaussian Processes for Machine Learning" (2006), 2.2, 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor

from experiments.proposers.grid import grid
from experiments.proposers.turns import is_ordered
from swarm.bounds import same
from swarm.knob import Knob
from swarm.settings_block import Scalar

Settings: TypeAlias = Mapping[str, Scalar]

IDLE = -1.0
"""The place of a knob that another one has made idle."""

STEPS = 200
"""Of the fit."""

PRIOR = 0.05
"""How firmly the fit is held to where it starts."""


class Surface:
    """
    The metric over settings.

    Args:
        knobs: What may be turned.
        settings, values: The table: whole settings and what came out.
    """

    def __init__(
        self, knobs: Sequence[Knob], settings: Sequence[Settings], values: Sequence[float]
    ) -> None:
        self._knobs = [knob for knob in knobs if len(grid(knob)) > 1]
        self._ordered = torch.tensor([is_ordered(grid(knob)) for knob in self._knobs])
        self._at = self._places(settings)
        raw = torch.tensor(list(values), dtype=torch.float64)
        self._middle, self._spread = raw.mean(), raw.std()
        self._values = (raw - self._middle) / self._spread
        apart = self._apart(self._at, self._at)
        self._log = self._fitted(apart)
        with torch.no_grad():
            lower = _lower(_covariance(apart, self._log))
            self._weights = torch.cholesky_solve(self._values[:, None], lower)[:, 0]

    def value(self, settings: Settings) -> float:
        """The metric to be expected of whole settings."""
        with torch.no_grad():
            near = _kernel(self._apart(self._places([settings]), self._at), self._log)
            return float(self._middle + self._spread * (near @ self._weights)[0])

    def _places(self, settings: Sequence[Settings]) -> Tensor:
        rows = [[_place(knob, each) for knob in self._knobs] for each in settings]
        return torch.tensor(rows, dtype=torch.float64)

    def _apart(self, left: Tensor, right: Tensor) -> Tensor:
        """How many steps settings are apart, knob by knob; 1 where values have no order."""
        gap = (left[:, None, :] - right[None, :, :]).abs()
        stepwise = self._ordered & (left[:, None, :] >= 0) & (right[None, :, :] >= 0)
        return torch.where(stepwise, gap, (gap > 0) * 1.0)

    def _fitted(self, apart: Tensor) -> Tensor:
        """Logarithms of each knob's reach, and of the shares of sum, product and noise."""
        start = torch.full((len(self._knobs) + 3,), -1.0, dtype=torch.float64)
        start[-1] = -3.0
        log = start.clone().requires_grad_()
        steps = torch.optim.Adam([log], lr=0.05)
        for _ in range(STEPS):
            steps.zero_grad()
            loss = self._loss(apart, log) + PRIOR * ((log - start) ** 2).sum()
            loss.backward()  # pyright: ignore[reportUnknownMemberType]
            steps.step()  # pyright: ignore[reportUnknownMemberType]
        return log.detach()

    def _loss(self, apart: Tensor, log: Tensor) -> Tensor:
        """Minus the logarithm of the likelihood."""
        lower = _lower(_covariance(apart, log))
        fit = self._values @ torch.cholesky_solve(self._values[:, None], lower)[:, 0]
        return 0.5 * fit + torch.log(torch.diagonal(lower)).sum()


def _covariance(apart: Tensor, log: Tensor) -> Tensor:
    noise = torch.exp(2 * log[-1]) + 1e-6
    return _kernel(apart, log) + noise * torch.eye(len(apart))


def _kernel(apart: Tensor, log: Tensor) -> Tensor:
    alike = torch.exp(-torch.exp(log[:-3]) * apart)
    alone, together = torch.exp(2 * log[-3]), torch.exp(2 * log[-2])
    return alone * alike.mean(dim=2) + together * torch.exp(-(apart @ torch.exp(log[:-3])))


def _lower(matrix: Tensor) -> Tensor:
    """The Cholesky factor of a matrix."""
    return cast("Tensor", torch.linalg.cholesky(matrix))  # pyright: ignore[reportUnknownMemberType]


def _place(knob: Knob, settings: Settings) -> float:
    """Which of the knob's values it is; between two where it is none of them."""
    if not knob.matters(settings):
        return IDLE
    values, here = grid(knob), settings[knob.name]
    for place, value in enumerate(values):
        if same(value, here):
            return float(place)
    if not is_ordered([*values, here]):
        return float(len(values))
    return sum(float(value) < float(here) for value in values) - 0.5

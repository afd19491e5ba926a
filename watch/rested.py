"""
An answer that takes the node itself some time: asked for seldom, however many read.

Law: between two askings passes a hundred times what the last one took, and at least
some seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import trio

LEAST_SECONDS = 5.0
COST_FACTOR = 100.0

T = TypeVar("T")


class Rested(Generic[T]):
    """
    Remembers what was answered.

    Args:
        ask: Gives the answer, None where there is none yet.
    """

    def __init__(self, ask: Callable[[], T | None]) -> None:
        self._ask = ask
        self._answer: T | None = None
        self._not_before = 0.0

    def read(self) -> T | None:
        """The answer, as it was a while ago at most."""
        started = trio.current_time()
        if self._answer is None or started >= self._not_before:
            self._answer = self._ask()
            took = trio.current_time() - started
            self._not_before = started + max(LEAST_SECONDS, COST_FACTOR * took)
        return self._answer

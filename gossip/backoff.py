"""
How long to wait before trying again.

Law: waits double from the first to the most, with jitter so that many nodes
that lost the same peer do not all return at once.
"""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """
    Doubling waits with jitter, for one thing that may fail.

    Args:
        first_s: The shortest wait, in seconds.
        most_s: The longest wait, in seconds.
        uniform: Draws a float in [0, 1).
    """

    def __init__(self, first_s: float, most_s: float, uniform: Callable[[], float]) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._uniform = uniform
        self.failures = 0

    def failed(self) -> float:
        """Count a failure and return the seconds to wait, between half and all of the step."""
        step_s = min(self._most_s, self._first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return step_s * (0.5 + 0.5 * self._uniform())

    def succeeded(self) -> None:
        """Forget past failures."""
        self.failures = 0

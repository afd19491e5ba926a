"""Waiting in tests for something that real networks do in their own time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from gossip.discovery import Heard


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return once the condition holds; fail after the timeout."""
    with trio.fail_after(timeout_s):
        while not condition():  # noqa: ASYNC110 - the condition is another machine's
            await trio.sleep(0.01)


async def holds(condition: Callable[[], bool], within_s: float) -> bool:
    """Whether the condition comes to hold within some time."""
    with trio.move_on_after(within_s):
        await until(condition, within_s + 1)
        return True
    return False


def noted(into: dict[str, Sequence[str]]) -> Heard:
    """Takes in what is heard, by peer."""

    def heard(peer: str, addrs: Sequence[str], teller: str = "", /) -> None:
        into[peer] = addrs

    return heard

"""
What was heard, dealt with host after host, so that who says much waits behind himself.

Law: bounded in hosts and in what waits of each; what finds no room is dropped, and what
waits already is not pushed out by what comes later.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

MAX_HOSTS = 512
MAX_PER_HOST = 4

T = TypeVar("T")


class Turns(Generic[T]):
    """One short queue for each host; they take turns."""

    def __init__(self) -> None:
        self._hosts: OrderedDict[str, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._hosts.values()))

    def add(self, host: str, item: T) -> bool:
        """Queue an item of a host; False if it waits already, or there is no room."""
        if host not in self._hosts and len(self._hosts) >= MAX_HOSTS:
            return False
        waiting = self._hosts.setdefault(host, deque())
        if item in waiting or len(waiting) >= MAX_PER_HOST:
            return False
        waiting.append(item)
        return True

    def take(self) -> T | None:
        """The item whose turn it is; None if nothing waits."""
        if not self._hosts:
            return None
        host, waiting = self._hosts.popitem(last=False)
        item = waiting.popleft()
        if waiting:
            self._hosts[host] = waiting
        return item

"""An inventory of devices that are torch's ``cpu``: real runs, pretended memory."""

from __future__ import annotations

from collections.abc import Callable

from swarm.devices import Card

GIB = 1 << 30


class FakeInventory:
    """
    Some devices that are not there.

    Args:
        cards: What it lists.
        used: Bytes in use on any of them, asked again each time; None: nobody knows.
    """

    def __init__(self, *cards: Card, used: Callable[[], int | None] = lambda: 0) -> None:
        self._cards = cards
        self._used = used

    def cards(self) -> tuple[Card, ...]:
        return self._cards

    def used_bytes(self, card: str) -> int | None:
        return self._used() if card in {each.id for each in self._cards} else None


def fake_card(number: int, name: str = "Fake", memory: int = 8) -> Card:
    """A device that torch finds under ``cpu``."""
    return Card(f"FAKE-{name}-{number}", "cpu", name, memory * GIB)

"""
What a relay allows: who may be led to, how many circuits, how much goes through one.

A peer that cannot be dialled keeps a *reservation* with a relay that it is connected
to; others reach it by a *circuit* through that relay. The relay sees who talks to whom
and how much; what goes through is encrypted between the two ends.

Law: numbers and bookkeeping only; every table has an end, and time is an argument.
`gossip.libp2p_relay` does what is decided here.

Source: https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from gossip.transport import PeerId


@dataclass(frozen=True, slots=True)
class Place:
    """
    What a node knows of where it is, by what peers told it.

    Attributes:
        is_reached: Whether one of them reached a port it listens on.
        seen_at: The IP addresses that they saw it at.
    """

    is_reached: bool = False
    seen_at: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """
    Of one relay.

    Attributes:
        reservations, reservations_per_ip: At a time.
        reservation_s: How long one is good; it can be renewed.
        circuits, circuits_per_peer: At a time; of a peer at either end.
        circuit_s, circuit_bytes: After either, a circuit is cut.
        bytes_per_second: Of one circuit, each way.
    """

    reservations: int = 64
    reservations_per_ip: int = 8
    reservation_s: int = 3600
    circuits: int = 64
    circuits_per_peer: int = 8
    circuit_s: int = 2 * 3600
    circuit_bytes: int = 256 * 2**20
    bytes_per_second: int = 2**20


@dataclass(frozen=True, slots=True)
class _Reservation:
    ip: str
    until_s: float


class Bookings:
    """The reservations and circuits of one relay."""

    def __init__(self, limits: CircuitLimits) -> None:
        self.limits = limits
        self._reservations: dict[PeerId, _Reservation] = {}
        self._ends: Counter[PeerId] = Counter()
        self._circuits = 0

    def reserve(self, peer: PeerId, ip: str, now_s: float) -> bool:
        """Make or renew the reservation of a peer that comes from an address; False: no room."""
        held = {p: r for p, r in self._reservations.items() if r.until_s > now_s and p != peer}
        self._reservations = held
        from_there = sum(each.ip == ip for each in held.values())
        if len(held) >= self.limits.reservations or from_there >= self.limits.reservations_per_ip:
            return False
        held[peer] = _Reservation(ip, now_s + self.limits.reservation_s)
        return True

    def holds(self, peer: PeerId, now_s: float) -> bool:
        """Whether a peer may be led to."""
        held = self._reservations.get(peer)
        return held is not None and held.until_s > now_s

    @contextmanager
    def circuit(self, one: PeerId, other: PeerId) -> Generator[bool]:
        """One more circuit while the block lasts; False: no room, and none is counted."""
        most = self.limits.circuits_per_peer
        room = self._circuits < self.limits.circuits
        if not room or self._ends[one] >= most or self._ends[other] >= most:
            yield False
            return
        self._circuits += 1
        self._ends.update((one, other))
        try:
            yield True
        finally:
            self._circuits -= 1
            self._ends.subtract((one, other))
            self._ends = +self._ends

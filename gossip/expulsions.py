"""
Who is let go, because it sends what no honest peer does.

Law: who is expelled is told nothing for a minute, on whatever connection it comes back,
and what its addresses may do in arrivals pays for it. Nobody else is kept out.
"""

from __future__ import annotations

import logging
from typing import Any

import trio
from libp2p.abc import IHost
from libp2p.peer.id import ID

from gossip.limits import Limits
from gossip.meters import Meters
from swarm.reach import site_of

_log = logging.getLogger(__name__)

EXPELLED_S = 60.0
EXPELLED_AT_MOST = 4096


class Expulsions:
    """
    Counts faults, and knows who is expelled now.

    Args:
        arrived: The connections that each IP address has made, against what it may make.
    """

    def __init__(self, host: IHost, limits: Limits, arrived: Meters[str]) -> None:
        self._host = host
        self._faults: Meters[ID] = Meters(limits.faults)
        self._arrived, self._price = arrived, limits.arrivals_per_expelled
        self._until: dict[ID, float] = {}

    def __contains__(self, peer: ID) -> bool:
        """Whether a peer is expelled now."""
        until = self._until.get(peer)
        if until is not None and trio.current_time() >= until:
            del self._until[peer]
        return peer in self._until

    def note_fault(self, peer: ID) -> None:
        """Count what no honest peer sends; one that does it again and again is expelled."""
        if self._faults.take(peer) or peer in self:
            return
        _log.info("expelled %s for %.0f s: it sends what nobody would accept", peer, EXPELLED_S)
        self._until[peer] = trio.current_time() + EXPELLED_S
        while len(self._until) > EXPELLED_AT_MOST:
            del self._until[next(iter(self._until))]
        for site in self._sites_of(peer):
            self._arrived.charge(site, self._price)

    async def hang_up(self, muxed: Any, peer: ID) -> None:
        """End this connection, which the host need not know yet, and all others of its peer."""
        for end in (muxed.close, lambda: self._host.get_network().close_peer(peer)):
            try:
                await end()
            except Exception as error:  # noqa: BLE001 - a dying connection may fail in any way
                _log.debug("could not hang up on %s: %r", peer, error)

    def _sites_of(self, peer: ID) -> set[str]:
        """The addresses that a peer's own connections count as."""
        found = set[str]()
        for connection in self._host.get_network().get_connections(peer):
            raw: Any = getattr(connection.muxed_conn, "secured_conn", None)
            remote = raw.get_remote_address() if raw is not None else None
            if remote:
                found.add(site_of(str(remote[0])))
        return found

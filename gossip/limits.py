"""
What one peer, or one address, may ask of a node's network side.

Law: numbers only; `gossip.guards` and `gossip.pace` keep them. An honest node of a busy
swarm stays far below each. A person sets those that depend on the machine.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gossip.meters import Allowance
from swarm.settings import NetworkSettings

ARRIVALS = Allowance(64, 4)
STREAMS = Allowance(256, 64)
MESSAGES = Allowance(2000, 400)
DATA = Allowance(16 * 2**20, 2 * 2**20)
WASTE = Allowance(64, 4)
FAULTS = Allowance(32, 0.5)
AUTHOR = Allowance(16, 2)
"""Records of one author that a node passes on by gossip; the rest comes by sync."""

NEWCOMERS = Allowance(16, 1)
"""Records of all authors together that a node has nothing of yet; as above."""

RELAYED = Allowance(100, 20)
"""Records of all authors together; as above."""

EAGER = Allowance(16, 1)
"""Records of all authors together that have used up half of their own share; as above."""

SIGNALS = Allowance(128, 16)
"""Signals that a node passes on: in a very large swarm each hears of its own corner."""


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What a host allows, and how often GossipSub tidies its mesh.

    Attributes:
        connections: In all, those that are only being made among them.
        connections_per_ip: Of these, from one address.
        arrivals_per_ip: New connections from one address.
        arrivals_per_expelled: Of these, what a peer that is expelled counts for.
        streams_per_peer: That a peer has open at once.
        streams: That a peer opens.
        messages: That a peer passes on; one that sends more is read more slowly.
        data: Bytes of gossip that a peer sends, as above.
        waste: Good messages above the shares in `gossip.relay` that a peer passes on; of
            one that sends more each counts for many.
        faults: Messages and questions that no honest peer sends; who sends more is expelled.
        dials: Of ours at once.
    """

    connections: int = 128
    connections_per_ip: int = 32
    arrivals_per_ip: Allowance = ARRIVALS
    arrivals_per_expelled: float = 16
    streams_per_peer: int = 32
    streams: Allowance = STREAMS
    messages: Allowance = MESSAGES
    data: Allowance = DATA
    waste: Allowance = WASTE
    faults: Allowance = FAULTS
    dials: int = 16
    heartbeat_s: float = 1.0


OF_A_NODE = Limits(messages=Allowance(256, 64))
"""
Of a node that keeps to `RELAYED`: whoever else does sends no more than this, the same
record from several peers included.
"""


def limits_of(settings: NetworkSettings) -> Limits:
    """The limits of a node, as its person wants them."""
    return replace(
        OF_A_NODE,
        connections=settings.max_connections,
        connections_per_ip=settings.max_connections_per_ip,
    )

"""
Whose replications count.

The neutral viewpoint hears every author alike, and knows nothing but the records:
it makes everyone's shared board the same. A viewpoint with anchors, this node and
the peers its owner named, hears the anchors, and a stranger only once it has
agreed with them about enough wins. That one alone guides what a node builds on.

Trust is earned by replications only: claiming wins, however good, earns none.
What it cannot do: a stranger that says what everyone would expect agrees without
working, and may then lie about one win in ten.

Law: pure; the same records and anchors give the same voices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from swarm.records import PeerId

AGREEMENTS = 3
"""Wins about which a stranger must have agreed with the anchors before it is heard."""
AGREEMENTS_PER_DISAGREEMENT = 10
"""And so many for each one it disagreed about: honest peers are rarely far off."""


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """
    From where replications are judged.

    Attributes:
        anchors: Peers that are believed: this node and those its owner named.
            None at all is the neutral viewpoint.
    """

    anchors: frozenset[PeerId] = frozenset()


NEUTRAL = Viewpoint()


def heard(
    viewpoint: Viewpoint,
    gains: Iterable[Mapping[PeerId, float]],
    bar: float,
    noise: float,
) -> frozenset[PeerId] | None:
    """
    The authors that a viewpoint hears.

    Args:
        gains: For each finding, the mean gain that each replicator measured.
        bar: Gains on the same side of it say the same.
        noise: How far apart two honest means may lie; those closer do not disagree.

    Returns:
        The authors, anchors included; None: everyone.
    """
    if not viewpoint.anchors:
        return None
    agreed: dict[PeerId, int] = {}
    disagreed: dict[PeerId, int] = {}
    for by_author in gains:
        anchored = [gain for author, gain in by_author.items() if author in viewpoint.anchors]
        if not anchored:
            continue
        ours = sum(anchored) / len(anchored)
        for author, gain in by_author.items():
            if (gain >= bar) == (ours >= bar):
                agreed[author] = agreed.get(author, 0) + 1
            elif abs(gain - ours) > noise:
                disagreed[author] = disagreed.get(author, 0) + 1
    earned = {
        author
        for author, count in agreed.items()
        if count >= max(AGREEMENTS, AGREEMENTS_PER_DISAGREEMENT * disagreed.get(author, 0))
    }
    return viewpoint.anchors | earned

"""
Finished experiments as a node looks at them: its own beside those of its peers.

Law: pure data. Whose experiment it was travels with it, because nobody's word
weighs as much as what this node measured itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from swarm.records import PeerId, Trial


@dataclass(frozen=True, slots=True)
class SeenTrial:
    """
    A finished experiment, and where it ran.

    Attributes:
        author: Who ran it.
        hardware_class: On what kind of machine.
        own: Whether this node ran it.
    """

    author: PeerId
    hardware_class: str
    own: bool
    trial: Trial

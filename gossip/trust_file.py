"""
The peers that a person named as trusted, in a file of the home.

Law: a name in this file makes that peer's replications count in this node's own
view from the start, and nothing else; what everybody sees is not touched. A file
that cannot be read is an error, never an empty list.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import cast

from gossip.home import HomeError
from swarm.peer_id import PeerIdError, public_key_of
from swarm.records import PeerId

MAX_PEERS = 1000
_MAX_BYTES = 128 * 1024


class TrustError(HomeError):
    """The list of trusted peers cannot be used; the message names the file and the fix."""


def load(path: Path) -> frozenset[PeerId]:
    """
    The peers in the file; none where there is no file.

    Raises:
        TrustError: It cannot be read, or holds something else than peer ids.
    """
    try:
        with path.open("rb") as file:
            found: object = json.loads(file.read(_MAX_BYTES))
    except FileNotFoundError:
        return frozenset()
    except (OSError, ValueError, RecursionError) as error:
        raise TrustError(f"{path} cannot be read ({error}): mend it or remove it") from error
    if not isinstance(found, list) or len(cast("list[object]", found)) > MAX_PEERS:
        raise TrustError(f"{path} is not a list of at most {MAX_PEERS} peers: mend or remove it")
    return frozenset(_peer_id(path, each) for each in cast("list[object]", found))


def save(path: Path, peers: Collection[PeerId]) -> None:
    """
    Replace the file in one step.

    Raises:
        TrustError: It cannot be written, or there are too many.
    """
    if len(peers) > MAX_PEERS:
        raise TrustError(f"{path} holds at most {MAX_PEERS} peers: remove one first")
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps(sorted(peers), indent=2) + "\n", "utf-8")
        fresh.replace(path)
    except OSError as error:
        raise TrustError(f"{path} cannot be written ({error.strerror})") from error


def _peer_id(path: Path, found: object) -> PeerId:
    try:
        public_key_of(cast("str", found))
    except (PeerIdError, TypeError, AttributeError) as error:
        raise TrustError(f"{path} holds {found!r:.80}, which is no peer id") from error
    return cast("str", found)

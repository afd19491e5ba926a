"""`swarm trust`: whose replications this node believes from the start."""

from __future__ import annotations

from pathlib import Path

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import print_json
from cli.text import plain
from gossip import trust_file
from gossip.home import open_home
from gossip.identity import load
from swarm.peer_id import PeerIdError, public_key_of


def trust(root: Path, peer: str | None, *, listed: bool, remove: bool, as_json: bool) -> None:
    """
    Name a peer as trusted, take its name off, or print all names.

    A running node reads the list again when it next chooses what to build on.

    Raises:
        CommandError: `peer` is missing, is no peer id, or is not on the list.
        HomeError: The list cannot be read or written.
    """
    home = open_home(root)
    named = set(trust_file.load(home.trust))
    if listed or (peer is None and as_json):
        _print(sorted(named), as_json)
        return
    chosen = _peer_id(peer)
    if home.identity.exists() and load(home.identity).peer_id == chosen:
        raise CommandError("that is this node itself: its own runs always count here")
    if remove and chosen not in named:
        raise CommandError(f"{chosen} is not trusted: `swarm trust --list` shows who is")
    trust_file.save(home.trust, named - {chosen} if remove else named | {chosen})
    print(f"no longer trusted: {chosen}" if remove else f"trusted: {chosen}")
    print(spelled("replications by trusted peers count in `swarm leaderboard --mine` and in what"))
    print("this node builds on; the shared board stays the same for everyone")


def _peer_id(peer: str | None) -> str:
    if peer is None:
        raise CommandError("name a peer: `swarm trust PEER`, or see `swarm trust --list`")
    try:
        public_key_of(peer)
    except PeerIdError as error:
        raise CommandError(
            f"{plain(peer)!r} is no peer id ({error}): `swarm show RECORD --json` has the author's"
        ) from error
    return peer


def _print(named: list[str], as_json: bool) -> None:
    if as_json:
        print_json({"trusted": named})
        return
    for peer in named:
        print(peer)
    if not named:
        print(spelled("nobody yet: `swarm trust PEER` names a peer"))

"""`swarm invite`: the line that makes another machine a member of a private topic."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from cli.failures import CommandError
from cli.hints import spelled
from cli.output import warn
from cli.since import span_ms
from gossip import topics
from gossip.home import Home
from gossip.identity import load_or_create
from gossip.multiaddress import AddressError, parse
from gossip.topics import Membership
from swarm.invite import MAX_ADDRS, Invite, write_invite


def invite(root: Path, name: str, *, expires: str, addresses: tuple[str, ...], qr: bool) -> None:
    """
    Print an invite, alone on the last line.

    Args:
        expires: A time span, or `never`.
        addresses: Where the node is reached from outside; none: where it listens.

    Raises:
        CommandError: A time span or address cannot be read.
        TopicError: There is no such topic here.
    """
    home = Home(root)
    member = topics.load(home, name)
    until = _expires_at_s(expires, int(time.time()))
    addrs = _addrs(home, member, addresses)
    if not addrs:
        warn(
            "this node has not listened anywhere yet, so the invite names no address: "
            + spelled(f"`swarm start --topic {name}` once, or name one with --address")
        )
    line = write_invite(Invite(name, member.key, member.task, addrs, member.closed, until))
    good = "for ever" if until is None else f"until {_moment(until)}"
    print(f"An invite to topic {name}, key {member.key.epoch}, good {good}. Whoever has it can")
    print("read and write all of the topic: hand it over like a password.")
    for addr in addrs:
        print(f"  it leads to {addr}")
    print("On the other machine: swarm join INVITE")
    if qr:
        from cli.qr_view import draw

        draw(line.upper())
    print(line)


def _expires_at_s(text: str, now_s: int) -> int | None:
    if text == "never":
        return None
    return now_s + max(1, span_ms(text) // 1000)


def _moment(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _addrs(home: Home, member: Membership, given: tuple[str, ...]) -> tuple[str, ...]:
    """Where this node can be reached, then where it was told that others can be."""
    own = load_or_create(home.identity).peer_id
    if given:
        mine = [_with_peer(addr, own) for addr in given]
    else:
        listed = home.read_status().get("listen_addrs")
        said = cast("list[object]", listed) if isinstance(listed, list) else []
        mine = _from_outside(str(addr) for addr in said)
        mine = [addr for addr in mine if addr.endswith(f"/p2p/{own}")]
    others = [addr for addr in member.addrs if not addr.endswith(f"/p2p/{own}")]
    return tuple(dict.fromkeys((*mine, *others)))[:MAX_ADDRS]


def _with_peer(text: str, own: str) -> str:
    try:
        address = parse(text)
    except AddressError as error:
        raise CommandError(f"--address: {error}") from error
    if address.peer not in (None, own):
        raise CommandError(f"--address {text} names another peer than this node, {own}")
    return f"{address.base}/p2p/{own}"


def _from_outside(addrs: Iterable[str]) -> list[str]:
    """The addresses that other machines can dial; where there are none, all."""
    every = list(addrs)
    outside = [addr for addr in every if not addr.startswith(("/ip4/127.", "/ip6/::1/"))]
    return outside or every

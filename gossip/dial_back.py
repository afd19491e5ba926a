"""
"Can you reach me?": a peer dials the address that it sees the asker at, and tells.

    asker ── ports it listens on ──►  peer
          ◄── the address it was seen at, what came of each port, two clock times ──

Law: a peer dials the one IP address that the question's connection comes from, never
one that somebody names: a question cannot be turned on a third machine. Ports are
few, questions rare for each asker and for each address, and a dial that succeeds ends
at once with the proof of who is there. Nothing a peer answers is believed but as one
peer's word.

Protocol: ``/research-swarm/dial-back/1.0.0``, one framed question, one framed answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal, cast, get_args

import trio

from gossip.calls import Duplex, FrameError, read_frame, write_frame
from gossip.skew import Offset, offset
from gossip.transport import CallError, PeerId
from swarm.canonical import CanonicalError, pack, unpack
from swarm.reach import site_of

PROTOCOL = "/research-swarm/dial-back/1.0.0"

Outcome = Literal["reached", "refused", "silent", "stranger"]
"""What came of dialling a port: the asker answered, nobody listens there, nothing came
back at all, or something answered that is not the asker."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MAX_PORTS = 2
MAX_BYTES = 1024
REACH_S = 4.0
ANSWER_S = 10.0
AT_ONCE = 4
AGAIN_S = 20.0
"""How soon one peer is answered again."""

PER_ADDRESS = 8
PER_ADDRESS_S = 60.0
"""So many questions from one address are answered in so many seconds."""

REMEMBERED = 1024

Reach = Callable[[str, int], Awaitable[Outcome]]
"""Dials an IP address and a port, and says who is there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """
    One peer's answer.

    Attributes:
        ip, port: Where the asker was seen to come from.
        ports: What came of each port that was to be dialled.
        clock: The peer's clock against the asker's.
    """

    ip: str
    port: int
    ports: Mapping[int, Outcome]
    clock: Offset


class DialBackDesk:
    """
    Answers "can you reach me?", rarely and a few at a time.

    Args:
        now_ms: The wall clock, Unix epoch milliseconds; its answers go to the asker.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._busy = 0
        self._peers: OrderedDict[PeerId, float] = OrderedDict()
        self._addresses: OrderedDict[str, list[float]] = OrderedDict()

    async def answer(
        self, stream: Duplex, peer: PeerId, seen_at: tuple[str, int] | None, reach: Reach
    ) -> None:
        """
        Answer one question within `ANSWER_S`, or reset its stream.

        Args:
            stream: It begins with the question.
            peer: Who asks.
            seen_at: Where the connection comes from; None where that is not known, as
                through a relay: then nothing is dialled and nothing answered.
            reach: Dials, and proves who is there.
        """
        if seen_at is None or self._busy >= AT_ONCE or not self._may_ask(peer, site_of(seen_at[0])):
            await stream.reset()
            return
        self._busy += 1
        try:
            with trio.move_on_after(ANSWER_S) as deadline:
                await self._answer(stream, seen_at, reach)
            if deadline.cancelled_caught:
                await stream.reset()
        except (FrameError, CanonicalError, ValueError):
            await stream.reset()
        finally:
            self._busy -= 1

    async def _answer(self, stream: Duplex, seen_at: tuple[str, int], reach: Reach) -> None:
        ports = _ports(_map(await read_frame(stream, MAX_BYTES)).get("ports"))
        received_ms = self._now_ms()
        came: dict[int, Outcome] = {}

        async def dial(port: int) -> None:
            came[port] = await reach(seen_at[0], port)

        async with trio.open_nursery() as nursery:
            for port in ports:
                nursery.start_soon(dial, port)
        said = {
            "ip": seen_at[0],
            "port": seen_at[1],
            "ports": [(port, came[port]) for port in ports],
            "received_ms": received_ms,
            "answered_ms": self._now_ms(),
        }
        await write_frame(stream, pack(said))
        await stream.close()

    def _may_ask(self, peer: PeerId, ip: str) -> bool:
        now = trio.current_time()
        lately = [at for at in self._addresses.pop(ip, []) if now < at + PER_ADDRESS_S]
        if now < self._peers.get(peer, -AGAIN_S) + AGAIN_S or len(lately) >= PER_ADDRESS:
            self._addresses[ip] = lately
            return False
        self._addresses[ip] = [*lately, now]
        self._peers[peer] = now
        self._peers.move_to_end(peer)
        for table in (self._peers, self._addresses):
            while len(table) > REMEMBERED:
                table.popitem(last=False)
        return True


async def ask(stream: Duplex, ports: Sequence[int], now_ms: Callable[[], int]) -> Seen:
    """
    Ask a peer to dial back; the deadline is the caller's.

    Args:
        stream: Fresh, to a peer that speaks `PROTOCOL`.
        ports: TCP ports that this node listens on; the first `MAX_PORTS` are asked about.
        now_ms: The wall clock, Unix epoch milliseconds.

    Raises:
        CallError: The peer does not answer, or with anything but an answer.
    """
    asked = tuple(dict.fromkeys(ports))[:MAX_PORTS]
    sent_ms = now_ms()
    await write_frame(stream, pack({"ports": asked}))
    try:
        said = _map(await read_frame(stream, MAX_BYTES))
        returned_ms = now_ms()
        rows = _list(said.get("ports"))
        ports_said: dict[int, Outcome] = {
            _port(_list(row)[0]): _outcome(_list(row)[1]) for row in rows[:MAX_PORTS]
        }
        received_ms, answered_ms = (_instant(said.get(f"{word}_ms")) for word in _TIMES)
        clock = offset(sent_ms, received_ms, answered_ms, returned_ms)
        ip = str(ip_address(_text(said.get("ip"))))
        came: dict[int, Outcome] = {port: ports_said[port] for port in asked if port in ports_said}
        return Seen(ip, _port(said.get("port")), came, clock)
    except (FrameError, CanonicalError, ValueError, IndexError) as error:
        raise CallError(f"the peer gave no good answer: {error}") from error


_TIMES = ("received", "answered")
_LAST_MS = 1 << 48


def _map(data: bytes) -> dict[str, object]:
    value = unpack(data, max_bytes=MAX_BYTES, max_items=16)
    if not isinstance(value, dict):
        raise ValueError("expected a map")
    return cast("dict[str, object]", value)


def _list(value: object) -> tuple[object, ...]:
    if not isinstance(value, tuple):
        raise ValueError("expected an array")
    return cast("tuple[object, ...]", value)


def _ports(value: object) -> tuple[int, ...]:
    ports = tuple(map(_port, _list(value)))
    if len(set(ports)) != len(ports) or len(ports) > MAX_PORTS:
        raise ValueError(f"at most {MAX_PORTS} different ports")
    return ports


def _port(value: object) -> int:
    if type(value) is not int or not 0 < value < 1 << 16:
        raise ValueError("not a port")
    return value


def _outcome(value: object) -> Outcome:
    for outcome in OUTCOMES:
        if value == outcome:
            return outcome
    raise ValueError("not an outcome")


def _instant(value: object) -> int:
    if type(value) is not int or not 0 <= value < _LAST_MS:
        raise ValueError("not a time")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value

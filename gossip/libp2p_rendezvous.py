"""
The rendezvous point: py-libp2p's, for one name and a bounded number of nodes.

A point takes registrations under the topic's key alone. The library's service opens a
table for every name that is asked for, and keeps it; here any other name is refused
before the library sees it. Of each peer there is one registration, of each IP address so
many, and none stays for longer than `TTL_S` unless it is made again.

Law: the library sees `gossip.libp2p_enclosed`, not the host. What an answer says is read
strictly, and is a hint; only connected peers are asked.

Source: https://github.com/libp2p/specs/blob/master/rendezvous/README.md
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from libp2p.abc import IHost
from libp2p.discovery.rendezvous.client import RendezvousClient
from libp2p.discovery.rendezvous.config import RENDEZVOUS_PROTOCOL as PROTOCOL
from libp2p.discovery.rendezvous.messages import (
    create_discover_response_message,
    create_register_response_message,
)
from libp2p.discovery.rendezvous.pb.rendezvous_pb2 import Message
from libp2p.discovery.rendezvous.service import RendezvousService
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from gossip.directories import Told
from gossip.libp2p_addrs import led_to
from gossip.libp2p_enclosed import EnclosedHost, Named, ip_of, keepers, quiet, told_of
from gossip.transport import PeerId

MAX_REGISTERED = 512
MAX_PER_IP = 32
MAX_ROWS = 64
"""So many registrations are told at a time; who asks again goes on where it stopped."""

MAX_COOKIE_BYTES = 256
TTL_S = 1800


class Rendezvous:
    """
    Registers with connected points and asks them; a `gossip.directories.Directory`.

    Args:
        host: A guarded host.
        key: Of the topic; in hex it is the name to register under.
        point: Whether to be a point for others, from now on.
    """

    def __init__(self, host: IHost, key: bytes, *, point: bool) -> None:
        quiet("libp2p.discovery.rendezvous")
        self._host = host
        self._name = key.hex()
        self._enclosed = cast(IHost, EnclosedHost(host, PROTOCOL, _named_in))
        self._cookies: dict[PeerId, bytes] = {}
        self.point = Point(self._enclosed, host, self._name) if point else None

    def keepers(self) -> tuple[PeerId, ...]:
        """The connected peers that are rendezvous points."""
        found = keepers(self._host, PROTOCOL)
        self._cookies = {peer: at for peer, at in self._cookies.items() if peer in found}
        return found

    async def look_up(self, peer: PeerId) -> Told:
        """
        Register with a connected point, and ask for the next of those that it knows.

        Raises:
            Exception: Whatever a point, its answer or the library can raise.
        """
        client = RendezvousClient(self._enclosed, ID.from_string(peer))
        await client.register(self._name, TTL_S)
        last = self._cookies.get(peer, b"")
        infos, cookie = await client.discover(self._name, MAX_ROWS, last)
        self._cookies[peer] = cookie if len(cookie) <= MAX_COOKIE_BYTES else b""
        others = [info for info in infos[:MAX_ROWS] if info.peer_id != self._host.get_id()]
        found = {
            str(info.peer_id): told_of(self._host, info.peer_id, info.addrs) for info in others
        }
        return {named: addrs for named, addrs in found.items() if addrs}


class Point(RendezvousService):
    """
    The library's service, for one name.

    Args:
        enclosed: What it sees of the host; it answers from now on.
        host: The host itself.
        name: The one name.
    """

    def __init__(self, enclosed: IHost, host: IHost, name: str) -> None:
        super().__init__(enclosed)
        self._real = host
        self._name = name
        self._ips: dict[ID, str] = {}
        self.registrations[name] = {}

    def _handle_register(self, peer_id: ID, register_msg: Message.Register) -> Message:
        """Register the asker, at those of its addresses that lead to it, while there is room."""
        if register_msg.ns != self._name:
            return create_register_response_message(Message.ResponseStatus.E_INVALID_NAMESPACE)
        addrs = led_to(self._real, peer_id, _read(register_msg.peer.addrs))
        if not addrs:
            return create_register_response_message(Message.ResponseStatus.E_INVALID_PEER_INFO)
        ip = ip_of(self._real, peer_id)
        if not self._has_room(peer_id, ip):
            return create_register_response_message(Message.ResponseStatus.E_UNAVAILABLE)
        taken = Message.Register(ns=self._name, ttl=min(register_msg.ttl, TTL_S))
        taken.peer.id = register_msg.peer.id
        taken.peer.addrs.extend(Multiaddr(addr).to_bytes() for addr in addrs)
        answer = super()._handle_register(peer_id, taken)
        if answer.registerResponse.status == Message.ResponseStatus.OK:
            self._ips[peer_id] = ip
        return answer

    def _handle_unregister(self, peer_id: ID, unregister_msg: Message.Unregister) -> None:
        if unregister_msg.ns == self._name:
            super()._handle_unregister(peer_id, unregister_msg)

    def _handle_discover(self, peer_id: ID, discover_msg: Message.Discover) -> Message:
        """Some of those who are registered, under the one name."""
        if discover_msg.ns != self._name:
            refused = Message.ResponseStatus.E_INVALID_NAMESPACE
            return create_discover_response_message([], b"", refused)
        asked = Message.Discover(ns=self._name, cookie=discover_msg.cookie[:4])
        asked.limit = min(max(1, discover_msg.limit), MAX_ROWS)
        return super()._handle_discover(peer_id, asked)

    def _has_room(self, peer: ID, ip: str) -> bool:
        self._cleanup_expired_registrations(self._name)
        held = self.registrations[self._name]
        self._ips = {each: at for each, at in self._ips.items() if each in held}
        of_ip = sum(at == ip for at in self._ips.values())
        return peer in held or (len(held) < MAX_REGISTERED and of_ip < MAX_PER_IP)


def _read(addrs: Iterable[bytes]) -> list[Multiaddr]:
    found: list[Multiaddr] = []
    for data in addrs:
        try:
            found.append(Multiaddr(data))
        except (ValueError, LookupError):
            continue
    return found


def _named_in(data: bytes) -> Named:
    message = Message()
    message.ParseFromString(data)
    yield message.unregister.id, ()
    for row in (message.register, *message.discoverResponse.registrations):
        yield row.peer.id, row.peer.addrs

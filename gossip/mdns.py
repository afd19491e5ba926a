"""
Finding peers on the same local network, by multicast DNS.

A node announces a service of a type that follows from its topic, under a name drawn at
each start, with its addresses in the local network as ``dnsaddr=`` texts; and it listens
for services of that type. Who does not have the topic can neither tell which one it is
nor ask for it. Only private addresses are announced, asked on and believed: on a machine
without one, or that listens on loopback alone, nothing is sent.

Law: whoever is on the local network can send anything here. Names wait in a short queue,
few are looked up at a time, and what they lead to is a hint (`gossip.discovery`), told no
faster than hints can be dialled, host after host: who invents peers at other addresses of
the network makes the real one wait for its turn, and for no more.

Source: https://github.com/libp2p/specs/blob/master/discovery/mdns.md; the service type is
a topic's own, so that peers of other topics are not even seen.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import secrets
from base64 import b32encode
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import trio

from gossip.discovery import Allowance, Heard, WayError, by_peer
from gossip.multiaddress import Address, AddressError, parse
from gossip.transport import PeerId
from gossip.turns import Turns

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

MAX_ADDRS = 6
MAX_TEXT_BYTES = 4096
MAX_WAITING = 64
LOOK_UPS_AT_ONCE = 16
LOOK_UP_MS = 1500
POLL_S = 0.5
LOOK_AT_INTERFACES_S = 5.0
ANEW_S = 120.0
CLOSE_S = 5.0
TOLD_AT_ONCE, TOLD_PER_SECOND = 16, 2
MAX_NAMES = 2048
"""So many names make us begin anew: zeroconf remembers each, and a real one is told again."""

REST_S = 2.0
_SAYS = b"dnsaddr"
_NEAR = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        # Set aside for examples and tests (RFC 5737, 2544): no more routed than those above,
        # and what many a sandbox gives its machines.
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "198.18.0.0/15",
    )
]


class Mdns:
    """
    The way of a local network.

    Args:
        topic_key: Of the topic, known to those who may take part in it.
        listen_addrs: Where this node listens now, full multiaddrs.
    """

    name = "local network"

    def __init__(self, topic_key: bytes, listen_addrs: Callable[[], Sequence[str]]) -> None:
        self._service = service_type(topic_key)
        self._listen_addrs = listen_addrs
        self._turns: Turns[tuple[PeerId, tuple[str, ...]]] = Turns()
        self._allowance = Allowance(TOLD_PER_SECOND, TOLD_AT_ONCE)

    async def run(self, heard: Heard) -> None:
        """
        Announce and listen, anew when the addresses of this machine change and now and then.

        Names are told once only; what got lost among many comes again when we begin anew.

        Raises:
            WayError: Multicast cannot be used here.
        """
        while True:
            addrs = near(self._listen_addrs())
            if not addrs:
                await trio.sleep(LOOK_AT_INTERFACES_S)
                continue
            station = Station(self._service)
            try:
                await trio.to_thread.run_sync(station.open, addrs)
                await self._listen(station, addrs, heard)
            except OSError as error:
                raise WayError(f"multicast does not work here ({error})") from error
            finally:
                with trio.move_on_after(CLOSE_S, shield=True):
                    await trio.to_thread.run_sync(station.close, abandon_on_cancel=True)

    async def _listen(self, station: Station, addrs: Sequence[Address], heard: Heard) -> None:
        """Look up what was announced, until this machine has other addresses or it is time."""
        look_again_s = trio.current_time() + LOOK_AT_INTERFACES_S
        end_s = trio.current_time() + ANEW_S
        while trio.current_time() < end_s:
            if trio.current_time() >= look_again_s:
                if near(self._listen_addrs()) != addrs:
                    return
                look_again_s = trio.current_time() + LOOK_AT_INTERFACES_S
            async with trio.open_nursery() as nursery:
                for name in station.announced(LOOK_UPS_AT_ONCE):
                    nursery.start_soon(self._look_up, station, name)
            self.tell(heard)
            await trio.sleep(POLL_S)
            if station.heard >= MAX_NAMES:
                await trio.sleep(REST_S)
                return

    async def _look_up(self, station: Station, name: str) -> None:
        text = await trio.to_thread.run_sync(station.look_up, name, abandon_on_cancel=True)
        self.said(near(said_in(text)))

    def said(self, addrs: Sequence[Address]) -> None:
        """Queue what somebody says of a peer: the first that is named, at its addresses."""
        for peer, texts in by_peer([str(address) for address in addrs]).items():
            self._turns.add(addrs[0].host, (peer, texts))
            return

    def tell(self, heard: Heard) -> None:
        """Tell as many of the peers whose turn it is as there is room for."""
        while len(self._turns) and self._allowance.take():
            if told := self._turns.take():
                heard(*told)


def service_type(topic_key: bytes) -> str:
    """The service type of a topic; it tells nothing about the topic."""
    digest = hashlib.blake2b(topic_key, digest_size=8, person=b"rs mdns service").digest()
    return f"_rs{b32encode(digest).decode().lower()[:12]}._udp.local."


def near(addrs: Sequence[str]) -> list[Address]:
    """Those addresses that lie in a local network and lead straight to a peer, a few of them."""
    found: list[Address] = []
    for text in addrs[:64]:
        try:
            address = parse(text)
        except AddressError:
            continue
        if address.peer and address.port and address.relay is None and _is_near(address):
            found.append(address)
    return found[:MAX_ADDRS]


def texts_of(addrs: Sequence[Address]) -> bytes:
    """The addresses as DNS-SD texts, each behind its length in one byte."""
    texts = [_SAYS + b"=" + str(address).encode() for address in addrs]
    return b"".join(bytes([len(text)]) + text for text in texts if len(text) < 256)


def said_in(text: bytes) -> list[str]:
    """The addresses in DNS-SD texts, whatever else is there."""
    return [
        each.partition(b"=")[2].decode("ascii", "replace")
        for each in _texts(text[:MAX_TEXT_BYTES])
        if each.partition(b"=")[0].rstrip(b"0123456789") == _SAYS
    ]


def _texts(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        yield data[at + 1 : at + 1 + data[at]]
        at += 1 + data[at]


def _is_near(address: Address) -> bool:
    if address.family not in ("ip4", "ip6"):
        return False
    ip = ipaddress.ip_address(address.host)
    return any(ip in network for network in _NEAR if network.version == ip.version)


class Station:
    """
    One zeroconf at work. Its methods block, but `announced`; call them in a thread.

    zeroconf runs a thread of its own, which never calls into trio: it leaves the names
    it hears in a queue that forgets the oldest.
    """

    def __init__(self, service: str) -> None:
        self._service = service
        self._name = f"{secrets.token_hex(16)}.{service}"
        self._names: deque[str] = deque(maxlen=MAX_WAITING)
        self._zeroconf: Zeroconf | None = None
        self.heard = 0
        """Names that were told since it opened."""

    def open(self, addrs: Sequence[Address]) -> None:
        """
        Announce these addresses and begin to listen in their networks.

        Raises:
            OSError: There is no multicast.
        """
        from zeroconf import Error, IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

        logging.getLogger("zeroconf").setLevel(logging.ERROR)
        hosts = [address.host for address in addrs if address.family == "ip4"]
        if not hosts:
            return
        self._zeroconf = Zeroconf(interfaces=hosts, ip_version=IPVersion.V4Only)
        info = ServiceInfo(
            self._service,
            self._name,
            addresses=[ipaddress.ip_address(host).packed for host in hosts],
            port=addrs[0].port,
            properties=texts_of(addrs),
            server=f"{self._name.partition('.')[0]}.local.",
        )
        try:
            ServiceBrowser(self._zeroconf, self._service, handlers=[self._note])
            self._zeroconf.register_service(info, cooperating_responders=True)
        except Error as error:
            raise OSError(f"{type(error).__name__}: {error}") from error

    def announced(self, most: int) -> list[str]:
        """Names heard and not looked up yet; by turns the oldest and the latest, for fairness."""
        ends = (self._names.popleft, self._names.pop)
        return [ends[number % 2]() for number in range(min(most, len(self._names)))]

    def look_up(self, name: str) -> bytes:
        """What a name says of itself; nothing if it does not answer."""
        from zeroconf import Error

        if self._zeroconf is None:
            return b""
        try:
            info = self._zeroconf.get_service_info(self._service, name, LOOK_UP_MS)
        except (Error, TimeoutError, RuntimeError, ValueError):
            return b""
        return b"" if info is None else bytes(info.text or b"")

    def close(self) -> None:
        """Take the announcement back."""
        if self._zeroconf is not None:
            self._zeroconf.close()

    def _note(
        self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange
    ) -> None:
        if state_change.name != "Removed" and name != self._name and name not in self._names:
            self._names.append(name)
            self.heard += 1

"""
The DHT: py-libp2p's Kademlia, as far as a node here wants it.

It answers on the wire of the Kademlia DHT and remembers who provides what, as it is asked
to, in a bounded table. It asks connected peers for providers of the topic's key. It walks
nowhere: the library's client opens streams to whoever an answer names, at whatever
addresses, to get closer to a key; here whom to dial is `gossip.redial`'s decision. So
answers name nobody as closer, and its service, which keeps a routing table fresh by such
walks, is never run.

Law: the library sees `gossip.libp2p_enclosed`, not the host. Values of strangers are not
stored. What an answer says is read strictly, and is a hint.

Source: https://github.com/libp2p/specs/blob/master/kad-dht/README.md; the protocol has a
name of its own, so that nobody takes this for a part of another network's DHT.
"""

from __future__ import annotations

from typing import cast

import trio
from libp2p.abc import IHost
from libp2p.custom_types import TProtocol
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.kad_dht.pb.kademlia_pb2 import Message, Record
from libp2p.kad_dht.provider_store import ProviderStore
from libp2p.kad_dht.value_store import ValueStore
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import PeerInfo
from multiaddr import Multiaddr

from gossip.directories import Told
from gossip.libp2p_addrs import led_to
from gossip.libp2p_enclosed import EnclosedHost, Named, ip_of, keepers, quiet, told_of
from gossip.provided import Provided
from gossip.transport import CallError, PeerId

PROTOCOL = TProtocol("/research-swarm/kad/1.0.0")
MAX_ROWS = 64
AT_ONCE = 64
"""Questions that are answered at a time; the library has 12 places, for who asks and who waits."""

_SHA2_256 = b"\x12\x20"


class Dht(KadDHT):
    """
    A server of the DHT, and a client of the connected ones; a `gossip.directories.Directory`.

    Args:
        host: A guarded host; it answers from now on.
        key: Of the topic, 32 bytes.
    """

    def __init__(self, host: IHost, key: bytes) -> None:
        quiet("libp2p.kad_dht")
        self._real = host
        enclosed = cast(IHost, EnclosedHost(host, PROTOCOL, _named_in))
        super().__init__(enclosed, DHTMode.SERVER, strict_validation=True)
        self._providers = Providers(enclosed, host, _SHA2_256 + key)
        self.provider_store = self._providers
        self.value_store = _NoValues(enclosed, host.get_id())
        self._inbound_limiter = trio.CapacityLimiter(AT_ONCE)

    async def add_peer(self, peer_id: ID, *, skip_server_mode_check: bool = False) -> bool:
        """Nobody is put into the routing table, so nobody is told of who asks."""
        await trio.lowlevel.checkpoint()
        return False

    def keepers(self) -> tuple[PeerId, ...]:
        """The connected peers that serve the DHT."""
        return keepers(self._real, PROTOCOL)

    async def look_up(self, peer: PeerId) -> Told:
        """
        Provide at a connected peer, and ask it for the providers that it knows.

        Raises:
            CallError: It took no note.
        """
        server = ID.from_string(peer)
        if not await self._providers.provide_at(server):
            raise CallError(f"{peer} took no note of this node")
        found = dict[PeerId, tuple[str, ...]]()
        for info in await self._providers.known_at(server):
            if info.peer_id != self._real.get_id():
                found[str(info.peer_id)] = told_of(self._real, info.peer_id, info.addrs)
        return {named: addrs for named, addrs in found.items() if addrs}


class Providers(ProviderStore):
    """The library's questions and answers about providers, over a bounded table."""

    def __init__(self, enclosed: IHost, host: IHost, key: bytes) -> None:
        super().__init__(enclosed)
        self._real = host
        self._key = key
        self.table = Provided[PeerInfo](key, trio.current_time)

    async def provide_at(self, peer: ID) -> bool:
        """Tell one connected peer that this node is there under its topic's key."""
        return await self._send_add_provider(peer, self._key)

    async def known_at(self, peer: ID) -> list[PeerInfo]:
        """Whom one connected peer knows under the topic's key; a bounded number."""
        found, _ = await self._get_providers_from_peer_with_closers(peer, self._key)
        return found[:MAX_ROWS]

    def add_provider(self, key: bytes, provider: PeerInfo) -> None:
        """Remember a peer that provides, at those of its addresses that lead to it."""
        peer = provider.peer_id
        if addrs := led_to(self._real, peer, provider.addrs):
            info = PeerInfo(peer, [Multiaddr(addr) for addr in addrs])
            self.table.add(key, str(peer), ip_of(self._real, peer), info)

    def get_providers(self, key: bytes) -> list[PeerInfo]:
        """Who provides a key, as far as that was said of late."""
        return self.table.at(key)


class _NoValues(ValueStore):
    """Values that anybody might leave here are refused."""

    def put_record(self, key: bytes, record: Record) -> None:
        raise ValueError("this node stores no values")


def _named_in(data: bytes) -> Named:
    message = Message()
    message.ParseFromString(data)
    if message.type == Message.MessageType.FIND_NODE:
        yield message.key, ()
    for peer in (*message.providerPeers, *message.closerPeers):
        yield peer.id, peer.addrs

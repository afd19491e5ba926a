"""An id of 40 KB costs whoever is told of it no more than reading it."""

from __future__ import annotations

import pytest
import trio
from libp2p.abc import IHost
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.envelope import seal_record
from libp2p.peer.id import ID
from libp2p.peer.peer_record import PeerRecord
from libp2p.pubsub.pb import rpc_pb2
from libp2p.utils.varint import encode_varint_prefixed
from multiaddr import Multiaddr
from multiaddr.exceptions import BinaryParseError

from gossip import libp2p_ids
from gossip.fast import framed
from gossip.identity import new_identity
from gossip.libp2p_ids import MAX_ADDR_BYTES, MAX_ID_BYTES
from gossip.multiaddress import AddressError, parse
from tests.gossip.beats import no_stall
from tests.gossip.stock import (
    TOPIC,
    attacker,
    gossip_stream,
    guarded_node,
    rpc,
    serves,
    signed,
)

LONG = b"\xff" * 40_000
TCP, P2P = Multiaddr("/ip4/192.0.2.1/tcp/4001").to_bytes(), b"\xa5\x03"


def test_an_id_of_any_length_is_written_down_at_once() -> None:
    """As it was, up to what an id has; beyond, as something that is no id and tells two apart."""
    libp2p_ids.apply()
    real = ID.from_pubkey(create_new_key_pair().public_key)
    assert ID.from_string(str(real)) == real
    assert str(ID(bytes(MAX_ID_BYTES))) == "1" * MAX_ID_BYTES
    long = [str(ID(LONG[:size])) for size in (MAX_ID_BYTES + 1, 39_999, 40_000)]
    assert len(set(long)) == 3
    assert str(ID(LONG)) == long[2]
    for text in long:
        assert len(text) < 64
        with pytest.raises(AddressError):
            parse(f"/ip4/192.0.2.1/tcp/4001/p2p/{text}")


@pytest.mark.parametrize("size", [MAX_ADDR_BYTES, 60_000])
def test_an_address_that_is_too_long_is_malformed(size: int) -> None:
    libp2p_ids.apply()
    data = TCP + P2P + encode_varint_prefixed(b"\x12" + b"\xff" * (size - 1))
    with pytest.raises(BinaryParseError) as raised:
        str(Multiaddr(data))
    assert len(str(raised.value)) < 500


def pruned(host: IHost, peer: ID, addr: str = "/ip4/192.0.2.1/tcp/4001") -> bytes:
    """A PRUNE that says where a peer is, in a record that somebody else signed."""
    record = seal_record(PeerRecord(peer, [Multiaddr(addr)]), host.get_private_key())
    told = rpc_pb2.PeerInfo(peerID=peer.to_bytes(), signedPeerRecord=record.marshal_envelope())
    prune = rpc_pb2.ControlPrune(topicID=TOPIC, backoff=1, peers=[told] * 4)
    message = rpc_pb2.RPC(control=rpc_pb2.ControlMessage(prune=[prune]))
    return encode_varint_prefixed(message.SerializeToString())


async def test_a_gossip_message_may_name_anybody() -> None:
    """As its publisher, or as a peer that is exchanged; the next one is heard."""
    async with guarded_node() as node, attacker() as host:
        message = signed(host, b"x")
        message.from_id = LONG
        odd = rpc_pb2.RPC(senderRecord=LONG, publish=[message])
        for sent in (rpc(message), pruned(host, ID(LONG)), framed(odd)):
            stream = await gossip_stream(host, node.addr)
            async with no_stall():
                await stream.write(sent)
        assert await serves(node)


async def test_a_peer_that_is_exchanged_is_not_dialled() -> None:
    """A stock router dials whomever a PRUNE names, at any address; here redialling decides."""
    came: list[int] = []

    async def accept(stream: trio.SocketStream) -> None:
        came.append(1)
        await stream.aclose()

    async with guarded_node() as node, attacker() as host, trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, accept, [listener])
        port = listener.socket.getsockname()[1]
        stream = await gossip_stream(host, node.addr)
        named = ID.from_string(new_identity().peer_id)
        await stream.write(pruned(host, named, f"/ip4/127.0.0.1/tcp/{port}"))
        await trio.sleep(1)
        nursery.cancel_scope.cancel()
    assert came == []

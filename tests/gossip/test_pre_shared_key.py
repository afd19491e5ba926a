"""A network closed by a pre-shared key: in with the key, and nothing without."""

from __future__ import annotations

import pytest
import trio

from gossip.identity import new_identity
from gossip.libp2p_transport import Libp2pTransport, open_libp2p_transport
from gossip.transport import DialError, PeerId, TransportError
from tests.gossip.waiting import until

LOOPBACK = ["/ip4/127.0.0.1/tcp/0"]
KEY, OTHER = "ab" * 32, "cd" * 32


async def echo(peer: PeerId, request: bytes) -> bytes:
    return request


async def refused(one: Libp2pTransport, other: Libp2pTransport) -> None:
    """A dial ends, by its deadline or before, and nobody is connected."""
    with trio.fail_after(60), pytest.raises(DialError, match="is that node running"):
        await one.dial(other.listen_addrs[0], timeout_s=0.5)
    assert one.peers() == ()


async def test_only_who_has_the_key_gets_in_and_a_dial_without_it_ends() -> None:
    async with (
        open_libp2p_transport(new_identity(), "/t", LOOPBACK, pre_shared_key=KEY) as host,
        open_libp2p_transport(new_identity(), "/t", LOOPBACK, pre_shared_key=KEY) as friend,
        open_libp2p_transport(new_identity(), "/t", LOOPBACK, pre_shared_key=OTHER) as wrong,
        open_libp2p_transport(new_identity(), "/t", LOOPBACK) as without,
    ):
        host.serve(echo)
        await refused(wrong, host)
        await refused(without, host)
        await refused(host, without)
        assert host.peers() == ()
        assert await friend.dial(host.listen_addrs[0]) == host.peer_id
        assert await friend.call(host.peer_id, b"in") == b"in"
        await until(lambda: friend.peer_id in host.peers(), 60)


@pytest.mark.parametrize("key", ["", "zz", "ab" * 31, "AB" * 32, "zz" * 32, "ab" * 32 + "\n"])
async def test_a_key_of_another_form_is_refused_before_anything_starts(key: str) -> None:
    with pytest.raises(TransportError, match="64 hex digits"):
        async with open_libp2p_transport(new_identity(), "/t", LOOPBACK, pre_shared_key=key):
            pass

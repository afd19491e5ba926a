"""Connections are watched by the kernel, on both ends."""

from __future__ import annotations

import socket
from typing import Any, cast

import trio

from gossip import dead_links
from gossip.dead_links import UNHEARD_MS, watch
from tests.gossip.stock import attacker, connect, guarded_node


async def test_both_ends_of_a_connection_are_watched() -> None:
    """Each stream of a host of ours, whoever dialled."""
    made = list[trio.SocketStream]()
    async with guarded_node() as node, attacker() as host:
        module = cast(Any, dead_links)
        watched = module._init

        def noting(self: Any, stream: trio.SocketStream) -> None:
            watched(self, stream)
            made.append(stream)

        module._init = noting
        try:
            await connect(host, node.addr)
        finally:
            module._init = watched
        assert len(made) == 2
        for stream in made:
            assert stream.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                option = socket.TCP_USER_TIMEOUT
                assert stream.getsockopt(socket.IPPROTO_TCP, option) == UNHEARD_MS


async def test_a_connection_that_has_ended_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
    await stream.aclose()
    watch(stream)

"""
Noticing that the other end of a connection is cut off: the kernel's timers, set short.

A connection whose packets go nowhere lives on for a quarter of an hour: TCP sends again
at growing intervals, so that even when the network is whole again a minute passes
before a byte gets through, and nobody dials as long as there is a connection. With
these options it ends within half a minute, and whoever keeps us connected dials anew.

Source: RFC 5482 (TCP user timeout), tcp(7).
"""

from __future__ import annotations

import socket
from typing import Any, cast

import trio
from libp2p.io.trio import TrioTCPStream

UNHEARD_MS = 20_000
"""What was sent and not acknowledged for so long ends a connection."""

IDLE_S, PROBE_S, PROBES = 10, 5, 2
"""When nothing is sent: how soon to ask whether the other end is there, and how often."""

_OPTIONS = {
    "TCP_KEEPIDLE": IDLE_S,
    "TCP_KEEPINTVL": PROBE_S,
    "TCP_KEEPCNT": PROBES,
    "TCP_USER_TIMEOUT": UNHEARD_MS,
}
_init = cast(Any, TrioTCPStream).__init__


def apply() -> None:
    """Set the timers of every connection from now on; those that a system has."""
    cast(Any, TrioTCPStream).__init__ = _watched


def _watched(self: Any, stream: trio.SocketStream) -> None:
    _init(self, stream)
    watch(stream)


def watch(stream: trio.SocketStream) -> None:
    """Set the timers of a connection; one that has just ended is left alone."""
    try:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _OPTIONS.items():
            if hasattr(socket, name):
                stream.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    except OSError:
        return

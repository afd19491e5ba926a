"""
Connections, and how they end.

anycorn speaks HTTP on each of them; accepting them is done here, because its own loop
shields what it sends: one client that stops reading would keep a node from stopping.
Here a connection on which nothing could be sent for a while is closed, and at the end
every one is.

Law: bounded in number and in time; `serve` ends within a second of `stop`.
"""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.abc
import trio
from anycorn import Config
from anycorn.tcp_server import TCPServer
from anycorn.typing import ConnectionState
from anycorn.worker_context import WorkerContext
from starlette.types import ASGIApp, Message

CONNECTIONS = 512
STALL_SECONDS = 15.0
GRACE_SECONDS = 0.5
SEND_BUFFER_BYTES = 64 * 1024
"""What the kernel holds for a client that does not read; the rest waits here."""

_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_FULL_PAUSE_SECONDS = 0.5


@dataclass(slots=True, eq=False)
class _Line:
    """One connection, and since when something waits to be sent on it."""

    stream: anyio.abc.SocketStream
    waiting_since: float | None = None


class Server:
    """
    Serves one application on one listening socket.

    Args:
        app: What answers.
        listening: A bound socket, which this server closes.
        stall_seconds: How long a client may take nothing of what it asked for.
    """

    def __init__(
        self, app: ASGIApp, listening: socket.socket, *, stall_seconds: float = STALL_SECONDS
    ) -> None:
        self._app = app
        self._socket = listening
        self._stall_seconds = stall_seconds
        self._lines: set[_Line] = set()
        self._stopping = trio.Event()
        self._all_gone = trio.Event()
        self._context = WorkerContext(None)
        self._config = _config()
        self.dropped = 0

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._lines)

    def stop(self) -> None:
        """Have `serve` end."""
        self._stopping.set()

    async def serve(self) -> None:
        """Serve until `stop`; cancelling does not end it, since its clients must be told."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                try:
                    await self._serve(nursery)
                finally:
                    await self._close_all()
                    nursery.cancel_scope.cancel()

    async def _serve(self, nursery: trio.Nursery) -> None:
        async with trio.open_nursery() as accepting:
            accepting.start_soon(self._accept, nursery)
            accepting.start_soon(self._drop_stalled)
            await self._stopping.wait()
            accepting.cancel_scope.cancel()
        await self._context.terminated.set()
        if not self._lines:
            return
        with trio.move_on_after(GRACE_SECONDS):
            await self._all_gone.wait()

    async def _accept(self, nursery: trio.Nursery) -> None:
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        listener = await anyio.abc.SocketListener.from_socket(self._socket)
        async with listener:
            while True:
                try:
                    stream = await listener.accept()
                except OSError as error:
                    if error.errno not in _FULL:
                        raise
                    await trio.sleep(_FULL_PAUSE_SECONDS)
                    continue
                if len(self._lines) < CONNECTIONS:
                    nursery.start_soon(self._talk, stream)
                else:
                    await stream.aclose()

    async def _talk(self, stream: anyio.abc.SocketStream) -> None:
        line = _Line(stream)
        self._lines.add(line)
        try:
            app = _Watched(self._app, line)
            await TCPServer(app, self._config, self._context, ConnectionState({}), stream).run()
        finally:
            self._lines.discard(line)
            if self._stopping.is_set() and not self._lines:
                self._all_gone.set()

    async def _drop_stalled(self) -> None:
        while True:
            await trio.sleep(self._stall_seconds / 10)
            too_long = trio.current_time() - self._stall_seconds
            for line in list(self._lines):
                if line.waiting_since is not None and line.waiting_since < too_long:
                    self.dropped += 1
                    await line.stream.aclose()

    async def _close_all(self) -> None:
        for line in list(self._lines):
            await line.stream.aclose()


class _Watched:
    """The application, on one connection; notes how long each word takes to be sent."""

    def __init__(self, app: ASGIApp, line: _Line) -> None:
        self._app = app
        self._line = line

    async def __call__(
        self, scope: Any, receive: Any, send: Any, sync_spawn: Any, call_soon: Any
    ) -> None:
        async def send_watched(message: Message) -> None:
            self._line.waiting_since = trio.current_time()
            try:
                await send(message)
            finally:
                self._line.waiting_since = None

        await self._app(scope, receive, send_watched)


def _config() -> Config:
    config = Config()
    config.accesslog = config.errorlog = None
    config.include_server_header = False
    config.h2_max_concurrent_streams = 8
    return config

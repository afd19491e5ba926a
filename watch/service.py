"""
The API of a node as one service: it listens, says where, and answers until the end.

Law: nothing that fails here reaches research. An answer that fails is a 500 and a line
in the log; a server that fails is opened again; an address that cannot be listened on
costs a sentence.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import trio
from starlette.types import ASGIApp, Receive, Scope, Send

from swarm import events
from swarm.leaderboard import Entry
from watch.address import (
    Address,
    WatchError,
    bind,
    local_name,
    outer_name,
    read_address,
    token_in,
)
from watch.api import Api
from watch.event_stream import STREAMS, Streams
from watch.feed import Feed
from watch.gauges import readings
from watch.guard import Guard, is_loopback
from watch.metrics import Metrics
from watch.pulse import SECONDS, Pulse
from watch.server import STALL_SECONDS, Server
from watch.source import Source

AGAIN_SECONDS = 5.0

_log = logging.getLogger("watch")


class Watch:
    """
    What people and programs see of one node.

    Args:
        api: Where to listen, `HOST:PORT`, or `off`.
        token_file: Where the token for readers on other machines is kept.
        report: Told where the API is, or why it is not; must not block or raise.
        now_ms: The wall clock, Unix epoch milliseconds.
        pulse_seconds: How often the board is looked at.
        streams: The most event streams at once.
        stall_seconds: How long a client may take nothing of what it asked for.
        again_seconds: The pause before a server that failed is opened again.
    """

    def __init__(
        self,
        api: str,
        token_file: Path,
        report: Callable[[events.Event], None],
        now_ms: Callable[[], int],
        *,
        pulse_seconds: float = SECONDS,
        streams: int = STREAMS,
        stall_seconds: float = STALL_SECONDS,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._api = api
        self._token_file = token_file
        self._report = report
        self._now_ms = now_ms
        self._pulse_seconds = pulse_seconds
        self._streams = streams
        self._stall_seconds = stall_seconds
        self._again_seconds = again_seconds
        self._feed = Feed(secrets.token_hex(4), now_ms)
        self._metrics = Metrics()
        self._scope = trio.CancelScope()
        self.url: str | None = None

    def note(self, event: events.Event) -> None:
        """Pass an event on, and keep it for those who look."""
        self._report(event)
        try:
            self._feed.note(event)
            self._metrics.note(event)
        except Exception:  # noqa: BLE001 - whoever tells of something needs no listener
            _log.exception("an event was not kept: %s", type(event).__name__)

    def stop(self) -> None:
        """Have `serve` say its last and end."""
        self._scope.cancel()

    async def serve(self, source: Source) -> None:
        """Answer until `stop`; what goes wrong ends here."""
        with self._scope:
            await self._serve_again(source)

    async def _serve_again(self, source: Source) -> None:
        while (address := read_address(self._api)) is not None:
            try:
                await self._serve(source, address)
            except WatchError as error:
                self.note(events.NetworkTrouble(str(error)))
                return
            except Exception:  # noqa: BLE001 - what people look at never ends research
                _log.exception("the API failed and is opened again")
            await trio.sleep(self._again_seconds)

    async def _serve(self, source: Source, address: Address) -> None:
        listening, moved = bind(address)
        token = None if is_loopback(address.host) else token_in(self._token_file)
        host, port = listening.getsockname()[:2]
        self.url = _url(local_name(host), port)
        shown = self.url if token is None else f"{_url(outer_name(host), port)}/?token={token}"
        self._report(events.Watching(shown, moved))
        pulse = Pulse(source, self._feed, self._pulse_seconds)
        streams = Streams(self._feed, pulse, self._streams)

        def metrics(entries: list[Entry]) -> bytes:
            return self._metrics.text(
                readings(source, self._feed, pulse, streams, entries, server.dropped)
            )

        app = Api(source, self._feed, pulse, streams, metrics, self._about).app()
        guard = Guard(_Contained(app), address.host, token)
        server = Server(guard, listening, stall_seconds=self._stall_seconds)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pulse.run)
            nursery.start_soon(server.serve)
            try:
                await trio.sleep_forever()
            finally:
                self.url = None
                streams.stop()
                server.stop()

    def _about(self) -> dict[str, object]:
        return {
            "version": version("research-swarm"),
            "instance": self._feed.instance,
            "now_ms": self._now_ms(),
        }


class _Contained:
    """An application whose failures are written down and end with their request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception:  # noqa: BLE001 - one reader's trouble is not the next one's
            _log.exception("an answer failed: %s", scope.get("path"))


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

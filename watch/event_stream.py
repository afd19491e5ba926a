"""
The event stream: what happens in a node, told to one reader for as long as it listens.

Law: a reader is a number it has seen, nothing more. What it takes too slowly is not
kept for it: it is told to read everything again.

Source: WHATWG HTML, "Server-sent events",
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from watch.feed import Feed, Logged
from watch.json_text import to_json
from watch.pulse import Pulse

STREAMS = 256
GATHER_SECONDS = 0.25
SILENCE_SECONDS = 15.0
RETRY_MILLISECONDS = 2_000


class Streams:
    """All event streams of a node; `stop` ends them."""

    def __init__(self, feed: Feed, pulse: Pulse, most: int = STREAMS) -> None:
        self._feed = feed
        self._pulse = pulse
        self._most = most
        self.open = 0
        self.stopping = False

    @property
    def full(self) -> bool:
        """Whether there is no room for another."""
        return self.stopping or self.open >= self._most

    def stop(self) -> None:
        """Have every stream say its last and end."""
        self.stopping = True
        self._feed.wake()

    def from_id(self, last_event_id: str | None) -> EventStream:
        """A stream that goes on after an id; from now on where there is none."""
        return EventStream(self, self._feed, self._pulse, last_event_id)


class EventStream(Response):
    """One stream, as an ASGI application that answers one request."""

    def __init__(
        self, streams: Streams, feed: Feed, pulse: Pulse, last_event_id: str | None
    ) -> None:
        super().__init__(media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self._streams = streams
        self._feed = feed
        self._pulse = pulse
        self._resumed = last_event_id
        self._seen = feed.last
        self._beat = pulse.beat
        self._version = pulse.look.version

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell until the reader has gone or the streams end."""
        self._streams.open += 1
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            with trio.CancelScope() as gone:
                if scope["method"] == "GET":
                    await self._tell_while_here(receive, send, gone)
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._streams.open -= 1

    async def _tell_while_here(self, receive: Receive, send: Send, gone: trio.CancelScope) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_gone, receive, gone)
            await self._tell(send)
            nursery.cancel_scope.cancel()

    async def _tell(self, send: Send) -> None:
        words = self._beginning()
        while True:
            # Taken before anything is awaited: what happens meanwhile sets it.
            news = self._feed.news
            if words:
                await send({"type": "http.response.body", "body": words, "more_body": True})
            if self._streams.stopping:
                return
            with trio.move_on_after(SILENCE_SECONDS) as silence:
                await news.wait()
                await trio.sleep(GATHER_SECONDS)
            words = b": still here\n\n" if silence.cancelled_caught else self._new()

    def _beginning(self) -> bytes:
        about = {"instance": self._feed.instance, "last": self._feed.last}
        parts = [b"retry: %d\n\n" % RETRY_MILLISECONDS, _message("hello", to_json(about))]
        if self._resumed is not None:
            instance, _, number = self._resumed.rpartition("-")
            if instance == self._feed.instance and number.isdecimal() and len(number) < 16:
                self._seen = int(number)
            else:
                parts.append(self._reset())
        return b"".join([*parts, self._board(), self._progress(), self._entries()])

    def _new(self) -> bytes:
        parts = [self._entries()]
        if self._version != self._pulse.look.version:
            self._version = self._pulse.look.version
            parts.append(self._board())
        if self._beat != self._pulse.beat:
            self._beat = self._pulse.beat
            parts.append(self._progress())
        return b"".join(parts)

    def _entries(self) -> bytes:
        entries = self._feed.after(self._seen)
        self._seen = self._feed.last
        if entries is None:
            return self._reset()
        return b"".join(self._entry(entry) for entry in entries)

    def _entry(self, entry: Logged) -> bytes:
        name = b"%s-%d" % (self._feed.instance.encode(), entry.number)
        return b"id: " + name + b"\n" + _message("log", entry.line)

    def _reset(self) -> bytes:
        about = {"instance": self._feed.instance, "last": self._feed.last}
        name = b"%s-%d" % (self._feed.instance.encode(), self._feed.last)
        return b"id: " + name + b"\n" + _message("reset", to_json(about))

    def _board(self) -> bytes:
        return _message("board", to_json(self._pulse.look.document()))

    def _progress(self) -> bytes:
        return _message("progress", self._pulse.progress)


async def _cancel_when_gone(receive: Receive, gone: trio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.cancel()


def _message(event: str, data: bytes) -> bytes:
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"

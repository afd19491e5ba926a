"""
A node that is only played: the real page, under the node's own headers, over documents.

What a real node takes hours to find, and what an honest one never says, is written
down and served as the API would. Streams can be told something, cut and refused.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from watch.guard import HEADERS

PAGE = Path(__file__).parents[2] / "watch" / "page"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
Document = Mapping[str, Any]


class Stage:
    """
    What is played.

    Attributes:
        documents: The answer under each path of `/api`, as `leaderboard` or `records/ID`.
        asked: The paths that were asked for, in order.
        open: Whether the API answers; closed, every stream breaks and nothing is served.
    """

    def __init__(self, documents: Mapping[str, Document]) -> None:
        self.documents: dict[str, Document] = dict(documents)
        self.asked: list[str] = []
        self.open = True
        self._streams: list[queue.Queue[bytes | None]] = []
        self._lock = threading.Lock()

    def answer(self, path: str, query: Mapping[str, list[str]]) -> Document | None:
        """What the API says under a path."""
        self.asked.append(path)
        document = self.documents.get(path)
        if path == "trials" and document is not None and "after" in query:
            after = int(query["after"][0])
            newer = [trial for trial in document["trials"] if trial["seq"] > after]
            return {**document, "trials": newer}
        return document

    def tell(self, event: str, data: Document, event_id: str | None = None) -> None:
        """Say something on every stream."""
        head = f"id: {event_id}\n" if event_id else ""
        words = f"{head}event: {event}\ndata: {json.dumps(data)}\n\n".encode()
        with self._lock:
            for stream in self._streams:
                stream.put(words)

    def cut(self) -> None:
        """Break every stream and refuse everything, as a node that was stopped."""
        self.open = False
        with self._lock:
            for stream in self._streams:
                stream.put(None)

    def mend(self) -> None:
        """Answer again."""
        self.open = True

    def stream(self) -> queue.Queue[bytes | None]:
        """What one reader of the events is told; None ends it."""
        told: queue.Queue[bytes | None] = queue.Queue()
        hello = {"instance": self.documents["status"]["instance"], "last": 0}
        told.put(f"event: hello\ndata: {json.dumps(hello)}\n\n".encode())
        with self._lock:
            self._streams.append(told)
        return told

    @property
    def listeners(self) -> int:
        """How many streams were opened."""
        with self._lock:
            return len(self._streams)


class _Handler(BaseHTTPRequestHandler):
    stage: Stage

    def do_GET(self) -> None:
        where = urlsplit(self.path)
        if not self.stage.open:
            self.close_connection = True
        elif where.path == "/api/events":
            self._events()
        elif where.path.startswith("/api/"):
            path = unquote(where.path.removeprefix("/api/"))
            document = self.stage.answer(path, parse_qs(where.query))
            body = json.dumps(document or {"error": "nothing there"}).encode()
            self._send(200 if document else 404, "application/json", body)
        else:
            self._file(where.path)

    def _file(self, path: str) -> None:
        file = PAGE / (path.lstrip("/") or "index.html")
        if file.is_file() and PAGE in file.resolve().parents:
            self._send(200, TYPES.get(file.suffix, "text/plain"), file.read_bytes())
        else:
            self._send(404, "text/plain", b"")

    def _events(self) -> None:
        told = self.stage.stream()
        self._head(200, "text/event-stream")
        self.end_headers()
        self.close_connection = True
        while (words := told.get()) is not None:
            try:
                self.wfile.write(words)
                self.wfile.flush()
            except OSError:
                return

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: int, kind: str) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": f"{kind}; charset=utf-8"}.items():
            self.send_header(name, value)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def played(documents: Mapping[str, Document]) -> Generator[tuple[Stage, str]]:
    """The stage and the address of its page."""
    stage = Stage(documents)
    handler = type("Handler", (_Handler,), {"stage": stage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    try:
        yield stage, f"http://127.0.0.1:{server.server_port}/"
    finally:
        stage.cut()
        server.shutdown()
        server.server_close()

"""
The paths of the API and what each answers; `docs/api.md` is its contract.

Law: every answer is bounded, and made of what `watch.source` gives. What is slow is
made in a thread, once for each change of the board.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from swarm.findings import State
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint
from watch.documents import Standing, leaderboard_document, lineage_document
from watch.event_stream import Streams
from watch.feed import KEPT, Feed
from watch.guard import refused
from watch.json_text import as_array, to_json, with_rows
from watch.pulse import Look, Pulse
from watch.query import Query, QueryError
from watch.source import Source

FOLDER = Path(__file__).parent
STATES: tuple[State, ...] = ("claimed", "replicated", "refuted", "incomplete", "invalid")
VIEWS = ("neutral", "mine")
LARGEST_PAGE = 10_000


class Api:
    """
    The answers of one node.

    Args:
        source: The node.
        feed: What happens in it.
        pulse: Its board, as it is shown.
        streams: Those who listen.
        about: What the status says beside what the node says of itself.
    """

    def __init__(
        self,
        source: Source,
        feed: Feed,
        pulse: Pulse,
        streams: Streams,
        about: Callable[[], dict[str, object]],
    ) -> None:
        self._source = source
        self._feed = feed
        self._pulse = pulse
        self._streams = streams
        self._about = about
        self._yardstick = Yardstick.of(source.task)

    def app(self) -> ASGIApp:
        """The API and the page as one ASGI application."""
        page = StaticFiles(directory=FOLDER / "page", html=True)
        return Starlette(
            routes=[
                Route("/healthz", self.healthz),
                Route("/api/openapi.json", self.openapi),
                Route("/api/status", self.status),
                Route("/api/leaderboard", self.leaderboard),
                Route("/api/lineage", self.lineage),
                Route("/api/log", self.log),
                Route("/api/events", self.events),
                Route("/api/{rest:path}", self.nothing),
                Mount("/", page),
            ],
            exception_handlers={
                HTTPException: _http_error,
                QueryError: _query_error,
                Exception: _failure,
            },
        )

    async def healthz(self, request: Request) -> Response:
        """Whether anybody is there."""
        _query(request)
        return _respond(request, to_json({"ok": True}))

    async def openapi(self, request: Request) -> Response:
        """The description of this API."""
        _query(request)
        return _respond(request, (FOLDER / "openapi.json").read_bytes())

    async def status(self, request: Request) -> Response:
        """What the node is and does."""
        _query(request)
        feed = self._feed
        document = {
            **self._source.status(),
            **self._about(),
            "workers": feed.workers,
            "baseline": feed.baseline,
            "champion": feed.champion,
            "board": self._pulse.look.document(),
            "now": feed.running,
        }
        return _respond(request, to_json(document))

    async def leaderboard(self, request: Request) -> Response:
        """The changes that helped, best first."""
        query = _query(request, "limit", "state", "view")
        limit = query.number("limit", 100, 1, LARGEST_PAGE)
        state = cast("State | None", query.word("state", STATES))
        peers = len(self._source.connected())
        viewpoint = self._viewpoint(query.word("view", VIEWS))

        def make(look: Look) -> bytes:
            standing = self._standing(look, viewpoint)
            document = leaderboard_document(
                standing, self._source.task, state=state, limit=limit, peers=peers
            )
            return to_json({"version": look.version, **document})

        return await self._view(request, ("leaderboard", limit, state, viewpoint, peers), make)

    async def lineage(self, request: Request) -> Response:
        """Who built on whom."""
        limit = _query(request, "limit").number("limit", 1_000, 1, LARGEST_PAGE)

        def make(look: Look) -> bytes:
            document = lineage_document(self._standing(look), limit)
            return to_json({"version": look.version, **document})

        return await self._view(request, ("lineage", limit), make)

    async def log(self, request: Request) -> Response:
        """What happened of late."""
        query = _query(request, "limit", "after")
        limit, after = query.number("limit", 200, 1, KEPT), query.number("after", 0, 0)
        lines = [entry.line for entry in self._feed.latest(KEPT) if entry.number > after]
        head = {"instance": self._feed.instance, "last": self._feed.last}
        return _respond(request, with_rows(head, {"entries": as_array(lines[-limit:])}))

    async def events(self, request: Request) -> Response:
        """The same, as it happens."""
        query = _query(request, "last_event_id")
        if self._streams.full:
            return refused(503, "too many are listening; come again later", {"Retry-After": "10"})
        seen = request.headers.get("last-event-id") or query.text("last_event_id")
        return self._streams.from_id(seen)

    async def nothing(self, request: Request) -> Response:
        """What is not there."""
        return refused(404, "there is nothing under this path; see docs/api.md")

    def _viewpoint(self, word: str | None) -> Viewpoint:
        return Viewpoint(self._source.anchors()) if word == "mine" else NEUTRAL

    def _standing(self, look: Look, viewpoint: Viewpoint = NEUTRAL) -> Standing:
        return look.view(
            ("standing", viewpoint), lambda: Standing.of(look.board, self._yardstick, viewpoint)
        )

    async def _view(
        self, request: Request, key: tuple[object, ...], make: Callable[[Look], bytes]
    ) -> Response:
        look, body = await self._pulse.view(key, make)
        return _respond(request, body, etag=f'"{self._feed.instance}-{look.version}"')


def _query(request: Request, *known: str) -> Query:
    return Query(request.query_params.multi_items(), known)


def _respond(request: Request, body: bytes, etag: str | None = None) -> Response:
    headers = {"Cache-Control": "no-store"}
    if etag is not None:
        headers = {"Cache-Control": "no-cache", "ETag": etag}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


async def _query_error(request: Request, error: Exception) -> Response:
    return refused(400, str(error))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refused(error.status_code, error.detail)


async def _failure(request: Request, error: Exception) -> Response:
    return refused(500, "this answer failed; the node's log says why")

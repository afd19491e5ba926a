"""
The paths of the API and what each answers; `docs/api.md` is its contract.

Law: every answer is bounded, and made of what `watch.source` gives. What is slow is
made in a thread, once for each change of the board.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from swarm.cid import is_cid
from swarm.findings import State
from swarm.leaderboard import Entry
from swarm.milestones import milestones
from swarm.records import OUTCOMES, Win
from swarm.verdict import Yardstick
from swarm.viewpoint import NEUTRAL, Viewpoint
from watch.documents import (
    entry_of,
    leaderboard_document,
    lineage_document,
    milestones_document,
)
from watch.event_stream import Streams
from watch.feed import KEPT, Feed
from watch.found import document, find
from watch.guard import refused
from watch.json_text import as_array, to_json, with_rows
from watch.metrics import CONTENT_TYPE
from watch.peers import Here, peers_document
from watch.pulse import Look, Pulse
from watch.query import Query, QueryError
from watch.rested import Rested
from watch.source import Source
from watch.standing import Standing
from watch.tried_index import TriedIndex, Wanted

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
        metrics: Everything that Prometheus is told, given the leaderboard.
        about: What the status says beside what the node says of itself.
    """

    def __init__(
        self,
        source: Source,
        feed: Feed,
        pulse: Pulse,
        streams: Streams,
        metrics: Callable[[list[Entry]], bytes],
        about: Callable[[], dict[str, object]],
    ) -> None:
        self._source = source
        self._feed = feed
        self._pulse = pulse
        self._streams = streams
        self._metrics = metrics
        self._about = about
        self._yardstick = Yardstick.of(source.task)
        self._tried = TriedIndex(source.records, source.peer_id, source.nickname)
        self._odds = Rested(source.odds)

    def app(self) -> ASGIApp:
        """The API and the page as one ASGI application."""
        answers = {
            "/healthz": self.healthz,
            "/metrics": self.metrics,
            "/api/openapi.json": self.openapi,
            "/api/status": self.status,
            "/api/leaderboard": self.leaderboard,
            "/api/records/{id}": self.record,
            "/api/lineage": self.lineage,
            "/api/trials": self.trials,
            "/api/peers": self.peers,
            "/api/strategy": self.strategy,
            "/api/milestones": self.milestones,
            "/api/log": self.log,
            "/api/events": self.events,
            "/api{rest:path}": _nothing,
        }
        page = Mount("/", StaticFiles(directory=FOLDER / "page", html=True))
        return Starlette(
            routes=[*(Route(path, answer) for path, answer in answers.items()), page],
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

    async def metrics(self, request: Request) -> Response:
        """What Prometheus is told."""
        _query(request)
        _, entries = await self._pulse.view(("entries", NEUTRAL), self._entries)
        return Response(self._metrics(entries), media_type=CONTENT_TYPE)

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
        mine = query.word("view", VIEWS) == "mine"
        viewpoint = Viewpoint(self._source.anchors()) if mine else NEUTRAL
        peers = len(self._source.connected())

        def make(look: Look) -> dict[str, object]:
            return leaderboard_document(
                self._standing(look, viewpoint),
                self._entries(look, viewpoint),
                self._source.task,
                state=state,
                limit=limit,
                peers=peers,
            )

        return await self._view(request, ("leaderboard", limit, state, viewpoint, peers), make)

    async def record(self, request: Request) -> Response:
        """One record, whole."""
        _query(request)
        wanted = request.path_params["id"]
        read = self._source.records

        def make(look: Look) -> dict[str, object]:
            record = read([wanted]).get(wanted) if is_cid(wanted) else None
            if record is None:
                raise HTTPException(404, "there is no record of this id here")
            return document(find(wanted, record, self._standing(look), read))

        return await self._view(request, ("record", wanted), make)

    async def lineage(self, request: Request) -> Response:
        """Who built on whom."""
        limit = _query(request, "limit").number("limit", 1_000, 1, LARGEST_PAGE)

        def make(look: Look) -> dict[str, object]:
            return lineage_document(self._standing(look), self._entries(look), limit)

        return await self._view(request, ("lineage", limit), make)

    async def trials(self, request: Request) -> Response:
        """Every experiment this node knows of."""
        query = _query(request, "limit", "after", "family", "outcome", "author", "since_ms")
        wanted = Wanted(
            after=query.number("after", 0, 0),
            limit=query.number("limit", 1_000, 1, 2 * LARGEST_PAGE),
            family=query.text("family"),
            outcome=query.word("outcome", OUTCOMES),
            author=query.text("author"),
            since_ms=query.number("since_ms", 0, 0),
        )
        own, hardware = self._source.trials(), self._hardware_class()

        def make(look: Look) -> bytes:
            self._tried.learn(look.board, own, hardware)
            total, rows = self._tried.rows(wanted)
            head = {"instance": self._feed.instance, "total": total, "last": self._tried.last}
            return with_rows(head, {"trials": as_array([row.line for row in rows])})

        return _respond(request, await self._pulse.compute(make))

    async def peers(self, request: Request) -> Response:
        """Who takes part."""
        _query(request)
        source, own, status = self._source, self._source.trials(), self._source.status()
        hardware = str(status["hardware_class"])
        here = Here(
            source.peer_id,
            source.nickname,
            hardware,
            cast("list[str]", status["running_titles"]),
            frozenset(source.connected()),
            source.presences(),
        )

        def make(look: Look) -> bytes:
            self._tried.learn(look.board, own, hardware)
            shown = peers_document(look.board, self._tried.authors(), here)
            return to_json({"version": look.version, **shown})

        return _respond(request, await self._pulse.compute(make))

    async def strategy(self, request: Request) -> Response:
        """What this node would try next, and why."""
        _query(request)
        odds = self._odds.read()
        rows = None if odds is None else [asdict(each) for each in odds]
        document = {"hardware_class": self._hardware_class(), "odds": rows}
        return _respond(request, to_json(document))

    async def milestones(self, request: Request) -> Response:
        """Which wins the literature knows."""
        _query(request)

        def make(look: Look) -> dict[str, object]:
            spoken = entry_of(self._standing(look), self._entries(look))
            replicated = [key for key, entry in spoken.items() if entry.state == "replicated"]
            records = self._source.records(replicated).items()
            wins = [(key, record) for key, record in records if isinstance(record, Win)]
            return milestones_document(milestones(wins, self._source.task.knobs), spoken)

        return await self._view(request, ("milestones",), make)

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

    def _hardware_class(self) -> str:
        return str(self._source.status()["hardware_class"])

    def _standing(self, look: Look, viewpoint: Viewpoint = NEUTRAL) -> Standing:
        return look.view(
            ("standing", viewpoint), lambda: Standing.of(look.board, self._yardstick, viewpoint)
        )

    def _entries(self, look: Look, viewpoint: Viewpoint = NEUTRAL) -> list[Entry]:
        return look.view(("entries", viewpoint), self._standing(look, viewpoint).entries)

    async def _view(
        self,
        request: Request,
        key: tuple[object, ...],
        make: Callable[[Look], dict[str, object]],
    ) -> Response:
        """A document made once for each change of the board."""

        def as_bytes(look: Look) -> bytes:
            return to_json({"version": look.version, **make(look)})

        look, body = await self._pulse.view(key, as_bytes)
        return _respond(request, body, etag=f'"{self._feed.instance}-{look.version}"')


async def _nothing(request: Request) -> Response:
    return refused(404, "there is nothing under this path; docs/api.md says what there is")


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

"""
What a running node says of this very moment, asked through its own local API.

Law: a hint. Where there is no answer at once, nothing is known and nothing waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

ANSWER_SECONDS = 0.5
_ANSWER_BYTES = 4 << 20
_TOKEN_BYTES = 256
_SHOWN = 64
_OK = 200


@dataclass(frozen=True, slots=True)
class Running:
    """
    Something that is being measured.

    Attributes:
        kind: `experiment`, `baseline`, or `check` of a peer's win.
        changes: Candidate − base, pair by pair.
        fresh: It was found better, and is measured again.
        arm, phase: What trains now, if anything does.
        share: How far that run is, 0 to 1.
    """

    number: int
    kind: str
    title: str
    family: str
    why: str
    changes: tuple[float, ...]
    fresh: bool
    arm: str
    phase: str
    share: float | None


@dataclass(frozen=True, slots=True)
class PeerNow:
    """A peer as the node sees it now."""

    peer_id: str
    connected: bool
    running: tuple[str, ...] | None


class NodeNow:
    """Asks one node. `url` and `token` are those of its status and its home."""

    def __init__(self, url: str, token_file: Path) -> None:
        self._url = url.partition("?")[0].rstrip("/")
        self._token_file = token_file

    def running(self) -> tuple[Running, ...] | None:
        """What the node measures; None where it does not answer."""
        said = self._get("/api/status")
        rows = None if said is None else _rows(said, "now")
        return None if rows is None else tuple(_running(row) for row in rows[:_SHOWN])

    def peers(self) -> tuple[PeerNow, ...]:
        """Whom the node knows, itself first; nobody where it does not answer."""
        said = self._get("/api/peers")
        rows = None if said is None else _rows(said, "peers")
        return tuple(_peer(row) for row in rows or ())

    def _get(self, path: str) -> dict[str, object] | None:
        try:
            place = urlsplit(self._url)
            if place.scheme != "http" or place.hostname is None:
                return None
            with closing(
                HTTPConnection(place.hostname, place.port, timeout=ANSWER_SECONDS)
            ) as asked:
                asked.request("GET", path, headers=dict(self._headers()))
                answer = asked.getresponse()
                found: object = json.loads(answer.read(_ANSWER_BYTES))
        except (OSError, HTTPException, ValueError, RecursionError):
            return None
        if answer.status != _OK or not isinstance(found, dict):
            return None
        return cast("dict[str, object]", found)

    def _headers(self) -> Iterator[tuple[str, str]]:
        try:
            with self._token_file.open("r", encoding="ascii") as file:
                yield "Authorization", f"Bearer {file.read(_TOKEN_BYTES).strip()}"
        except (OSError, ValueError):
            return


def _rows(table: dict[str, object], key: str) -> list[dict[str, object]] | None:
    found = table.get(key)
    if not isinstance(found, list):
        return None
    rows = cast("list[object]", found)
    return [cast("dict[str, object]", row) for row in rows if isinstance(row, dict)]


def _running(row: dict[str, object]) -> Running:
    run = row.get("run")
    now = cast("dict[str, object]", run) if isinstance(run, dict) else {}
    tokens, budget = _number(now.get("tokens")), _number(now.get("budget_tokens"))
    return Running(
        number=round(_number(row.get("number")) or 0),
        kind=_text(row.get("kind")),
        title=_text(row.get("title")),
        family=_text(row.get("family")),
        why=_text(row.get("why")),
        changes=tuple(
            candidate - base
            for pair in _rows(row, "pairs") or ()
            if (base := _number(pair.get("base"))) is not None
            and (candidate := _number(pair.get("candidate"))) is not None
        ),
        fresh=row.get("fresh") is True,
        arm=_text(now.get("arm")),
        phase=_text(now.get("phase")),
        share=min(tokens / budget, 1.0) if tokens is not None and budget else None,
    )


def _peer(row: dict[str, object]) -> PeerNow:
    running = row.get("running")
    titles = cast("list[object]", running) if isinstance(running, list) else None
    return PeerNow(
        peer_id=_text(row.get("peer_id")),
        connected=row.get("connected") is True,
        running=None if titles is None else tuple(map(_text, titles)),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None

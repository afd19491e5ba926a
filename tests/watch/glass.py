"""A real API on loopback before a node that the test makes up, and a client that can misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import h11
import trio

from swarm import events
from swarm.board import Board
from swarm.records import PeerId, Record, RecordId, Trial
from swarm.signals import Presence
from tests.cli.toy_homes import TASK, id_of
from tests.gossip.waiting import until
from tests.swarm.record_samples import ANN, BOB, NOW_MS
from watch.service import Watch
from watch.source import Odds, Source
from watch.status import status_document, task_document, topic_document

PATIENCE_SECONDS = 60.0
PRESENCE = Presence(
    author=BOB.peer_id,
    nickname="bob",
    topic=TASK.topic,
    task=TASK.id,
    created_at_ms=NOW_MS,
    hardware_class="gpu-large",
    device="a device",
    experiments=7,
    wins=1,
    running=("an idea",),
)


@dataclass
class Stage:
    """What a node would know; tests change it as they like."""

    kept: dict[RecordId, Record] = field(default_factory=dict[RecordId, Record])
    board: Board = field(default_factory=Board)
    trials: list[Trial] = field(default_factory=list[Trial])
    connected: list[PeerId] = field(default_factory=lambda: [BOB.peer_id])
    odds: list[Odds] | None = None
    llm: dict[str, object] | None = None
    broken: bool = False
    """Whether the node fails where it is asked for its status."""
    lost: bool = False
    """The same, of its board."""

    def keep(self, *records: Record) -> list[RecordId]:
        """Take in records, as a node's intake does."""
        named = {id_of(record): record for record in records}
        self.kept |= named
        self.board = self.board.with_records(named.items())
        return list(named)

    def source(self) -> Source:
        """The node."""
        return Source(
            task=TASK,
            peer_id=ANN.peer_id,
            nickname="ann",
            board=self._board,
            status=self._status,
            trials=lambda: self.trials,
            records=self._records,
            connected=lambda: self.connected,
            presences=lambda: [PRESENCE],
            anchors=lambda: frozenset({ANN.peer_id}),
            odds=lambda: self.odds,
        )

    def _board(self) -> Board:
        if self.lost:
            raise RuntimeError("this node has lost its board")
        return self.board

    def _status(self) -> dict[str, object]:
        if self.broken:
            raise RuntimeError("this node is broken")
        return status_document(
            topic=topic_document("public", "", 0),
            task=task_document(TASK, "toy"),
            peer_id=ANN.peer_id,
            nickname="ann",
            hardware_class="cpu-laptop",
            experiments=3,
            wins=1,
            peers=len(self.connected),
            uptime_seconds=1.5,
            listen_addrs=["/ip4/127.0.0.1/tcp/4001"],
            running_titles=["an idea"],
            watch="http://127.0.0.1:8377",
            network={},
            llm=self.llm,
        )

    def _records(self, wanted: Sequence[RecordId]) -> Mapping[RecordId, Record]:
        return {record: self.kept[record] for record in wanted if record in self.kept}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Glass:
    """One API that is being served."""

    stage: Stage
    watch: Watch
    told: list[events.Event]
    scope: trio.CancelScope

    @property
    def port(self) -> int:
        assert self.watch.url is not None
        return int(self.watch.url.rsplit(":", 1)[1])

    @property
    def address(self) -> str:
        """The URL as a person is told it, with the token if there is one."""
        [said] = [event.url for event in self.told if isinstance(event, events.Watching)]
        return said

    @property
    def host(self) -> str:
        """An address of this machine at which it listens."""
        return str(urlsplit(self.watch.url or "").hostname)

    async def connect(self) -> trio.SocketStream:
        return await trio.open_tcp_stream(self.host, self.port)

    async def ask(
        self,
        target: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection of its own."""
        lines = {"Host": f"127.0.0.1:{self.port}", "Connection": "close"} | dict(headers or {})
        head = f"{method} {target} HTTP/1.1\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        with trio.fail_after(PATIENCE_SECONDS):
            async with await self.connect() as stream:
                await stream.send_all(head.encode() + b"\r\n" + body)
                return await _answer(stream, method)

    async def get(self, target: str) -> Any:
        """The JSON of a path that must be there."""
        answer = await self.ask(target)
        assert answer.status == 200, answer.body
        return answer.json

    @asynccontextmanager
    async def listening(
        self, target: str = "/api/events", headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Listener]:
        """An event stream, open for as long as the block."""
        async with await self.connect() as stream:
            listener = Listener(stream, {"Host": f"127.0.0.1:{self.port}"} | dict(headers or {}))
            await listener.begin(target)
            yield listener


@dataclass(frozen=True)
class Said:
    """One event of a stream."""

    event: str
    id: str | None
    data: Any


class Listener:
    """A client of the event stream."""

    def __init__(self, stream: trio.SocketStream, headers: Mapping[str, str]) -> None:
        self._stream = stream
        self._headers = headers
        self._http = h11.Connection(h11.CLIENT)
        self._text = b""
        self.status = 0

    async def begin(self, target: str) -> None:
        request = h11.Request(method="GET", target=target, headers=list(self._headers.items()))
        data = self._http.send(request)
        assert data is not None
        await self._stream.send_all(data + (self._http.send(h11.EndOfMessage()) or b""))
        with trio.fail_after(PATIENCE_SECONDS):
            response = await self._next()
        assert isinstance(response, h11.Response)
        self.status = response.status_code

    async def next(self) -> Said | None:
        """The next event; None at the end of the stream. Comments are passed over."""
        with trio.fail_after(PATIENCE_SECONDS):
            while True:
                block, found, rest = self._text.partition(b"\n\n")
                if found:
                    self._text = rest
                    if (said := _said(block.decode())) is not None:
                        return said
                    continue
                event = await self._next()
                if not isinstance(event, h11.Data):
                    return None
                self._text += bytes(event.data)

    async def until(self, name: str) -> Said:
        """The next event of this name."""
        while (said := await self.next()) is not None:
            if said.event == name:
                return said
        raise AssertionError(f"the stream ended without {name}")

    async def _next(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self._stream.receive_some())
        return event


@asynccontextmanager
async def glass(
    stage: Stage,
    folder: Path,
    *,
    api: str = "127.0.0.1:0",
    streams: int = 256,
    stall_seconds: float = 30.0,
    pulse_seconds: float = 0.1,
) -> AsyncGenerator[Glass]:
    """An API before that stage, for as long as the block."""
    told: list[events.Event] = []
    watch = Watch(
        api,
        folder / "watch.token",
        told.append,
        lambda: NOW_MS,
        streams=streams,
        stall_seconds=stall_seconds,
        again_seconds=0.1,
        pulse_seconds=pulse_seconds,
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.serve, stage.source())
        await until(lambda: watch.url is not None)
        yield Glass(stage, watch, told, nursery.cancel_scope)
        nursery.cancel_scope.cancel()


async def _answer(stream: trio.SocketStream, method: str) -> Answer:
    http = h11.Connection(h11.CLIENT)
    http.send(h11.Request(method=method if method == "HEAD" else "GET", target="/",
                          headers=[("Host", "x")]))  # fmt: skip
    http.send(h11.EndOfMessage())
    status, headers, body = 0, dict[str, str](), b""
    while not isinstance(event := http.next_event(), h11.EndOfMessage | h11.ConnectionClosed):
        if event is h11.NEED_DATA:
            http.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
    return Answer(status, headers, body)


def _said(block: str) -> Said | None:
    fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
    if "event" not in fields:
        return None
    return Said(fields["event"], fields.get("id"), json.loads(fields["data"]))

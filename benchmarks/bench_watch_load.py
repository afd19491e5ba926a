"""
What it costs research to be watched by two hundred clients.

A real node trains the default task with one worker. In turns it is left alone and
watched by 200 clients of its event stream, a quarter of which come and go every few
seconds. Research is timed by the stream itself: tokens per second within stretches of
training, so that what falls between runs spoils nothing; the ratio is that of the
medians over the turns. Then all leave, and what they left behind is counted: tasks,
descriptors, memory. At last 200 clients come back, and ten that read nothing, and the
node is told to stop; for comparison it was first started and stopped with nobody there.

The clients run on the same machine, at the lowest priority: what they take of it, other
machines would bring along.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import psutil
import trio

from benchmarks.result import write_result
from tests.processes import NodeProcess, nodes, wait_until

CLIENTS = 200
COMING_AND_GOING = 50
STAY_SECONDS = 5.0
TURN_SECONDS = 30.0
TURNS = 4
READING_NOTHING = 10
LEAVE_SECONDS = 15.0
SETTINGS = "[node]\nworkers = 1\nstay = true\n"

RATIO = 0.97
STOP_SECONDS = 3.0
MEMORY_BYTES = 20 * 10**6
DESCRIPTORS = 5
TASKS = 10


@dataclass
class Crowd:
    """What the clients of one benchmark saw, all together."""

    host: str
    port: int
    events: int = 0
    connections: int = 0
    broken: int = 0
    here: int = 0

    async def listen(self, seconds: float) -> None:
        """One client that listens for so long."""
        self.here += 1
        try:
            with trio.move_on_after(seconds):
                async for block in stream(self.host, self.port):
                    self.events += block.count(b"event: ")
                self.broken += 1
        except OSError:
            self.broken += 1
        finally:
            self.here -= 1
            self.connections += 1

    async def come_and_go(self, seconds: float) -> None:
        """One client after another, each for a few seconds, for so long."""
        end = trio.current_time() + seconds
        while (left := end - trio.current_time()) > 0:
            await self.listen(min(STAY_SECONDS, left))

    async def fill(self, seconds: float, coming_and_going: int = COMING_AND_GOING) -> None:
        """All clients, for so long."""
        async with trio.open_nursery() as nursery:
            for number in range(CLIENTS):
                coming = number < coming_and_going
                nursery.start_soon(self.come_and_go if coming else self.listen, seconds)


@dataclass
class Pace:
    """Tokens and seconds within stretches of training, as the node's stream tells them."""

    tokens: int = 0
    seconds: float = 0.0
    last: tuple[object, int, float] | None = None
    turns: list[float] = field(default_factory=list[float])

    def hear(self, now: list[dict[str, Any]]) -> None:
        """Take in what runs at this moment; one worker, so one run."""
        run = cast("dict[str, Any] | None", now[0]["run"] if now else None)
        if run is None or run["phase"] != "train":
            self.last = None
            return
        key, at = (now[0]["number"], run["arm"], run["seed"]), time.monotonic()
        if self.last is not None and self.last[0] == key and run["tokens"] > self.last[1]:
            self.tokens += run["tokens"] - self.last[1]
            self.seconds += at - self.last[2]
        if self.last is None or self.last[0] != key or run["tokens"] != self.last[1]:
            self.last = (key, run["tokens"], at)

    def end_turn(self) -> None:
        """Keep the pace of this turn and begin the next."""
        self.turns.append(self.tokens / self.seconds if self.seconds else 0.0)
        self.tokens, self.seconds, self.last = 0, 0.0, None


async def stream(host: str, port: int) -> AsyncIterator[bytes]:
    """What the event stream sends, as it comes, in whole blocks."""
    async with await trio.open_tcp_stream(host, port) as connection:
        request = f"GET /api/events HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"
        await connection.send_all(request.encode())
        while data := await connection.receive_some():
            yield data


async def keep_pace(host: str, port: int, pace: Pace) -> None:
    """Follow the progress of the node's runs."""
    text = b""
    async for data in stream(host, port):
        text += data
        *blocks, text = text.split(b"\n\n")
        for block in blocks:
            if b"event: progress" in block:
                line = next(line for line in block.split(b"\n") if line.startswith(b"data: "))
                pace.hear(json.loads(line[6:])["now"])


def gauge(crowd: Crowd, name: str) -> float:
    """One number of the node's metrics."""
    connection = HTTPConnection(crowd.host, crowd.port, timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return next(float(line.split()[1]) for line in text.split("\n") if line.startswith(name + " "))


@dataclass(frozen=True)
class Held:
    """What the node holds at one moment, nobody watching."""

    memory_bytes: int
    descriptors: int
    tasks: int

    @classmethod
    def by(cls, node: psutil.Process, crowd: Crowd) -> Held:
        tasks = round(gauge(crowd, "research_swarm_tasks"))
        return cls(node.memory_info().rss, node.num_fds(), tasks)


async def turns(node: psutil.Process, crowd: Crowd, pace: Pace) -> tuple[Held, Held]:
    """Alone and watched in turn; what is held before the first crowd but one and at the end."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep_pace, crowd.host, crowd.port, pace)
        await crowd.fill(STAY_SECONDS)
        await trio.sleep(LEAVE_SECONDS)
        before = await trio.to_thread.run_sync(Held.by, node, crowd)
        pace.end_turn()
        pace.turns.clear()
        for _ in range(TURNS):
            await trio.sleep(TURN_SECONDS)
            pace.end_turn()
            await crowd.fill(TURN_SECONDS)
            pace.end_turn()
        await trio.sleep(LEAVE_SECONDS)
        after = await trio.to_thread.run_sync(Held.by, node, crowd)
        nursery.cancel_scope.cancel()
    return before, after


async def stop_under_load(node: NodeProcess, crowd: Crowd) -> float:
    """Seconds from the signal to the end of the process, with everybody attached."""
    async with trio.open_nursery() as nursery:
        for _ in range(READING_NOTHING):
            nursery.start_soon(read_nothing, crowd)
        nursery.start_soon(crowd.fill, 600.0, 0)
        while crowd.here < CLIENTS:  # noqa: ASYNC110 - the clients say when they are there
            await trio.sleep(0.1)
        await trio.sleep(STAY_SECONDS)
        took = await trio.to_thread.run_sync(stopped, node)
        nursery.cancel_scope.cancel()
    return took


def stopped(node: NodeProcess) -> float:
    """Seconds from the signal to the end of the process."""
    assert node.process is not None
    started = time.monotonic()
    node.process.send_signal(signal.SIGTERM)
    node.process.wait()
    return time.monotonic() - started


def started(node: NodeProcess) -> Crowd:
    """The node, begun and training; nobody watches it yet."""
    node.start("--task", "tinypy", "--api", "127.0.0.1:0")
    wait_until(lambda: bool(node.status()["watch"]), node.tell)
    wait_until(lambda: bool(node.status()["running_titles"]), node.tell, 600)
    where = urlsplit(str(node.status()["watch"]))
    return Crowd(where.hostname or "", where.port or 0)


async def read_nothing(crowd: Crowd) -> None:
    """A client that asks for the stream and never reads it."""
    async with await trio.open_tcp_stream(crowd.host, crowd.port) as connection:
        await connection.send_all(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await trio.sleep_forever()


def main() -> int:
    """Watch a node that trains; 1 where a promise is missed."""
    with tempfile.TemporaryDirectory() as folder, nodes(Path(folder), 1, SETTINGS) as (node,):
        started(node)
        without_clients = stopped(node)
        crowd, pace = started(node), Pace()
        assert node.process is not None
        os.nice(19)
        before, after = trio.run(turns, psutil.Process(node.process.pid), crowd, pace)
        broken = crowd.broken
        with_clients = trio.run(stop_under_load, node, crowd)
        code = node.process.returncode
    alone, watched = statistics.median(pace.turns[0::2]), statistics.median(pace.turns[1::2])
    write_result(
        "watch_load",
        {
            "clients": CLIENTS,
            "watched_seconds": TURNS * TURN_SECONDS,
            "events_received": crowd.events,
            "connections": crowd.connections,
            "connections_broken_while_serving": broken,
            "tokens_per_second_alone": round(alone),
            "tokens_per_second_watched": round(watched),
            "tokens_per_second_by_turn": [round(each) for each in pace.turns],
            "ratio": round(watched / alone, 4),
            "promised_ratio": RATIO,
            "memory_bytes_before": before.memory_bytes,
            "memory_bytes_after": after.memory_bytes,
            "descriptors_before": before.descriptors,
            "descriptors_after": after.descriptors,
            "tasks_before": before.tasks,
            "tasks_after": after.tasks,
            "stop_seconds": round(with_clients, 2),
            "stop_seconds_without_clients": round(without_clients, 2),
            "promised_stop_seconds": STOP_SECONDS,
            "exit_status": code,
        },
    )
    kept = (
        watched >= RATIO * alone
        and after.memory_bytes - before.memory_bytes < MEMORY_BYTES
        and after.descriptors - before.descriptors <= DESCRIPTORS
        and after.tasks - before.tasks <= TASKS
        and with_clients < STOP_SECONDS
        and code == 0
    )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

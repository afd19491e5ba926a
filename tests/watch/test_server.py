"""Connections that misbehave, and that all of them end."""

from __future__ import annotations

import socket
from pathlib import Path

import trio

from swarm import events
from tests.gossip.waiting import until
from tests.watch.glass import Glass, Stage, glass
from watch.service import Watch

LONG = "a long story " * 4_000


async def silent(seen: Glass, target: str = "/api/events") -> trio.SocketStream:
    """A client that asks and then reads nothing, with no room in its kernel either."""
    stream = await seen.connect()
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, 4096)
    await stream.send_all(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return stream


async def flood(seen: Glass, until_dropped: int) -> None:
    """Let much happen until so many clients have been cut off."""
    with trio.fail_after(60):
        while await dropped(seen) < until_dropped:
            for _ in range(20):
                seen.watch.note(events.NetworkTrouble(LONG))
            await trio.sleep(0.05)


async def dropped(seen: Glass) -> int:
    text = (await seen.ask("/metrics")).body.decode()
    [line] = [each for each in text.split("\n") if each.startswith("research_swarm_watch_dropped")]
    return round(float(line.split()[1]))


async def test_who_reads_nothing_is_cut_off_and_may_resume(tmp_path: Path) -> None:
    """Others hear everything meanwhile; whoever was cut off reads on, or anew."""
    async with glass(Stage(), tmp_path, stall_seconds=0.5) as seen, seen.listening() as listener:
        await listener.until("progress")
        stuck = await silent(seen)
        await flood(seen, until_dropped=1)
        assert (await listener.until("log")).data["id"] == 1
        await stuck.aclose()
        async with seen.listening(headers={"Last-Event-ID": "gone-1"}) as again:
            await again.until("reset")


async def test_nothing_keeps_it_from_ending(tmp_path: Path) -> None:
    """Neither who listens, nor who reads nothing, nor who has asked for half of something."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        await listener.until("progress")
        stuck = [await silent(seen) for _ in range(3)]
        half = await seen.connect()
        await half.send_all(b"GET /api/status HTTP/1.1\r\nHost: loc")
        for _ in range(200):
            seen.watch.note(events.NetworkTrouble(LONG))
        await trio.sleep(1)
        port, started = seen.port, trio.current_time()
        seen.scope.cancel()
    took = trio.current_time() - started
    assert took < 10, took
    for stream in (*stuck, half):
        await trio.aclose_forcefully(stream)
    with trio.move_on_after(60):
        try:
            await trio.open_tcp_stream("127.0.0.1", port)
        except OSError:
            return
    raise AssertionError("it still listens")


async def test_clients_that_vanish_leave_nothing_behind(tmp_path: Path) -> None:
    """No task and no stream of theirs is left."""
    async with glass(Stage(), tmp_path) as seen:
        await seen.get("/api/status")
        tasks = trio.lowlevel.current_statistics().tasks_living
        for _ in range(20):
            async with seen.listening() as listener:
                await listener.until("progress")
        await until(lambda: trio.lowlevel.current_statistics().tasks_living <= tasks)
        assert b"research_swarm_watch_streams 0.0" in (await seen.ask("/metrics")).body


async def test_an_answer_that_fails_is_one_answer(tmp_path: Path) -> None:
    """It is a 500 that says nothing of why; the next reader is not touched."""
    async with glass(Stage(), tmp_path) as seen:
        seen.stage.broken = True
        failed = await seen.ask("/api/status")
        assert failed.status == 500 and b"broken" not in failed.body
        assert (await seen.ask("/api/leaderboard")).status == 200
        seen.stage.broken = False
        assert (await seen.ask("/api/status")).status == 200


async def test_a_server_that_fails_is_opened_again(tmp_path: Path) -> None:
    """And nobody but its readers notices."""
    async with glass(Stage(), tmp_path) as seen:
        seen.stage.lost = True
        await until(lambda: seen.watch.url is None)
        seen.stage.lost = False
        await until(lambda: seen.watch.url is not None)
        assert (await seen.ask("/healthz")).status == 200


async def test_what_is_no_http_costs_nobody_anything(tmp_path: Path) -> None:
    """Noise is refused, and the next reader is answered."""
    async with glass(Stage(), tmp_path) as seen:
        for noise in (b"\x00\xff\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01\x02\x00" * 50):
            async with await seen.connect() as stream:
                await stream.send_all(noise)
        assert (await seen.ask("/healthz")).status == 200


async def test_a_port_that_is_taken_costs_a_sentence(tmp_path: Path) -> None:
    """Whoever started it goes on."""
    told: list[events.Event] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        watch = Watch(where, tmp_path / "watch.token", told.append, lambda: 0)
        with trio.fail_after(60):
            await watch.serve(Stage().source())
    [said] = told
    assert isinstance(said, events.NetworkTrouble) and where in said.message
    assert watch.url is None


async def test_off_is_off(tmp_path: Path) -> None:
    """Nothing is served, and nothing said."""
    told: list[events.Event] = []
    with trio.fail_after(60):
        await Watch("off", tmp_path / "x", told.append, lambda: 0).serve(Stage().source())
    assert told == []

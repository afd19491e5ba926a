"""The event stream: what is told, and that a reader who was away misses nothing it can have."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from swarm import events
from swarm.hypothesis import Hypothesis
from tests.cli.toy_homes import BASELINE, toy_win, turned
from tests.watch.glass import Glass, Stage, glass
from watch.feed import KEPT

IDEA = Hypothesis(
    base=None,
    base_tree="0" * 64,
    parents=(),
    diff="x" * 10_000,
    tree="1" * 64,
    title="a <b>good</b> idea",
    rationale="because",
    family="init",
    proposer="knobs",
    knobs=(("SLOPE", "2.0"),),
    code=False,
)


def trouble(number: int) -> events.NetworkTrouble:
    return events.NetworkTrouble(f"trouble {number}")


def tell(seen: Glass, first: int, last: int) -> None:
    for number in range(first, last + 1):
        seen.watch.note(trouble(number))


async def test_a_stream_begins_with_how_things_are(tmp_path: Path) -> None:
    """A newcomer knows where it stands before anything happens."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        hello, board, progress = [await listener.next() for _ in range(3)]
        assert hello and board and progress
        assert (hello.event, board.event, progress.event) == ("hello", "board", "progress")
        assert board.data["version"] == 1
        assert progress.data == {"peers": 1, "now": []}
        assert hello.data["instance"] == (await seen.get("/api/status"))["instance"]


async def test_what_happens_is_told_once_and_in_order(tmp_path: Path) -> None:
    """As the log has it, each with an id to go on from."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        await listener.until("progress")
        tell(seen, 1, 5)
        heard = [await listener.until("log") for _ in range(5)]
        assert [said.data["text"] for said in heard] == [f"trouble {n}" for n in range(1, 6)]
        log = await seen.get("/api/log")
        assert [said.data for said in heard] == log["entries"]
        assert [said.id for said in heard] == [f"{log['instance']}-{n}" for n in range(1, 6)]


@pytest.mark.parametrize("by", ["header", "address"])
async def test_a_broken_stream_is_resumed_where_it_broke(tmp_path: Path, by: str) -> None:
    """Nothing is missed and nothing comes twice."""
    async with glass(Stage(), tmp_path) as seen:
        async with seen.listening() as listener:
            await listener.until("progress")
            tell(seen, 1, 3)
            last = [await listener.until("log") for _ in range(3)][-1].id
        assert last is not None
        tell(seen, 4, 6)
        header = {"Last-Event-ID": last} if by == "header" else {}
        target = "/api/events" + ("" if header else f"?last_event_id={last}")
        async with seen.listening(target, header) as listener:
            heard = [await listener.until("log") for _ in range(3)]
            assert [said.data["text"] for said in heard] == ["trouble 4", "trouble 5", "trouble 6"]


async def test_what_cannot_be_resumed_is_begun_anew(tmp_path: Path) -> None:
    """After a restart, after too long, and after nonsense: read everything again."""
    async with glass(Stage(), tmp_path) as seen:
        instance = (await seen.get("/api/status"))["instance"]
        tell(seen, 1, KEPT + 5)
        for known in ("0123abcd-3", f"{instance}-2", f"{instance}-99999", "nonsense", "-", "%00"):
            async with seen.listening(f"/api/events?last_event_id={known}") as listener:
                reset = await listener.until("reset")
                assert reset.data == {"instance": instance, "last": KEPT + 5}
                assert reset.id == f"{instance}-{KEPT + 5}"
                seen.watch.note(trouble(0))
                assert (await listener.until("log")).data["text"] == "trouble 0"
            seen.watch._feed.last -= 1  # pyright: ignore[reportPrivateUsage]
            seen.watch._feed._entries.pop()  # pyright: ignore[reportPrivateUsage]


async def test_a_change_of_the_board_is_told_when_it_can_be_read(tmp_path: Path) -> None:
    """Who reads the leaderboard because of it sees what changed."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        await listener.until("progress")
        seen.stage.keep(toy_win(1, BASELINE, turned(BASELINE, SLOPE=2.0)))
        board = await listener.until("board")
        assert board.data == {
            "version": 2, "records": 1, "wins": 1, "replications": 0, "experiments": 1,
        }  # fmt: skip
        shown = await seen.get("/api/leaderboard")
        assert (shown["version"], shown["total"]) == (2, 1)


async def test_progress_is_told_as_it_is_seen_in_the_status(tmp_path: Path) -> None:
    """An experiment from its first token to its verdict."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        await listener.until("progress")
        seen.watch.note(events.ExperimentStarted(7, IDEA, "why not"))
        seen.watch.note(events.PairMeasured(7, 1, 3.5, 3.25))
        seen.watch.note(events.RunProgress(7, "candidate", 3, "train", 512, 1024, float("nan")))
        progress = await listener.until("progress")
        [now] = progress.data["now"]
        assert now == (await seen.get("/api/status"))["now"][0]
        assert (now["title"], now["why"], now["kind"]) == (IDEA.title, "why not", "experiment")
        assert now["pairs"] == [{"base": 3.5, "candidate": 3.25}]
        assert now["run"]["tokens"] == 512 and now["run"]["loss"] is None
        seen.watch.note(events.ExperimentFinished(7, IDEA, "no_gain", None, "", 1.0))
        while progress.data["now"]:
            progress = await listener.until("progress")


async def test_an_entry_has_the_fields_of_its_event_and_no_diff(tmp_path: Path) -> None:
    """What a peer wrote stays text; what is long stays out."""
    async with glass(Stage(), tmp_path) as seen:
        seen.watch.note(events.ExperimentStarted(7, IDEA, "why not"))
        [entry] = (await seen.get("/api/log"))["entries"]
        assert entry["event"] == "experiment_started"
        assert (entry["number"], entry["title"]) == (7, "a <b>good</b> idea")
        assert entry["knobs"] == {"SLOPE": "2.0"} and "diff" not in entry


async def test_there_is_room_for_so_many_and_one_who_leaves_makes_room(tmp_path: Path) -> None:
    """One too many is told to come again."""
    async with glass(Stage(), tmp_path, streams=2) as seen, seen.listening() as first:
        await first.until("progress")
        async with seen.listening() as second:
            await second.until("progress")
            refused = await seen.ask("/api/events")
            assert refused.status == 503 and int(refused.headers["retry-after"]) > 0
        with trio.fail_after(60):
            while (await seen.ask("/api/events", method="HEAD")).status == 503:
                pass


async def test_the_end_is_told(tmp_path: Path) -> None:
    """A node that stops says so on its streams and ends them; it does not cut them."""
    async with glass(Stage(), tmp_path) as seen, seen.listening() as listener:
        await listener.until("progress")
        seen.watch.note(events.Stopping("the end"))
        seen.watch.stop()
        assert (await listener.until("log")).data["text"] == "the end"
        while await listener.next() is not None:
            pass

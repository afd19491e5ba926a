"""What each path answers, from real records of the toy task."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from swarm import events
from swarm.records import RecordId
from tests.cli.toy_homes import (
    BASELINE,
    TASK,
    id_of,
    toy_replication,
    toy_trials,
    toy_win,
    turned,
)
from tests.hostile_text import LINES, as_line
from tests.swarm.record_samples import ANN, BOB, NOW_MS, TRIAL, Author
from tests.watch.glass import Glass, Stage, glass
from watch.source import Odds
from watch.standing import Standing

SHIFTED = turned(BASELINE, SHIFT="small")


def stage_with_two_wins() -> tuple[Stage, RecordId, RecordId]:
    """A shift that two others replicated, and a slope on top of it that is only claimed."""
    stage = Stage()
    first = toy_win(1, BASELINE, SHIFTED, title="SHIFT = small", value=2.0, gain=0.5)
    second = toy_win(
        2,
        SHIFTED,
        turned(SHIFTED, SLOPE=2.0),
        author=BOB,
        base=id_of(first),
        parents=(id_of(first),),
        value=1.8,
        nickname="bob",
    )
    replications = [toy_replication(id_of(first), Author(n), 0.5) for n in (3, 4, 5)]
    stage.keep(first, second, *replications, toy_trials(3, "no_gain", "crashed", author=BOB))
    return stage, id_of(first), id_of(second)


SPENT: dict[str, object] = {
    "day": "2026-11-23", "asked": 3, "tokens": 4000, "money": 0.25,
    "tokens_limit": 9000, "money_limit": 2.0, "model": "a-model",
}  # fmt: skip


async def test_the_leaderboard(tmp_path: Path) -> None:
    """Best believed first; narrowed by state with the ranks they have among all."""
    stage, first, second = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        shown = await seen.get("/api/leaderboard")
        assert [entry["record"] for entry in shown["entries"]] == [first, second]
        assert [entry["state"] for entry in shown["entries"]] == ["replicated", "claimed"]
        assert shown["entries"][0]["adopters"] == [BOB.peer_id]
        assert shown["task"]["id"] == TASK.id
        assert (shown["total"], shown["peers"]) == (2, 1)
        claimed = await seen.get("/api/leaderboard?state=claimed&limit=1")
        assert [entry["rank"] for entry in claimed["entries"]] == [2]
        mine = await seen.get("/api/leaderboard?view=mine")
        assert {entry["state"] for entry in mine["entries"]} == {"claimed"}


async def test_a_record_is_told_whole(tmp_path: Path) -> None:
    """With its diff, its evidence, who measured it again and what was built on it."""
    stage, first, second = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        told = await seen.get(f"/api/records/{first}")
        assert told["kind"] == "win" and told["title"] == "SHIFT = small"
        assert '+SHIFT = "small"' in told["diff"]
        assert told["pairs"][0] == {
            "seed": 1, "base_nano": 2_501_000_000, "candidate_nano": 2_001_000_000,
        }  # fmt: skip
        assert told["built_on_by"] == [second] and told["lineage"] == []
        assert told["verdict"]["state"] == "replicated"
        assert [each["counts"] for each in told["replications"]] == [True] * 3
        replication = told["replications"][0]["record"]
        assert (await seen.get(f"/api/records/{replication}"))["win"] == first
        for wrong in (first[:-1], "b", "..%2f..", first + "/x", TASK.id):
            assert (await seen.ask(f"/api/records/{wrong}")).status == 404


async def test_the_lineage(tmp_path: Path) -> None:
    """An edge from what was built on; from nothing for the baseline."""
    stage, first, second = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        shown = await seen.get("/api/lineage")
        assert [node["record"] for node in shown["nodes"]] == [first, second]
        assert shown["edges"] == [
            {"from": None, "to": first, "kind": "base"},
            {"from": first, "to": second, "kind": "base"},
            {"from": first, "to": second, "kind": "parent"},
        ]
        newest = await seen.get("/api/lineage?limit=1")
        assert [node["record"] for node in newest["nodes"]] == [second]


async def test_every_experiment_is_listed_once(tmp_path: Path) -> None:
    """Own ones at once, peers' as they are told; a win by its record."""
    stage, first, second = stage_with_two_wins()
    own = replace(TRIAL, outcome="no_gain", title="mine", finished_at_ms=NOW_MS)
    async with glass(stage, tmp_path) as seen:
        shown = await seen.get("/api/trials")
        outcomes = [(row["outcome"], row["record"] in (first, second)) for row in shown["trials"]]
        assert sorted(outcomes) == [
            ("crashed", False), ("no_gain", False), ("win", True), ("win", True),
        ]  # fmt: skip
        assert [row["seq"] for row in shown["trials"]] == [1, 2, 3, 4]
        win = next(row for row in shown["trials"] if row["record"] == first)
        assert (win["value"], win["effect"]) == (pytest.approx(2.002), pytest.approx(-0.5))
        assert win["knobs"] == {"SHIFT": '"small"'}

        stage.trials.append(own)
        news = await seen.get(f"/api/trials?after={shown['last']}")
        assert [(row["title"], row["own"]) for row in news["trials"]] == [("mine", True)]
        stage.keep(replace(toy_trials(9, "equal", author=ANN), trials=(own,)))
        await version(seen, 2)
        assert (await seen.get("/api/trials"))["last"] == 5

        for narrowed, count in (
            (f"author={BOB.peer_id}", 3), ("outcome=win", 2), ("family=fold", 0), ("limit=1", 1),
            (f"since_ms={NOW_MS + 90_000}", 3),
        ):  # fmt: skip
            assert len((await seen.get(f"/api/trials?{narrowed}"))["trials"]) == count, narrowed


async def test_what_is_no_longer_kept_is_no_longer_shown(tmp_path: Path) -> None:
    """Old trials of peers go; own experiments stay."""
    stage = Stage(trials=[replace(TRIAL, outcome="no_gain")])
    [batch] = stage.keep(toy_trials(3, "no_gain", author=BOB))
    async with glass(stage, tmp_path) as seen:
        assert (await seen.get("/api/trials"))["total"] == 2
        stage.board = stage.board.without([batch])
        await version(seen, 2)
        left = await seen.get("/api/trials")
        assert [row["own"] for row in left["trials"]] == [True]


async def test_who_takes_part(tmp_path: Path) -> None:
    """This node, then who is connected, then who was heard of."""
    stage, _, _ = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        shown = await seen.get("/api/peers")
        assert [peer["peer_id"] for peer in shown["peers"][:2]] == [ANN.peer_id, BOB.peer_id]
        me, bob, *others = shown["peers"]
        assert (me["self"], me["nickname"], me["wins"]) == (True, "ann", 1)
        assert (bob["connected"], bob["trials"], bob["running"]) == (True, 3, ["an idea"])
        assert (bob["hardware_class"], bob["device"]) == ("gpu-large", "a device")
        assert [peer["replications"] for peer in others] == [1, 1, 1]
        assert not any(peer["connected"] for peer in others)


async def test_what_a_model_has_used_today(tmp_path: Path) -> None:
    """With the limits; null where there is no model."""
    stage = Stage()
    async with glass(stage, tmp_path) as seen:
        assert (await seen.get("/api/status"))["llm"] is None
        stage.llm = SPENT
        assert (await seen.get("/api/status"))["llm"] == SPENT


async def test_the_strategys_odds(tmp_path: Path) -> None:
    """Null before research begins."""
    stage = Stage()
    async with glass(stage, tmp_path) as seen:
        assert (await seen.get("/api/strategy"))["odds"] is None
        stage.odds = [Odds("init", 0.75, 4, 1, "why not"), Odds("norm", 0.25, 0, 0, "untried")]
        assert (await seen.get("/api/strategy"))["odds"][0] == {
            "family": "init", "probability": 0.75, "trials": 4, "wins": 1, "why": "why not",
        }  # fmt: skip


async def test_a_replicated_win_with_a_source_is_a_milestone(tmp_path: Path) -> None:
    """Named with its year; a claim is none yet."""
    stage, first, _ = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        [milestone] = (await seen.get("/api/milestones"))["milestones"]
        assert milestone["text"] == "confirmed: a small shift, 2026"
        assert (milestone["record"], milestone["kind"]) == (first, "confirmed")
    stage.board = stage.board.without(list(stage.board.replications))
    async with glass(stage, tmp_path) as seen:
        assert (await seen.get("/api/milestones"))["milestones"] == []


async def test_what_prometheus_is_told(tmp_path: Path) -> None:
    """Counters follow the events, gauges the node; no peer's words in any label."""
    stage, _, _ = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        for tokens in (100, 300, 300):
            seen.watch.note(events.RunProgress(1, "base", 7, "train", tokens, 1000, 2.5))
        seen.watch.note(events.RunProgress(1, "base", 8, "train", 50, 1000, 2.5))
        seen.watch.note(events.RunProgress(1, "base", 8, "evaluate", 5000, 5000, None))
        seen.watch.note(events.RecordRefused("nonsense", BOB.peer_id))
        lines = (await seen.ask("/metrics")).body.decode().split("\n")
        for line in (
            "research_swarm_trained_tokens_total 350.0",
            "research_swarm_records_refused_total 1.0",
            'research_swarm_board_records{kind="win"} 2.0',
            'research_swarm_board_findings{state="replicated"} 1.0',
            'research_swarm_experiments_total{outcome="win"} 0.0',
            "research_swarm_uptime_seconds 1.5",
            "research_swarm_peers 1.0",
        ):
            assert line in lines
        assert not [line for line in lines if "bob" in line or BOB.peer_id in line]


async def test_an_answer_that_has_not_changed_is_not_sent_again(tmp_path: Path) -> None:
    """304 for the version one has, until the board changes."""
    stage, _, _ = stage_with_two_wins()
    async with glass(stage, tmp_path) as seen:
        first = await seen.ask("/api/leaderboard")
        known = {"If-None-Match": first.headers["etag"]}
        again = await seen.ask("/api/leaderboard", known)
        assert (again.status, again.body) == (304, b"")
        stage.keep(toy_win(7, BASELINE, turned(BASELINE, WIDTH=2)))
        await version(seen, 2)
        assert (await seen.ask("/api/leaderboard", known)).status == 200


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/api/leaderboard?limit=0", "limit"),
        ("/api/leaderboard?limit=1&limit=2", "twice"),
        ("/api/leaderboard?limit=%D9%A1", "limit"),
        ("/api/leaderboard?limit=99999999999999999999999", "limit"),
        ("/api/leaderboard?state=good", "state"),
        ("/api/leaderboard?colour=red", "colour"),
        ("/api/trials?family=" + "x" * 129, "family"),
        ("/api/status?x=", "x"),
        ("/api/log?after=-1", "after"),
    ],
)
async def test_a_question_that_cannot_be_is_refused_with_its_fault(
    tmp_path: Path, target: str, said: str
) -> None:
    async with glass(Stage(), tmp_path) as seen:
        answer = await seen.ask(target)
        assert answer.status == 400 and said in answer.json["error"]


async def test_hostile_text_stays_text(tmp_path: Path) -> None:
    """Whatever peers write comes back as the same string, inside JSON and nothing else."""
    stage, titles = Stage(), [as_line(text, 120) or "-" for text in LINES]
    for number, title in enumerate(titles):
        after = turned(BASELINE, SLOPE=1.0 + number)
        stage.keep(toy_win(number, BASELINE, after, title=title, rationale=title))
    async with glass(stage, tmp_path) as seen:
        for path, name in (("leaderboard", "entries"), ("lineage", "nodes"), ("trials", "trials")):
            answer = await seen.ask(f"/api/{path}")
            assert answer.headers["content-type"] == "application/json"
            assert answer.body.isascii() and b"\n" not in answer.body
            assert sorted(row["title"] for row in answer.json[name]) == sorted(titles)


async def test_heavy_reading_does_not_stop_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a board is ranked, however long that takes, the node's own loop goes on."""
    breaths, taken = 0, list[int]()
    ranked = Standing.of

    def slowly(*given: Any) -> Standing:
        before, end = breaths, time.monotonic() + 20
        while breaths == before and time.monotonic() < end:
            time.sleep(0.01)
        taken.append(breaths - before)
        return ranked(*given)

    async def breathe() -> None:
        nonlocal breaths
        while True:
            await trio.sleep(0.001)
            breaths += 1

    monkeypatch.setattr(Standing, "of", slowly)
    async with glass(stage_with_two_wins()[0], tmp_path) as seen, trio.open_nursery() as nursery:
        nursery.start_soon(breathe)
        for path in ("leaderboard", "lineage", "milestones"):
            await seen.get(f"/api/{path}")
        nursery.cancel_scope.cancel()
    assert len(taken) == 1 and taken[0] > 0


async def version(seen: Glass, wanted: int) -> None:
    """Wait until the API shows this version of the board."""
    with trio.fail_after(60):
        while (await seen.get("/api/status"))["board"]["version"] < wanted:
            pass

"""Real nodes watched over HTTP while they research."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from swarm.families import FAMILIES
from tests.processes import NodeProcess, nodes, wait_until

SURE = [family for family in FAMILIES if family != "width_depth"]
SETTINGS = f"[node]\nstay = true\n[search]\nexclude_families = {json.dumps(SURE)}\n"
"""Of the toy task every width is better than the first."""


def connected(node: NodeProcess) -> http.client.HTTPConnection:
    where = urlsplit(str(node.status()["watch"])).netloc
    return http.client.HTTPConnection(where, timeout=60)


def get(node: NodeProcess, path: str) -> Any:
    connection = connected(node)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body
    return json.loads(body)


def listening(node: NodeProcess) -> http.client.HTTPResponse:
    """An open event stream."""
    connection = connected(node)
    connection.request("GET", "/api/events")
    answer = connection.getresponse()
    assert answer.status == 200
    return answer


def next_event(stream: http.client.HTTPResponse, name: str) -> Any:
    """The data of the next event of this name."""
    event = ""
    while True:
        line = stream.readline().decode()
        assert line, "the stream has ended"
        key, _, value = line.rstrip("\n").partition(": ")
        if key == "event":
            event = value
        elif key == "data" and event == name:
            return json.loads(value)


def test_a_node_is_watched_while_it_finds_something(tmp_path: Path) -> None:
    """Its win turns up in an open stream; the API says what the command line says."""
    with nodes(tmp_path, 1, SETTINGS) as (node,):
        node.start("--experiments", "2", "--nickname", "ann", "--api", "127.0.0.1:0")
        wait_until(lambda: bool(node.status()["watch"]), node.tell)
        streams = [listening(node) for _ in range(3)]
        while next_event(streams[0], "board")["wins"] == 0:
            pass
        wait_until(lambda: get(node, "/api/trials")["total"] == 2, node.tell)
        entries = get(node, "/api/leaderboard?limit=1000")["entries"]
        assert entries == node.board()["entries"]
        told = get(node, f"/api/records/{entries[0]['record']}")
        shown = json.loads(node.command("show", "--json", entries[0]["record"]))
        assert shown == {name: told[name] for name in shown}
        kinds = {entry["event"] for entry in get(node, "/api/log?limit=1000")["entries"]}
        assert kinds >= {"started", "experiment_started", "win_accepted", "champion_changed"}
        assert get(node, "/api/status")["champion"]["title"]
        assert f"watch  {node.status()['watch']}" in node.tell()
        assert node.end() == 0, node.tell()
        for stream in streams:
            stream.read()

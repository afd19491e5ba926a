"""Signals between real nodes, over libp2p on loopback."""

import json
from pathlib import Path

from tests.processes import nodes, wait_until
from tests.watch.test_node_api import get


def test_peers_know_who_is_there_on_what_and_nothing_is_stored(tmp_path: Path) -> None:
    """One node's page shows the other's machine; the journals stay empty."""
    with nodes(tmp_path, 2, "[node]\nobserve = true\n") as (first, second):
        first.start("--nickname", "ann", "--api", "127.0.0.1:0")
        second.start("--nickname", "bob", "--join", first.addrs()[0])
        wait_until(lambda: bool(first.status()["watch"]), first.tell)

        def told() -> list[str]:
            peers = get(first, "/api/peers")["peers"]
            return [peer["device"] for peer in peers if peer["nickname"] == "bob"]

        wait_until(lambda: bool(told()), second.tell, 180)
        assert "core" in told()[0]
        assert first.record_ids() == second.record_ids() == set()
        explained = json.loads(first.command("strategy", "--json"))
        assert explained["families"] and explained["next"]

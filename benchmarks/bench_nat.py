"""
A private swarm in real network namespaces, two of its nodes behind NATs, from one invite.

    hub (a relay) ─┬─ open ─┬─ router ─ hidden        routers: nftables, masquerade,
                   └────────┴─ router ─ hidden        nothing comes in unasked

Every step is what a person would type: `swarm topic create`, `swarm start --relay`,
`swarm invite`, `swarm join`, `swarm start`. Then each node does two experiments. It
passes when the records of each are in the journal of every other, and when the two
hidden nodes are connected to each other, which only a circuit through the hub can do.
It needs root and the program `nft` (Debian: `apt install nftables`).
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.result import Figure, write_result
from gossip.journal import Journal
from tests import namespaces
from tests.processes import TOY, NodeProcess, nodes

TOPIC = "lab"
EXPERIMENTS = 2
LIMIT_SECONDS = 120.0
SETTINGS = "[node]\nworkers = 1\nstay = true\n"


def main() -> int:
    """Build the network and the swarm; 1 where a record or a connection is missing."""
    if reason := namespaces.why_not():
        print(f"cannot run here: {reason}", file=sys.stderr)
        return 1
    with (
        tempfile.TemporaryDirectory() as folder,
        namespaces.internet(2, 2) as (opened, hidden),
        nodes(Path(folder), 4, SETTINGS) as swarm,
    ):
        figures = _measured(swarm, [*opened, *hidden])
    write_result("nat", figures)
    return 0 if figures["records_everywhere"] and figures["hidden_connected"] else 1


def _measured(swarm: list[NodeProcess], hosts: list[str]) -> dict[str, Figure]:
    hub, hidden = swarm[0], swarm[2:]
    _type(hub, hosts[0], "topic", "create", TOPIC, "--task", str(TOY))
    _start(hub, hosts[0], "--relay")
    _until(lambda: bool(hub.addrs()))
    invite = _type(hub, hosts[0], "invite", "--topic", TOPIC).splitlines()[-1]
    for node, host in zip(swarm[1:], hosts[1:], strict=True):
        _type(node, host, "join", invite, "--yes")
    began = time.monotonic()
    for node, host in zip(swarm[1:], hosts[1:], strict=True):
        _start(node, host)
    ids = [_until_there(node) for node in swarm]
    entered = _until(lambda: all(node.status().get("peers", 0) for node in swarm), began)
    reserved = _until(
        lambda: all(any("/p2p-circuit/" in a for a in n.addrs()) for n in hidden), began
    )
    everywhere = _until(lambda: all(_authors(node) >= set(ids) for node in swarm), began)
    met = _until(lambda: ids[3] in _connected(hidden[0]), began)
    _until(lambda: len(_connected(swarm[1])) == 3, began)
    punched = _until(lambda: _speak_directly(hosts[2], hosts[3]), began)
    ways = sorted({way for node in hidden for way in node.status()["network"]["found_by"].values()})
    return {
        "nodes": len(swarm),
        "behind_nat": len(hidden),
        "invites": 1,
        "seconds_to_all_entered": entered,
        "seconds_to_reservations": reserved,
        "seconds_to_records_everywhere": everywhere,
        "seconds_to_hidden_connected": met,
        "seconds_to_hidden_connected_without_relay": punched,
        "records_everywhere": everywhere is not None,
        "hidden_connected": met is not None,
        "relayed_addresses_of_open_node": len(_relayed_addrs(swarm[1])),
        "found_by": ", ".join(ways),
    }


def _type(node: NodeProcess, host: str, *arguments: str) -> str:
    """Standard output of a command typed on a host."""
    command = ["ip", "netns", "exec", host, sys.executable, "-m", "cli.main", *arguments]
    done = subprocess.run(
        [*command, "--home", str(node.root)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout


def _start(node: NodeProcess, host: str, *more: str) -> None:
    arguments = ("--topic", TOPIC, "--api", "off", "--experiments", str(EXPERIMENTS), *more)
    node.launch(*arguments, listen=None, within=host)


def _until_there(node: NodeProcess) -> str:
    _until(lambda: bool(node.status().get("peer_id")))
    return str(node.status()["peer_id"])


def _connected(node: NodeProcess) -> set[str]:
    return set(node.status()["network"]["connected"])


def _speak_directly(*hosts: str) -> bool:
    """Whether each of two hidden hosts has an open TCP connection to the other's router."""
    routers = ("203.0.113.4", "203.0.113.3")
    return all(
        f"{router}:"
        in subprocess.run(
            ["ip", "netns", "exec", host, "ss", "-Htn", "state", "established"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        for host, router in zip(hosts, routers, strict=True)
    )


def _relayed_addrs(node: NodeProcess) -> list[str]:
    return [addr for addr in node.addrs() if "/p2p-circuit/" in addr]


def _authors(node: NodeProcess) -> set[str]:
    """Whose records are in a node's journal."""
    with Journal.open(node.journal(), read_only=True) as journal:
        return {author for _, _, author, _ in journal.listed()}


def _until(condition: Callable[[], bool], began: float | None = None) -> float | None:
    """Seconds since `began` until something holds; None: it does not within the limit."""
    began = time.monotonic() if began is None else began
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            return None
        time.sleep(0.1)
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    sys.exit(main())

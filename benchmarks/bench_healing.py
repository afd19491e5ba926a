"""
Whether a swarm holds together, and heals, on a bad network: real nodes in namespaces.

Real nodes (`benchmarks.commanded_node`), each a process in a network namespace of its
own, with 100 ms there and back, 2 % of packets lost and 10 Mbit/s: delay and loss by
`benchmarks.tun_link`, since netem is not everywhere, bandwidth by the kernel's tbf. In
each scenario nodes publish signed records while something goes wrong; when the network
is whole again, the time runs until all journals hold the same records. Every record that
some node said was durable must be in all of them.

Usage: python -m benchmarks.bench_healing [NODES [SCENARIO …]], as root. With another number
of nodes than eight the figures go to `results/healing_NODES.json`.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.namespaces import DELAY_S, LOSS, RATE, Link, namespaces, shape
from benchmarks.result import Figure, write_result
from benchmarks.swarm_of_nodes import Commanded, alike, ended

NODES = 8
LATE_SHARE = 4
"""One node in so many joins late."""
STARTED_AT_ONCE = 4
SPLIT_SECONDS = 90.0
CHURN_SECONDS, KILL_SECONDS, DEAD_SECONDS = 60.0, 4.0, 2.0
FROZEN_SECONDS = 60.0
SLOW_SECONDS = 45.0
SLOW_DELAY_S, SLOW_LOSS, SLOW_RATE = 0.5, 0.05, "256kbit"
SKEW_HOURS = 3.0
RECORDS_PER_SECOND = 2.0
"""With more than eight nodes so many fewer: all share this machine, and each hears every record."""
HEALED_SECONDS = 30.0
WAIT_SECONDS = 120.0


class Swarm:
    """The nodes, the network between them, and what was said to be durable."""

    def __init__(self, folder: Path, link: Link, words: Sequence[list[str]]) -> None:
        self.link = link
        self.words = words
        self.durable: set[str] = set()
        self.draw = random.Random(6)
        self.nodes = [
            Commanded(folder / f"node{at}", prefix=prefix, listen=f"/ip4/10.77.0.{at + 1}/tcp/4001")
            for at, prefix in enumerate(words)
        ]
        self.early = len(self.nodes) - len(self.nodes) // LATE_SHARE

    def start(self, *numbers: int) -> None:
        """Start some nodes; each joins the first two, as a bootstrap list would have it."""
        waiting = list[Commanded]()
        for at in numbers:
            joined = [addr for node in self.nodes[:2] for addr in node.addrs[:1]]
            waiting.append(self.nodes[at].start(joined))
            if at < 2 or len(waiting) == STARTED_AT_ONCE or at == numbers[-1]:
                for node in waiting:
                    node.ready()
                waiting.clear()

    def speak(self, nodes: Sequence[Commanded], seconds: float) -> None:
        """Have these nodes publish in turn, for so long."""
        rate = RECORDS_PER_SECOND * min(1.0, NODES / len(self.nodes))
        for _ in range(round(seconds * rate)):
            self.say(self.draw.choice(nodes))
            time.sleep(1 / rate)

    def say(self, node: Commanded) -> None:
        """Have a node publish one record; durable there once this returns."""
        self.durable.update(node.do("speak")["published"])

    def healed(self, nodes: Sequence[Commanded]) -> dict[str, Figure]:
        """How long these need from now until they hold the same, and what is missing then."""
        try:
            seconds = alike(nodes, len(self.durable), WAIT_SECONDS)
        except AssertionError as error:
            return {"healed_after_seconds": None, "why": str(error), "records_lost": self.lost()}
        return {
            "records": len(self.durable),
            "healed_after_seconds": round(seconds, 1),
            "records_lost": self.lost(),
        }

    def lost(self) -> int:
        """Of the records that were durable somewhere, how many no running node holds."""
        held = [node.ids() for node in self.nodes if node.runs]
        return len(self.durable - frozenset().union(*held))


def late_joiners(swarm: Swarm) -> dict[str, Figure]:
    """Some nodes come when the others have been at it for a while."""
    swarm.speak(swarm.nodes[: swarm.early], 30)
    swarm.start(*range(swarm.early, len(swarm.nodes)))
    return swarm.healed(swarm.nodes)


def split(swarm: Swarm) -> dict[str, Figure]:
    """Two halves hear nothing of each other for a while, and both go on."""
    swarm.link.set(groups={str(at): at % 2 for at in range(len(swarm.nodes))})
    swarm.speak(swarm.nodes, SPLIT_SECONDS)
    sides = {node.ids() for node in swarm.nodes}
    swarm.link.set(groups={})
    return {"differing_before": len(sides), **swarm.healed(swarm.nodes)}


def churn(swarm: Swarm) -> dict[str, Figure]:
    """Every few seconds a node is killed, and comes back a little later."""
    kills, ends_at = 0, time.monotonic() + CHURN_SECONDS
    while time.monotonic() < ends_at:
        at = swarm.draw.randrange(len(swarm.nodes))
        swarm.nodes[at].kill()
        kills += 1
        others = [node for node in swarm.nodes if node is not swarm.nodes[at]]
        swarm.speak(others, DEAD_SECONDS)
        swarm.nodes[at].start([addr for node in others[:2] for addr in node.addrs[:1]]).ready()
        swarm.speak(swarm.nodes, KILL_SECONDS - DEAD_SECONDS)
    return {"kills": kills, **swarm.healed(swarm.nodes)}


def slow_peer(swarm: Swarm) -> dict[str, Figure]:
    """One node sits behind a second there and back, 5 % loss and 256 kbit/s."""
    swarm.link.set(slow={str(len(swarm.nodes) - 1): [SLOW_DELAY_S, SLOW_LOSS]})
    shape(swarm.words[-1], SLOW_RATE)
    swarm.speak(swarm.nodes, SLOW_SECONDS)
    others = swarm.healed(swarm.nodes[:-1])
    slow = swarm.healed(swarm.nodes)
    swarm.link.set(slow={})
    shape(swarm.words[-1], RATE)
    return {"others_alike_after_seconds": others["healed_after_seconds"], **slow}


def frozen_peer(swarm: Swarm) -> dict[str, Figure]:
    """One node is stopped (SIGSTOP) for a while, its connections open."""
    swarm.nodes[2].send(signal.SIGSTOP)
    others = [node for node in swarm.nodes if node is not swarm.nodes[2]]
    swarm.speak(others, FROZEN_SECONDS)
    rest = swarm.healed(others)
    swarm.nodes[2].send(signal.SIGCONT)
    return {"others_alike_after_seconds": rest["healed_after_seconds"], **swarm.healed(swarm.nodes)}


def clock_skew(swarm: Swarm) -> dict[str, Figure]:
    """One clock is three hours ahead, another three hours behind; both go on publishing."""
    for at, hours in ((3, SKEW_HOURS), (4, -SKEW_HOURS)):
        swarm.nodes[at].stop()
        swarm.nodes[at].ahead_seconds = hours * 3600
        swarm.start(at)
    swarm.speak(swarm.nodes, 30)
    found = swarm.healed(swarm.nodes)
    for at in (3, 4):
        swarm.nodes[at].stop()
        swarm.nodes[at].ahead_seconds = 0.0
        swarm.start(at)
    return found


SCENARIOS: Sequence[Callable[[Swarm], dict[str, Figure]]] = (
    late_joiners,
    split,
    churn,
    slow_peer,
    frozen_peer,
    clock_skew,
)


def main(count: int = NODES, *names: str) -> int:
    """Run every scenario, or those named; 1 where one does not heal in time."""
    found: dict[str, Figure] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        namespaces(count) as (link, words),
    ):
        swarm = Swarm(Path(folder), link, words)
        with ended(swarm.nodes):
            swarm.start(*range(swarm.early))
            for scenario in SCENARIOS:
                if not names or scenario.__name__ in names:
                    found[scenario.__name__] = dict(scenario(swarm))
                    print(scenario.__name__, found[scenario.__name__], flush=True)
            complaints = [line for node in swarm.nodes for line in node.complaints()]
    healed = all(_healed(each) for each in found.values())
    write_result(
        "healing" if count == NODES else f"healing_{count}",
        {
            "nodes": count,
            "network": "namespaces; delay and loss by a userspace TUN link, bandwidth by tbf",
            "there_and_back_ms": round(2000 * DELAY_S),
            "loss": LOSS,
            "bandwidth": RATE,
            "promised_seconds": HEALED_SECONDS,
            "scenarios": found,
            "complaints": list(complaints[:10]),
            "promise_kept": healed,
        },
        command="" if count == NODES else f"python -m benchmarks.bench_healing {count}",
    )
    return 0 if healed and not complaints else 1


def _healed(found: Figure) -> bool:
    assert isinstance(found, dict)
    seconds = found["healed_after_seconds"]
    in_time = isinstance(seconds, float) and seconds <= HEALED_SECONDS
    return in_time and found["records_lost"] == 0


if __name__ == "__main__":
    sys.exit(main(int((sys.argv[1:2] or [NODES])[0]), *sys.argv[2:]))

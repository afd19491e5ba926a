"""
An hour of eight nodes that gossip while some die and come back: does anything grow?

Real nodes (`benchmarks.commanded_node`), each a process. Five stay; of three others one
is killed with SIGKILL every 45 seconds, and started again ten seconds later. Every second
somebody gossips a signed record that all have. In the first part one in ten of them is
new: a node holds what it was told, so its memory may grow with them. In the second part
none is, and nothing may grow. Memory, descriptors, trio's tasks and Python's objects of
the five are watched once they have settled; slopes are those of means over some minutes,
with the interval that holds the true one at 95 % (Student's t over the means).

Then a thousand new records come within minutes, which says what one takes in memory. At
the end all eight must hold the same records, end in good order and have nothing in their
logs that a healthy node does not say. It runs at low priority and costs little.
"""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import psutil

from benchmarks.result import Figure, write_result
from benchmarks.swarm_of_nodes import Commanded, Records, alike, ended

SECONDS = 3600.0
SETTLE_SECONDS = 600.0
STAYING, CHURNING = 5, 3
JOINED = 3
CHURN_SECONDS, DEAD_SECONDS = 45.0, 10.0
MESSAGE_SECONDS = 1.0
NEW_ONE_IN = 10
NEW_UNTIL = 5 / 12
"""The part of the time in which new records come."""
MANY, MANY_INTERVAL_S = 1_000, 0.08
SAMPLE_SECONDS = 30.0
MEAN_SECONDS = 300.0
ALIKE_SECONDS = 30.0
FLAT = {"memory_bytes": 2_000_000.0, "descriptors": 1.0, "tasks": 2.0, "objects": 20_000.0}
"""
The most that the slope of each may be per hour, while no new records come. A slope that is
above it and yet may be none, zero being in its interval, shows nothing.
"""

Sample = dict[str, float]


class Soak:
    """A swarm, what is done to it every second, and what was seen."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.nodes = [Commanded(folder / f"node{at}") for at in range(STAYING + CHURNING)]
        self.samples: list[tuple[float, list[Sample]]] = []
        self.kills = self.messages = self.published = 0
        self._seconds = seconds
        self._records = Records(20_000)
        self._known: list[bytes] = []
        self._dead: tuple[Commanded, float] | None = None
        self._draw = random.Random(8)

    def run(self) -> None:
        """Start everybody, and gossip for as long as that was asked for."""
        self.nodes[0].start().ready()
        for node in self.nodes[1:]:
            node.start(self._joined()).ready()
        started = time.monotonic()
        churn_at = sample_at = 0.0
        second = 0
        while (now := time.monotonic() - started) < self._seconds:
            if now >= churn_at:
                churn_at = now + CHURN_SECONDS
                self._kill_one()
            if self._dead is not None and time.monotonic() > self._dead[1] + DEAD_SECONDS:
                self._bring_back()
            if now >= sample_at:
                sample_at = now + SAMPLE_SECONDS
                self.samples.append((now, [_sample(node) for node in self.nodes[:STAYING]]))
                print(f"{now:.0f} s", self.samples[-1][1][0], flush=True)
            self._gossip(second)
            second += 1
            time.sleep(max(0.0, started + second * MESSAGE_SECONDS - time.monotonic()))
        self._bring_back()

    def _gossip(self, second: int) -> None:
        node = self._draw.choice([node for node in self.nodes if self._up(node)])
        self.messages += 1
        if second % NEW_ONE_IN == 0 and second < NEW_UNTIL * self._seconds:
            envelopes = self._records.take(1)
            node.publish(envelopes)
            self._known += envelopes
            self.published += len(node.answer()["published"])
        else:
            node.again([self._known[self.messages % len(self._known)]])

    def bytes_per_record(self) -> float:
        """What one more record takes in a node's memory, on average over many."""
        before = self._memory()
        for node in self.nodes[:STAYING]:
            node.publish(self._records.take(MANY // STAYING), STAYING * MANY_INTERVAL_S)
        self.published += sum(len(node.answer()["published"]) for node in self.nodes[:STAYING])
        alike(self.nodes, self.published, 4 * ALIKE_SECONDS)
        time.sleep(SAMPLE_SECONDS)
        return (self._memory() - before) / MANY

    def _memory(self) -> float:
        return fmean(_sample(node)["memory_bytes"] for node in self.nodes[:STAYING])

    def _up(self, node: Commanded) -> bool:
        return self._dead is None or self._dead[0] is not node

    def _kill_one(self) -> None:
        self._bring_back()
        node = self.nodes[STAYING + self.kills % CHURNING]
        node.kill()
        self.kills += 1
        self._dead = (node, time.monotonic())

    def _joined(self) -> list[str]:
        return [addr for node in self.nodes[:JOINED] for addr in node.addrs]

    def _bring_back(self) -> None:
        if self._dead is not None:
            self._dead[0].start(self._joined()).ready()
            self._dead = None


def _sample(node: Commanded) -> Sample:
    assert node.process is not None
    process, vitals = psutil.Process(node.process.pid), node.do("vitals")
    return {
        "memory_bytes": process.memory_info().rss,
        "descriptors": process.num_fds(),
        "tasks": vitals["tasks"],
        "objects": vitals["objects"],
    }


def _slope(samples: Sequence[tuple[float, float]], mean_seconds: float) -> dict[str, Figure]:
    """The slope per hour of means over time, and its 95 % interval."""
    from scipy.special import stdtrit

    first = samples[0][0]
    slots: dict[int, list[tuple[float, float]]] = {}
    for at, value in samples:
        slots.setdefault(int((at - first) // mean_seconds), []).append((at / 3600, value))
    points = [
        (fmean(at for at, _ in slot), fmean(value for _, value in slot)) for slot in slots.values()
    ]
    x, y = fmean(at for at, _ in points), fmean(value for _, value in points)
    spread = sum((at - x) ** 2 for at, _ in points)
    slope = sum((at - x) * (value - y) for at, value in points) / spread
    left = sum((value - y - slope * (at - x)) ** 2 for at, value in points)
    freedom = len(points) - 2
    half = float(stdtrit(freedom, 0.975)) * math.sqrt(left / freedom / spread)
    ends: list[Figure] = [round(slope - half, 3), round(slope + half, 3)]
    return {"mean": round(y, 1), "per_hour": round(slope, 3), "per_hour_95": ends}


def _trends(samples: Sequence[tuple[float, list[Sample]]]) -> dict[str, dict[str, Figure]]:
    """Per thing watched: the slope of the mean of all nodes."""
    span = (samples[-1][0] - samples[0][0]) / 5
    return {
        name: _slope(
            [(at, fmean(one[name] for one in nodes)) for at, nodes in samples],
            min(MEAN_SECONDS, span),
        )
        for name in FLAT
    }


def grows(trend: Mapping[str, Any], most: float) -> bool:
    """Whether a slope is more than is allowed, and certainly one."""
    return trend["per_hour"] > most and trend["per_hour_95"][0] > 0


def main(seconds: float = SECONDS) -> int:
    """Run it; 1 where something grows, is lost, or went wrong."""
    os.nice(15)
    with tempfile.TemporaryDirectory() as folder:
        soak, started = Soak(Path(folder), seconds), time.monotonic()
        with ended(soak.nodes):
            soak.run()
            after_s = alike(soak.nodes, soak.published, ALIKE_SECONDS)
            with_records, per_record = soak.published, soak.bytes_per_record()
            held = len(soak.nodes[0].ids())
            statuses = [node.stop() for node in soak.nodes]
            complaints = [line for node in soak.nodes for line in node.complaints()]
        ran, spent = time.monotonic() - started, os.times()
    settled_s, old_s = min(SETTLE_SECONDS, seconds / 6), NEW_UNTIL * seconds
    growing = _trends([each for each in soak.samples if settled_s <= each[0] < old_s])
    trends = _trends([each for each in soak.samples if each[0] >= old_s])
    flat = not any(grows(trends[name], most) for name, most in FLAT.items())
    write_result(
        "soak",
        {
            "nodes": len(soak.nodes),
            "seconds": round(ran),
            "messages": soak.messages,
            "records": with_records,
            "records_in_the_end": soak.published,
            "records_lost": soak.published - held,
            "kills": soak.kills,
            "alike_after_seconds": round(after_s, 2),
            "exit_statuses": list(statuses),
            "unhandled_exceptions": len(complaints),
            "complaints": list(complaints[:10]),
            "watched_nodes": STAYING,
            "cpu_share_of_one_core": round((spent.children_user + spent.children_system) / ran, 3),
            "slopes": {name: dict(trend) for name, trend in trends.items()},
            "slopes_while_records_come": {name: dict(trend) for name, trend in growing.items()},
            "records_per_hour_while_they_come": round(3600 / MESSAGE_SECONDS / NEW_ONE_IN),
            "memory_bytes_per_record": round(per_record),
            "promised_slopes_per_hour": dict(FLAT),
            "flat": flat,
        },
    )
    return 0 if flat and held == soak.published and not complaints and not any(statuses) else 1


if __name__ == "__main__":
    sys.exit(main(*map(float, sys.argv[1:])))

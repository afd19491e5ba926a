"""
A real node that only listens, and does what it is told: for benchmarks of whole swarms.

Run as ``python -m benchmarks.commanded_node HOME --listen ADDR``. It is what `swarm start
--observe` runs, door, journal, sync and gossip, with the clock wrong where asked. It
takes commands as lines of JSON on standard input and answers each with one line.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import trio

import node as node_module
from cli.garbage import leave_out_what_is_there, look_seldom
from cli.logs import log_event, log_to
from gossip.home import open_home
from gossip.identity import load_or_create
from gossip.journal import Journal
from node import Node, chosen
from swarm import events
from swarm.settings import NetworkSettings, NodeSettings, Settings, WatchSettings
from swarm.validation import Valid
from tests.processes import TOY
from tests.swarm.record_samples import TRIALS

Answer = dict[str, Any]


class CommandedNode(Node):
    """A node with one more service: to obey."""

    _accepted_at: dict[str, float]
    _said = 0

    def obey(self) -> None:
        """Note from now on when each record is accepted here, in Unix seconds."""
        self._accepted_at = {}
        network = cast(Any, self._network)
        accepted = network._intake._accepted

        def noting(batch: Sequence[Valid]) -> None:
            now = time.time()
            self._accepted_at.update((valid.id, now) for valid in batch)
            accepted(batch)

        network._intake._accepted = noting

    def _services(self) -> list[Callable[[], Awaitable[None]]]:
        return [*super()._services(), self._take_commands]

    async def _take_commands(self) -> None:
        commands: dict[str, Callable[..., Awaitable[Answer]]] = {
            "publish": self._publish_all,
            "speak": self._speak,
            "again": self._gossip_again,
            "accepted": self._accepted_since,
            "vitals": self._vitals,
        }
        print(json.dumps({"addrs": self._network.listen_addrs}), flush=True)
        async with trio.lowlevel.FdStream(os.dup(0)) as stdin:
            line = bytearray()
            async for piece in stdin:
                line += piece
                while (end := line.find(b"\n")) >= 0:
                    asked = json.loads(line[:end])
                    del line[: end + 1]
                    answer = await commands[asked.pop("do")](**asked)
                    print(json.dumps(answer), flush=True)
        await trio.sleep_forever()

    async def _publish_all(self, envelopes: list[str], interval_s: float) -> Answer:
        """Publish ready-made records at a pace; answers when all are durable here."""
        published: dict[str, float] = {}
        start = trio.current_time()
        for at, envelope in enumerate(envelopes):
            await trio.sleep_until(start + at * interval_s)
            now = time.time()
            published[await self._network.publish_sealed(base64.b64decode(envelope))] = now
        return {"published": published}

    async def _speak(self) -> Answer:
        """Publish one record of its own, as research does."""
        self._said += 1
        trial = replace(TRIALS.trials[0], milliseconds=self._said)
        record = replace(
            TRIALS,
            author=self._author.peer_id,
            topic=self._author.topic,
            task=self._author.task,
            created_at_ms=node_module.now_ms(),
            trials=(trial,),
        )
        now = time.time()
        return {"published": {await self._network.publish(record): now}}

    async def _gossip_again(self, envelopes: list[str]) -> Answer:
        """Gossip records that everyone has already."""
        for envelope in envelopes:
            await cast(Any, self._network)._publish(base64.b64decode(envelope))
        return {"gossiped": len(envelopes)}

    async def _accepted_since(self) -> Answer:
        """When each record came that was accepted since this was last asked."""
        await trio.lowlevel.checkpoint()
        accepted, self._accepted_at = self._accepted_at, {}
        return {"accepted": accepted}

    async def _vitals(self) -> Answer:
        """What could leak inside the process, and who is connected."""
        await trio.lowlevel.checkpoint()
        gc.collect()
        return {
            "tasks": trio.lowlevel.current_statistics().tasks_living,
            "objects": len(gc.get_objects()),
            "peers": self._network.peers,
        }


def _report(event: events.Event) -> None:
    log_event(event)
    if isinstance(event, events.Listening):
        leave_out_what_is_there()


async def serve(settings: Settings, root: Path) -> None:
    """`node.serve`, for a node that takes commands."""
    home = open_home(root)
    log_to(home.log)
    with home.held():
        topic, loaded = chosen(settings, home)
        identity, path = load_or_create(home.identity), home.journal(loaded.task.id, topic.label)
        with (
            Journal.open(path) as journal,
            Journal.open(path, read_only=True) as reading,
            Journal.open(path, read_only=True) as watched,
        ):
            node = CommandedNode(
                settings, home, topic, loaded, identity, journal, reading, watched, _report
            )
            node.obey()
            await node.live()


def main() -> None:
    """Run a node until it is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--join", action="append", default=[])
    parser.add_argument("--sync-seconds", type=float, default=20.0)
    parser.add_argument("--ahead-seconds", type=float, default=0.0)
    given = parser.parse_args()
    true_now_ms, ahead_ms = node_module.now_ms, round(1000 * given.ahead_seconds)
    node_module.now_ms = lambda: true_now_ms() + ahead_ms
    settings = Settings(
        task=str(TOY),
        node=NodeSettings(observe=True),
        network=NetworkSettings(
            listen_addrs=(given.listen,),
            join=tuple(given.join),
            sync_interval_seconds=given.sync_seconds,
        ),
        watch=WatchSettings(api="off"),
    )
    look_seldom()
    trio.run(partial(serve, settings, given.home))


if __name__ == "__main__":
    main()
